// The service behind PgBouncer, in a pool that it shares with an application. In transaction mode every start has to be
// refused and to leave no trace in the pool; session mode works.
//
// Called by scripts/interop with the path of the binary.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { check, finish } from "./check.mjs";
import { PSQL, query, startPostgres } from "./postgres.mjs";
import { directory, freePort, start, stop, unprivileged, until } from "./processes.mjs";
import { serve, serveUntilReady } from "./service.mjs";

const STARTS = 20;
const REFUSED_WITHIN_MS = 15_000;

/** Server connections of the pool, and application clients. */
const POOL_SIZE = 6;

/** All that a server connection may remember of a client, as one line. */
const MEMORY = `SELECT json_build_object(
  'table', to_regclass('things'),
  'settings', (SELECT json_object_agg(name, setting ORDER BY name) FROM pg_settings),
  'prepared statements', (SELECT count(*) FROM pg_prepared_statements),
  'cursors', (SELECT count(*) FROM pg_cursors),
  'channels', (SELECT count(*) FROM pg_listening_channels()),
  'temporary schema', pg_my_temp_schema(),
  'advisory locks', (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'))::text;`;

async function startPgbouncer(server, mode, settings = []) {
  const [path, port] = [directory(), await freePort()];
  const file = join(path, "pgbouncer.ini");
  const lines = [
    "[databases]",
    `* = host=127.0.0.1 port=${new URL(server).port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = trust",
    `auth_file = ${join(path, "users")}`,
    "admin_users = usersync",
    `pool_mode = ${mode}`,
    `default_pool_size = ${mode === "session" ? 20 : POOL_SIZE}`,
    ...settings,
  ];
  writeFileSync(join(path, "users"), '"usersync" ""\n');
  writeFileSync(file, lines.join("\n"));
  const pooler = start("pgbouncer", ["-q", file], unprivileged());
  const url = `postgres://usersync@127.0.0.1:${port}/usersync`;
  await until(`PgBouncer answers: ${pooler.lines.join("\n")}`, () => query(url, "SELECT 1").catch(() => ""));
  return { url, pooler };
}

/** A connected client of the application. */
function connect(url) {
  const client = start("psql", [...PSQL, url]);
  return { ...client, say: (sql) => client.child.stdin.write(`${sql}\n`) };
}

function disconnect(clients) {
  for (const client of clients) client.child.stdin.end();
  return Promise.all(clients.map((client) => client.ended));
}

/** What differs of two memories, by the names of entries and settings. */
function differences(before, after) {
  if (before === after) return [];
  if (!after.startsWith("{")) return [after];
  const entries = (text) => Object.entries({ ...JSON.parse(text), ...JSON.parse(text).settings, settings: undefined });
  const known = new Map(entries(before));
  return entries(after).filter(([name, value]) => value !== known.get(name)).map(([name, value]) => `${name} = ${value}`);
}

const connectAll = (url) => Array.from({ length: POOL_SIZE }, () => connect(url));

/** What each server connection of the pool remembers, looked at by transactions that are open at the same time. */
async function memories(url) {
  const clients = connectAll(url);
  for (const { say } of clients) say(`BEGIN; SELECT pg_backend_pid();`);
  await until("every client has a server connection", () => clients.every(({ lines }) => lines.length === 1));
  assert.equal(new Set(clients.map(({ lines }) => lines[0])).size, POOL_SIZE, "server connections");
  for (const { say } of clients) say(`${MEMORY} COMMIT;`);
  await disconnect(clients);
  return clients.map(({ lines }) => lines.slice(1).join("\n"));
}

/** Application clients that are connected and do nothing, after they have opened the pool's server connections. */
async function idleClients(url) {
  const clients = connectAll(url);
  for (const { say } of clients) say("BEGIN; SELECT pg_sleep(0.2); COMMIT;");
  await until("the pool is warm", () => clients.every(({ lines }) => lines.length > 0));
  return { stop: () => disconnect(clients) };
}

/** Application clients that query in loops; each ends at its first error. */
async function busyClients(url) {
  const clients = connectAll(url);
  for (const { say } of clients) say("SELECT count(*) FROM things, generate_series(1, 2000)\\watch 0.001");
  await until("the pool is busy", () => clients.every(({ lines }) => lines.length > 10));
  const stopAll = async () => {
    for (const { child } of clients) child.kill("SIGINT");
    await disconnect(clients);
    // The signal cancels the statement that runs.
    const isFault = (line) => line.includes("ERROR") && !line.includes("canceling statement due to user request");
    const errors = clients.flatMap(({ lines }) => lines).filter(isFault);
    assert.deepEqual(errors, [], "what the application saw");
  };
  return { stop: stopAll };
}

/** One start; returns null where it was refused as it should be. */
async function fault(url) {
  const service = serve({ DATABASE_URL: url, USERSYNC_BIND: "127.0.0.1:0" });
  const deadline = setTimeout(() => service.child.kill("SIGKILL"), REFUSED_WITHIN_MS);
  const status = await service.ended;
  clearTimeout(deadline);
  const text = service.lines.join("\n");
  const isRefused = status === 1 && /transaction mode.*use the direct connection.*session mode/.test(text);
  return isRefused ? null : `status ${status}: ${text}`;
}

async function refusals(server, settings, clientsOf) {
  const { url, pooler } = await startPgbouncer(server, "transaction", settings);
  const before = await memories(url);
  const clients = await clientsOf(url);
  const faults = [];
  for (let count = 0; count < STARTS; count++) faults.push(await fault(url));
  await clients.stop();
  const after = await memories(url);
  pooler.child.kill("SIGKILL");
  const accepted = faults.filter(Boolean);
  if (accepted.length > 0) throw new Error(`${accepted.length} of ${STARTS} were not refused: ${accepted[0]}`);
  const remembered = new Set(after.flatMap((memory, index) => differences(before[index], memory)));
  assert.deepEqual([...remembered], [], "what the server connections remember of the service");
  return `${STARTS} of ${STARTS}`;
}

const server = await startPostgres();
await query(server, "CREATE TABLE things AS SELECT generate_series(1, 3) AS id;");
for (const [order, settings] of [["last in, first out", []], ["round robin", ["server_round_robin = 1"]]]) {
  for (const [what, clientsOf] of [["idle", idleClients], ["busy", busyClients]]) {
    const name = `PgBouncer, transaction mode, ${order}, ${what} application: starts are refused without a trace`;
    await check(name, () => refusals(server, settings, clientsOf));
  }
}
await check("PgBouncer, session mode: the service becomes ready", async () => {
  const { url } = await startPgbouncer(server, "session");
  const variables = { DATABASE_URL: url };
  await stop(await serveUntilReady(variables, await freePort()));
});
finish();
