// A throwaway PostgreSQL cluster, and statements by psql. Called by the checks.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { atExit, directory, run } from "./processes.mjs";

const script = fileURLToPath(new URL("../../scripts/postgres", import.meta.url));

/** Starts a cluster and returns its URL. */
export async function startPostgres() {
  const cluster = join(directory(), "cluster");
  atExit(() => spawnSync("bash", [script, "destroy", cluster]));
  return (await run("bash", [script, "start", "--fast", cluster])).trim();
}

/** Settings of a session that shows only what is asked for. */
export const PSQL = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"];

/** What statements print, rows as lines and columns separated by `|`. */
export async function query(url, sql) {
  return (await run("psql", [...PSQL, url], { input: sql })).trim();
}
