// A service whose machine is 30 days ahead for a while, by libfaketime: one reconcile after its clock is right again heals
// everything that was lost meanwhile. On PostgreSQL it is one of two replicas, and the database's clock is right.
//
// Called by scripts/interop with the path of the binary.

import assert from "node:assert/strict";
import { join } from "node:path";
import { check, finish } from "./check.mjs";
import { startPostgres } from "./postgres.mjs";
import { directory, freePort, run, start, stop, until } from "./processes.mjs";
import { call, command, environment, send, serveUntilReady, usersync } from "./service.mjs";
import { delivery } from "./webhook.mjs";

const USERS = 30;
const AHEAD_MS = 30 * 24 * 3_600_000;

/** What makes a process that is started with it see a clock that is ahead. Durations are measured as they are. */
async function aheadOfTime() {
  const library = await run("faketime", ["-m", "-f", "+30d", "sh", "-c", 'printf %s "$LD_PRELOAD"']);
  const monotonic = { DONT_FAKE_MONOTONIC: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" };
  return { LD_PRELOAD: library, FAKETIME: "+30d", ...monotonic };
}

/** An emulated provider that sends nothing. */
async function startProvider() {
  const emulator = start(usersync, ["emulate", "--bind", "127.0.0.1:0", "--json", "--users", `${USERS}`], { env: environment() });
  const line = await until("the emulator is ready", () => emulator.lines[0]);
  const keys = JSON.parse(line);
  const ask = async (path, method = "GET", body = undefined) => {
    const headers = { authorization: `Bearer ${keys.secret_key}`, "content-type": "application/json" };
    const answer = await send(`${keys.api_url}/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    assert.equal(answer.status, 200, `${method} ${path}: ${answer.text}`);
    return JSON.parse(answer.text);
  };
  const variables = {
    CLERK_API_URL: keys.api_url,
    CLERK_SECRET_KEY: keys.secret_key,
    CLERK_WEBHOOK_SIGNING_SECRET: keys.webhook_secret,
    USERSYNC_API_BUDGET: "off",
    USERSYNC_WATCH_INTERVAL: "off",
    USERSYNC_RECONCILE_SCHEDULE: "off",
  };
  return { ask, variables, secret: keys.webhook_secret };
}

async function startService(variables) {
  const port = await freePort();
  const service = await serveUntilReady(variables, port);
  return { ...service, address: `http://127.0.0.1:${port}` };
}

/** Runs a job on a replica with workers; returns what it reports. */
async function runJob({ address }, kind) {
  const { id } = await call(address, "/v1/jobs", { method: "POST", body: { kind } });
  const job = await until(`${kind} ends`, async () => {
    const job = await call(address, `/v1/jobs/${id}`);
    return job.finished_at && job;
  });
  assert.equal(job.state, "succeeded", JSON.stringify(job));
  return job;
}

const resync = ({ address }, user_ids) => call(address, "/v1/reconcile", { method: "POST", body: { user_ids } });

/** Everything that a service does with users, by one whose clock is ahead. */
async function workAhead(service, provider, [first, second, promoted, ...others]) {
  await runJob(service, "backfill");
  await until("ids are written back", async () => {
    const users = await provider.ask(`/users?limit=${USERS}`);
    return users.every((user) => user.public_metadata.dbId);
  });
  await runJob(service, "reconcile");
  await resync(service, [first, second, ...others.slice(0, 5)]);
  await call(service.address, `/v1/users/${promoted}`, { method: "PATCH", body: { role: "admin" } });
  await until("the role is written back", async () => (await provider.ask(`/users/${promoted}`)).public_metadata.role === "admin");
  const signed = delivery("user.updated", await provider.ask(`/users/${second}`), { secret: provider.secret, at_ms: Date.now() + AHEAD_MS });
  const answer = await send(`${service.address}/webhooks/clerk`, signed);
  assert.equal(answer.status, 200, answer.text);
}

function assertAhead(service) {
  const [time] = service.lines[0].split(" ");
  assert.ok(Date.parse(time) - Date.now() > AHEAD_MS / 2, `its clock is not ahead: ${service.lines[0]}`);
}

/** Changes at the provider of which no event comes. */
async function loseEvents(provider, [deleted, renamed, promoted]) {
  await provider.ask(`/users/${deleted}`, "DELETE");
  await provider.ask(`/users/${renamed}`, "PATCH", { first_name: "Renamed" });
  await provider.ask(`/users/${promoted}/metadata`, "PATCH", { public_metadata: { role: "user" } });
}

async function assertHealed({ address }, [deleted, renamed, promoted]) {
  const row = async (id) => call(address, `/v1/users/${id}`);
  const { status, email, name, first_name } = await row(deleted);
  assert.deepEqual({ status, email, name, first_name }, { status: "deleted", email: null, name: null, first_name: null });
  assert.equal((await row(renamed)).first_name, "Renamed");
  assert.equal((await row(promoted)).role, "user");
  const { data } = await call(address, "/v1/users?limit=100");
  assert.equal(data.length, USERS - 1, "live rows");
}

/** `peers` are the variables of further replicas, whose clocks are right. */
async function heals(database, peers) {
  const provider = await startProvider();
  const variables = { ...provider.variables, ...database };
  for (const peer of peers) await startService({ ...variables, ...peer });
  const ids = (await provider.ask(`/users?limit=${USERS}`)).map((user) => user.id);

  const ahead = await startService({ ...variables, ...(await aheadOfTime()) });
  assertAhead(ahead);
  await workAhead(ahead, provider, ids);
  await stop(ahead);

  const service = await startService(variables);
  await loseEvents(provider, ids);
  await runJob(service, "reconcile");
  await assertHealed(service, ids);
  await command(["drift"], variables);
}

await check("faketime, PostgreSQL: a reconcile heals what was lost while one of two replicas was 30 days ahead", async () => {
  await heals({ DATABASE_URL: await startPostgres() }, [{ USERSYNC_WORKERS: "off" }]);
});
await check("faketime, SQLite: a reconcile heals what was lost while the machine was 30 days ahead", async () => {
  await heals({ DATABASE_URL: `sqlite://${join(directory(), "usersync.db")}` }, []);
});
finish();
