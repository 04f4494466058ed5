// A process of the service under test, and requests to it. Called by the checks.

import http from "node:http";
import { run, start, until } from "./processes.mjs";

export const ADMIN_TOKEN = "interop-admin-token-of-32-characters";

export const SIGNING_SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

const KEYS = { CLERK_WEBHOOK_SIGNING_SECRET: SIGNING_SECRET, USERSYNC_ADMIN_TOKEN: ADMIN_TOKEN };

export const usersync = process.argv[2];

/** An environment without what the caller's own shell sets for the service. */
export function environment(variables) {
  const kept = Object.entries(process.env).filter(([name]) => !/^(USERSYNC_|CLERK_|DATABASE_URL|PORT|PG)/.test(name));
  return { ...Object.fromEntries(kept), USERSYNC_LOG_FORMAT: "text", ...variables };
}

/** Starts `usersync serve`, which is not ready yet. */
export function serve(variables) {
  return start(usersync, ["serve"], { env: environment({ ...KEYS, ...variables }) });
}

/** Starts `usersync serve` on a port and waits until it is ready. */
export async function serveUntilReady(variables, port) {
  const address = `127.0.0.1:${port}`;
  const service = serve({ USERSYNC_BIND: address, ...variables });
  let status;
  service.ended.then((ended) => (status = ended));
  const isReady = async () => {
    if (status !== undefined) throw new Error(`it ended with ${status}`);
    return (await send(`http://${address}/readyz`).catch(() => ({}))).status === 200;
  };
  await until(`usersync on ${address} is ready`, isReady).catch((error) => {
    throw new Error(`${error.message}: ${service.lines.join("\n")}`);
  });
  return service;
}

/** Runs a subcommand of `usersync` and returns what it prints. */
export async function command(args, variables) {
  return run(usersync, args, { env: environment(variables) });
}

/** Sends a request on a connection of its own; returns its status and body. */
export function send(url, { method = "GET", headers = {}, body = "" } = {}) {
  return new Promise((resolve, reject) => {
    const length = body ? { "content-length": Buffer.byteLength(body) } : {};
    const options = { method, agent: false, headers: { connection: "close", ...headers, ...length } };
    const request = http.request(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (text += part));
      response.on("end", () => resolve({ status: response.statusCode, text }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Calls a route with the admin token; throws unless the answer is a 2xx. Returns what the JSON says. */
export async function call(address, path, { method, body } = {}) {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const answer = await send(`${address}${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (answer.status >= 300) throw new Error(`${path} was answered ${answer.status}: ${answer.text}`);
  return JSON.parse(answer.text);
}
