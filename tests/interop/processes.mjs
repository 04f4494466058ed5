// What a check starts and makes: processes and directories. Called by the checks; everything is ended and removed when
// the check's process ends, in whatever way but SIGKILL.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

/** What undoes each thing that was started or made, newest last. */
const undoing = [];

export function atExit(undo) {
  undoing.push(undo);
}

process.on("exit", () => {
  while (undoing.length > 0) undoing.pop()();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** A directory that every user may enter, since servers refuse to run as root. */
export function directory() {
  const path = mkdtempSync(join(tmpdir(), "usersync-interop-"));
  chmodSync(path, 0o755);
  atExit(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/**
 * A port that is free now. Below those which the system hands out to outgoing connections, so that none of them takes
 * it while its server restarts.
 */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(() => true, () => false);
    server.close();
    if (isFree) return port;
  }
}

/** Without root's own, what servers that refuse root can run as. */
export function unprivileged() {
  if (process.getuid() !== 0) return {};
  const id = (option) => Number(spawnSync("id", [option, "postgres"], { encoding: "utf8" }).stdout);
  return { uid: id("-u"), gid: id("-g") };
}

/** A process that runs until it is stopped. `lines` are those of both its outputs so far. */
export function start(command, args, options = {}) {
  // A group of its own, which ends with all the processes in it.
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], detached: true, ...options });
  const lines = [];
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on("line", (line) => lines.push(line));
  }
  child.on("error", (error) => lines.push(error.message));
  child.stdin.on("error", () => {});
  const ended = new Promise((resolve) => child.on("close", (status, signal) => resolve(status ?? signal)));
  atExit(() => kill(child));
  return { child, lines, ended };
}

function kill(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Runs a command to its end; throws what it printed where that is not 0. Returns its standard output. */
export async function run(command, args, { input = "", ...options } = {}) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], detached: true, ...options });
  atExit(() => kill(child));
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (part) => (text[name] += part));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${command} ${args[0]} ended with ${status}: ${text.stderr}${text.stdout}`);
  return text.stdout;
}

/** Ends a process in order; throws unless it then exits with 0. */
export async function stop(process) {
  process.child.kill("SIGTERM");
  const status = await process.ended;
  if (status !== 0) throw new Error(`a process should stop with 0, not ${status}: ${process.lines.slice(-5).join("\n")}`);
}

/** Waits until `holds` returns something true, and returns that. */
export async function until(what, holds, patience_ms = 20_000) {
  const end = Date.now() + patience_ms;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${patience_ms} ms`);
    await pause(20);
  }
}
