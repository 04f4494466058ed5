// Measures how long usersync takes from exec to its first 200 of /readyz on an SQLite file that does not exist yet.
// Usage: node bench/ready.mjs BINARY PORT TIMES. Prints a JSON line for each start; called by bench/run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 10_000;

const [binary, port, times] = process.argv.slice(2);
for (let start = 1; start <= Number(times); start++) {
  const milliseconds = await measureStart(binary);
  console.log(JSON.stringify({ measure: 'start', peer: 'usersync', start, milliseconds }));
}

async function measureStart(binary) {
  const directory = await mkdtemp(join(tmpdir(), 'usersync-start-'));
  const began = performance.now();
  const child = spawn(binary, ['serve'], { stdio: ['ignore', 'ignore', 'inherit'], env: environment(directory) });
  const exited = once(child, 'exit');
  try {
    while (!(await isReady())) {
      if (child.exitCode !== null) throw new Error(`${binary} ended with status ${child.exitCode}`);
      if (performance.now() - began > LIMIT_MS) throw new Error(`${binary} was not ready within ${LIMIT_MS} ms`);
      await sleep(1);
    }
    return Math.round((performance.now() - began) * 10) / 10;
  } finally {
    child.kill('SIGTERM');
    await exited;
    await rm(directory, { recursive: true, force: true });
  }
}

function environment(directory) {
  return {
    PATH: process.env.PATH,
    DATABASE_URL: `sqlite://${join(directory, 'usersync.db')}`,
    PORT: port,
    USERSYNC_BIND: `127.0.0.1:${port}`,
    CLERK_WEBHOOK_SIGNING_SECRET: process.env.CLERK_WEBHOOK_SIGNING_SECRET,
    RUST_LOG: 'warn',
  };
}

function isReady() {
  return new Promise((resolve) => {
    const request = http.get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}
