// The fastify peer of the measurements: receives Clerk webhooks, verifies them with svix and applies each in one
// PostgreSQL transaction before it answers. Environment: PORT, DATABASE_URL, CLERK_WEBHOOK_SIGNING_SECRET, and
// optionally POOL_SIZE and PIPELINE=1 (the statements of an event in one round trip).
import Fastify from 'fastify';
import { Webhook } from 'svix';

import { rowOf } from './profile.mjs';
import { openStore } from './store.mjs';

const TYPES = new Set(['user.created', 'user.updated', 'user.deleted']);
const ANSWER = { schema: { response: { 200: { type: 'object', properties: { outcome: { type: 'string' } } } } } };

const webhook = new Webhook(required('CLERK_WEBHOOK_SIGNING_SECRET'));
const store = openStore({
  databaseUrl: required('DATABASE_URL'),
  poolSize: Number(process.env.POOL_SIZE ?? 16),
  pipelined: process.env.PIPELINE === '1',
});

const app = Fastify({ logger: false });

// The signature covers the bytes as they were sent, so the body is not parsed before it is verified.
app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

app.post('/webhooks/clerk', ANSWER, async (request, reply) => {
  const event = verified(request);
  if (event === undefined) return reply.code(400).send({ error: 'bad signature' });
  if (!TYPES.has(event.type)) return { outcome: 'ignored' };
  return { outcome: await store.apply(request.headers['svix-id'], event.type, rowOf(event)) };
});

app.get('/readyz', () => ({ status: 'ok' }));

function verified({ body, headers }) {
  try {
    return webhook.verify(body.toString(), headers);
  } catch {
    return undefined;
  }
}

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}`);
  return value;
}

async function stop() {
  await app.close();
  await store.close();
  process.exit(0);
}

process.once('SIGTERM', stop);
process.once('SIGINT', stop);

await app.listen({ host: '127.0.0.1', port: Number(required('PORT')) });
