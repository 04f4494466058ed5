// Turns the JSON lines of bench/run and bench/backfill into Markdown: the ratios against their goals, then every number behind them.
// Usage: node bench/report.mjs FILE... (several files are taken together).
import { readFileSync } from 'node:fs';

/** The peers of the comparison, and by usersync's connections the ratio to be reached, if one is set. */
const PEERS = [
  { peer: 'fastify', name: 'fastify + svix + node-postgres', goals: [[16, 8], [64, 6], [1, 2]] },
  { peer: 'fastify-pipelined', name: 'the same, statements pipelined', goals: [[16], [64], [1]] },
  { peer: 'next', name: 'Next.js + svix + drizzle', goals: [[16, 50], [64, 40], [1, 10]] },
  { peer: 'pgbench-two_statements', name: 'pgbench, one event a transaction, 16 clients', goals: [[16, 3.5]] },
  { peer: 'pgbench-batch_200', name: 'pgbench, 200 events a transaction', goals: [[256, 0.7]] },
];
const MIXES = ['created', 'updated'];
const MEMORY_CONNECTIONS = 256;
const MEMORY_GOAL_MIB = 64;
const START_GOAL_MS = 150;
const BACKFILL_GOAL = 40_000;
const BACKFILL_MEMORY_GOAL_MIB = 100;
const PAGE_USERS = 500;
/** The parts of bench/backfill that are a run of a job, in the order of the table. */
const JOBS = [
  { part: 'backfill', name: 'backfill into an empty table' },
  { part: 'again', name: 'backfill again, nothing to do' },
  { part: 'reconcile', name: 'reconcile, nothing to do' },
];

const lines = process.argv.slice(2).flatMap(readLines);
const loads = lines.filter(({ measure }) => measure === 'load');
const starts = lines.filter(({ measure }) => measure === 'start');
const jobs = lines.filter(({ measure }) => measure === 'job');

console.log([heading(), comparisonTable(), footprintTable(), detailTable(), backfillTable(), backfillMemoryTable(), killsTable()]
  .filter(Boolean).join('\n\n'));

function readLines(file) {
  const text = readFileSync(file, 'utf8');
  return text.split('\n').filter((line) => line.trim()).map((line) => JSON.parse(line));
}

function heading() {
  const machine = lines.find(({ measure }) => measure === 'machine');
  if (!machine) return '';
  const rounds = Math.max(0, ...lines.map(({ round }) => round ?? 0));
  return `${machine.cores} cores (${machine.processor}) shared by database, service and load; PostgreSQL ` +
    `${machine.postgresql}, Node ${machine.node}; medians of ${rounds} rounds; ${machine.date}.`;
}

function comparisonTable() {
  const rows = PEERS.flatMap((peer) => peer.goals.flatMap((goal) => MIXES.map((mix) => comparisonRow(peer, goal, mix))))
    .filter(Boolean);
  const fastify = MIXES.map((mix) => latencyRow(mix)).filter(Boolean);
  if (rows.length + fastify.length === 0) return '';
  return table(['against', 'connections', 'events', 'usersync', 'peer', 'ratio', 'goal', ''], [...rows, ...fastify]);
}

function comparisonRow({ peer, name }, [connections, goal], mix) {
  const ours = loadsOf('usersync', mix, connections);
  const theirs = loads.filter((load) => load.peer === peer && load.mix === mix &&
    (peer.startsWith('pgbench') || load.connections === connections));
  if (ours.length === 0 || theirs.length === 0) return undefined;
  const [our, their] = [ours, theirs].map((runs) => median(runs.map(({ rate }) => rate)));
  const ratio = our / their;
  const goalCell = goal === undefined ? '–' : `${goal}x`;
  return [name, connections, mix, `${whole(our)}/s`, `${whole(their)}/s`, `${digits(ratio)}x`, goalCell,
    goal === undefined ? '' : verdict(ratio >= goal)];
}

/** At one connection the service may not be slower in p99 either. */
function latencyRow(mix) {
  const [our, their] = ['usersync', 'fastify'].map((peer) => median(loadsOf(peer, mix, 1).map(({ p99_ms: p99 }) => p99)));
  if (our === undefined || their === undefined) return undefined;
  return ['fastify + svix + node-postgres, p99', 1, mix, `${digits(our)} ms`, `${digits(their)} ms`,
    `${digits(our / their)}x`, 'at most 1x', verdict(our <= their)];
}

function footprintTable() {
  const runs = loads.filter(({ peer, connections }) => peer === 'usersync' && connections === MEMORY_CONNECTIONS);
  const rows = [];
  if (runs.length > 0) {
    const resident = median(runs.map((run) => run.vm_rss_kb / 1024));
    const peak = Math.max(...runs.map((run) => run.vm_hwm_kb / 1024));
    rows.push([`resident memory under load, ${MEMORY_CONNECTIONS} connections`, `${digits(resident)} MiB`, '', '']);
    rows.push(['its peak (VmHWM), worst of all rounds', `${digits(peak)} MiB`, `below ${MEMORY_GOAL_MIB} MiB`,
      verdict(peak < MEMORY_GOAL_MIB)]);
  }
  if (starts.length > 0) {
    const start = median(starts.map(({ milliseconds }) => milliseconds));
    rows.push([`start to ready on SQLite, median of ${starts.length}`, `${digits(start)} ms`, `below ${START_GOAL_MS} ms`,
      verdict(start < START_GOAL_MS)]);
  }
  return rows.length === 0 ? '' : table(['footprint', 'usersync', 'goal', ''], rows);
}

function detailTable() {
  const groups = groupBy(loads, groupOf);
  const rows = [...groups.values()].map(detailRow);
  if (rows.length === 0) return '';
  return table(['peer', 'events', 'connections', 'events/s', 'lowest', 'highest', 'p50 ms', 'p99 ms', 'not applied'], rows);
}

function detailRow(runs) {
  const rates = runs.map(({ rate }) => rate);
  const middle = (name) => digits(median(runs.map((run) => run[name]).filter((value) => value !== undefined)));
  const notApplied = runs.reduce((sum, run) => sum + (run.not_applied ?? 0), 0);
  return [runs[0].peer, runs[0].mix, runs[0].connections, whole(median(rates)), whole(Math.min(...rates)),
    whole(Math.max(...rates)), middle('p50_ms'), middle('p99_ms'), notApplied];
}

function backfillTable() {
  const baseline = lines.filter(({ measure }) => measure === 'baseline');
  const copy = median(baseline.map(({ rate }) => rate));
  const rows = JOBS.map(({ part, name }) => jobRow(name, jobs.filter((job) => job.part === part), part, copy)).filter(Boolean);
  if (baseline.length > 0) rows.push(['COPY and one guarded upsert', ...ratesOf(baseline), '1.00x', '–', '']);
  const provider = lines.filter(({ measure }) => measure === 'provider');
  if (provider.length > 0) rows.push([providerName(provider), ...ratesOf(provider), '–', '–', '']);
  if (rows.length === 0) return '';
  return table(['work', 'users', 'seconds', 'users/s', 'lowest', 'highest', 'to COPY', 'goal', ''], rows);
}

function jobRow(name, runs, part, copy) {
  if (runs.length === 0) return undefined;
  const rate = median(runs.map((run) => run.rate));
  const toCopy = copy === undefined ? '–' : `${digits(rate / copy)}x`;
  const goal = part === 'backfill' ? [`${whole(BACKFILL_GOAL)}/s`, verdict(rate >= BACKFILL_GOAL)] : ['–', ''];
  const delay = runs[0].delay_ms > 0 ? `, ${runs[0].delay_ms} ms an answer` : '';
  return [name + delay, ...ratesOf(runs), toCopy, ...goal];
}

/** What the provider delivers if nothing is done with it, and what it takes from the processor that it shares. */
function providerName(runs) {
  const milliseconds = median(runs.map((run) => (run.processor_seconds * 1000) / run.pages));
  return `the provider alone, ${digits(milliseconds)} ms of processor a page of ${PAGE_USERS}`;
}

function ratesOf(runs) {
  const rates = runs.map(({ rate }) => rate);
  return [whole(runs[0].users), digits(median(runs.map(({ seconds }) => seconds))), whole(median(rates)),
    whole(Math.min(...rates)), whole(Math.max(...rates))];
}

function backfillMemoryTable() {
  const rows = JOBS.map(({ part, name }) => memoryRow(name, jobs.filter((job) => job.part === part))).filter(Boolean);
  if (rows.length === 0) return '';
  return table(['resident memory', 'at 10 %', 'at 50 %', 'at 100 %', 'peak (VmHWM), worst', 'goal', ''], rows);
}

function memoryRow(name, runs) {
  if (runs.length === 0) return undefined;
  const at = (percent) => `${digits(median(runs.map((run) => run[`vm_rss_${percent}_kb`] / 1024)))} MiB`;
  const peak = Math.max(...runs.map((run) => run.vm_hwm_kb / 1024));
  return [name, at(10), at(50), at(100), `${digits(peak)} MiB`, `below ${BACKFILL_MEMORY_GOAL_MIB} MiB`,
    verdict(peak < BACKFILL_MEMORY_GOAL_MIB)];
}

/** A run in which a row is missing has ended bench/backfill, so that these are of complete ones. */
function killsTable() {
  const rows = lines.filter(({ measure }) => measure === 'kills').map((run) =>
    [whole(run.users), run.kills, digits(run.seconds), whole(run.job.counters.seen), run.repeated_pages,
      whole(run.asked.repeated_users)]);
  if (rows.length === 0) return '';
  return table(['users, all there', 'kills', 'seconds with waits for leases', 'seen by the job', 'pages asked for again',
    'users listed again'], rows);
}

function groupOf({ peer, mix, connections }) {
  return `${peer} ${mix} ${connections}`;
}

/** Map.groupBy, which Node 20 lacks. */
function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

function loadsOf(peer, mix, connections) {
  return loads.filter((load) => load.peer === peer && load.mix === mix && load.connections === connections);
}

function median(values) {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

function verdict(reached) {
  return reached ? 'reached' : 'missed';
}

function whole(value) {
  return Math.round(value).toLocaleString('en-US');
}

function digits(value) {
  return value === undefined ? '–' : value.toFixed(value < 10 ? 2 : 1);
}

function table(header, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}
