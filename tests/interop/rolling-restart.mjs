// A rolling restart of two replicas behind nginx, under load: no request fails, and every delivery is stored.
//
// Called by scripts/interop with the path of the binary.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { check, finish } from "./check.mjs";
import { query, startPostgres } from "./postgres.mjs";
import { directory, freePort, start, stop, until } from "./processes.mjs";
import { ADMIN_TOKEN, send, serveUntilReady } from "./service.mjs";
import { delivery, userId } from "./webhook.mjs";

const REQUESTS_A_SECOND = 200;
const SHUTDOWN_DELAY = "3s";
const ROUNDS = Number(process.argv[3] ?? 1);

/** Starts nginx in front of the replicas at these ports; returns its address. */
async function startNginx([first, second]) {
  const [path, port] = [directory(), await freePort()];
  const template = readFileSync(new URL("nginx.conf", import.meta.url), "utf8");
  const values = { DIR: path, LISTEN: `127.0.0.1:${port}`, FIRST: `127.0.0.1:${first}`, SECOND: `127.0.0.1:${second}` };
  const file = join(path, "nginx.conf");
  writeFileSync(file, template.replaceAll(/\b(DIR|LISTEN|FIRST|SECOND)\b/g, (name) => values[name]));
  const nginx = start("nginx", ["-c", file, "-e", join(path, "error.log")]);
  const address = `http://127.0.0.1:${port}`;
  const answers = () => send(`${address}/healthz`).catch(() => null);
  await until("nginx answers", answers).catch((error) => {
    throw new Error(`${error.message}: ${nginx.lines.join("\n")}`);
  });
  return address;
}

/** Requests at a steady rate, each on a connection of its own, until it is stopped. */
class Load {
  sent = [];
  delivered = [];
  faults = [];
  slowest_ms = 0;
  #going = true;

  constructor(address, knownUser) {
    this.address = address;
    this.knownUser = knownUser;
    this.finished = this.#run();
  }

  async stop() {
    this.#going = false;
    await this.finished;
    await Promise.all(this.sent);
  }

  async #run() {
    const began = Date.now();
    while (this.#going) {
      const due = ((Date.now() - began) * REQUESTS_A_SECOND) / 1000;
      while (this.sent.length < due) this.sent.push(this.#send(this.sent.length));
      await pause(2);
    }
  }

  async #send(number) {
    const [name, path, request] = this.#request(number);
    const began = Date.now();
    const answer = await send(this.address + path, request).catch((error) => ({ status: error.code ?? error.message, text: "" }));
    this.slowest_ms = Math.max(this.slowest_ms, Date.now() - began);
    if (!(answer.status >= 200 && answer.status < 300)) {
      this.faults.push(`${name} was answered ${answer.status} ${answer.text.replaceAll(/\s+/g, " ")}`);
    }
  }

  #request(number) {
    if (number % 2 === 0) {
      const id = userId();
      this.delivered.push(id);
      return ["a delivery", "/webhooks/clerk", delivery("user.created", { id, first_name: "Ada", updated_at: Date.now() })];
    }
    if (number % 4 === 1) return ["/readyz", "/readyz", {}];
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    return ["/v1/users/{id}", `/v1/users/${this.knownUser}`, { headers }];
  }
}

async function restartEach(replicas, startReplica) {
  for (const port of replicas.keys()) {
    await stop(replicas.get(port));
    replicas.set(port, await startReplica(port));
  }
}

await check("nginx: a rolling restart of two replicas loses no request and no delivery", async () => {
  const database = await startPostgres();
  const variables = { DATABASE_URL: database, USERSYNC_SHUTDOWN_DELAY: SHUTDOWN_DELAY };
  const startReplica = (port) => serveUntilReady(variables, port);
  const replicas = new Map();
  for (let count = 0; count < 2; count++) {
    const port = await freePort();
    replicas.set(port, await startReplica(port));
  }
  const address = await startNginx([...replicas.keys()]);
  const knownUser = userId();
  await send(`${address}/webhooks/clerk`, delivery("user.created", { id: knownUser }));

  const load = new Load(address, knownUser);
  await pause(1_000);
  for (let round = 0; round < ROUNDS; round++) await restartEach(replicas, startReplica);
  await pause(1_000);
  await load.stop();

  const { faults, sent, delivered, slowest_ms } = load;
  if (faults.length > 0) throw new Error(`${faults.length} of ${sent.length} requests failed: ${faults.slice(0, 5).join("; ")}`);
  const stored = new Set((await query(database, "SELECT external_id FROM usersync.users;")).split("\n"));
  assert.deepEqual(delivered.filter((id) => !stored.has(id)), [], "deliveries that are not in the table");
  return `${sent.length} requests, ${delivered.length} of them deliveries, the slowest ${slowest_ms} ms`;
});
finish();
