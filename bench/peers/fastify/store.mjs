// The pool of the fastify peer and the one transaction of an event. Called by server.mjs; bench/run makes the tables.
import pg from 'pg';

const REMEMBER = {
  name: 'remember',
  text: 'insert into bench_fastify.processed_events (id, type) values ($1, $2) on conflict do nothing',
};

const UPSERT = {
  name: 'upsert',
  text: `
    insert into bench_fastify.users (
      external_id, email, email_lower, email_verified, phone, username, first_name, last_name, name,
      image_url, role, public_metadata, status, updated_at, last_sign_in_at, source_created_at
    ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    on conflict (external_id) do update set
      email = excluded.email, email_lower = excluded.email_lower, email_verified = excluded.email_verified,
      phone = excluded.phone, username = excluded.username, first_name = excluded.first_name,
      last_name = excluded.last_name, name = excluded.name, image_url = excluded.image_url, role = excluded.role,
      public_metadata = excluded.public_metadata, status = excluded.status, updated_at = excluded.updated_at,
      last_sign_in_at = excluded.last_sign_in_at, source_created_at = excluded.source_created_at, synced_at = now()
    where users.updated_at < excluded.updated_at`,
};

/** Opens the pool. With `pipelined` an event costs one round trip. */
export function openStore({ databaseUrl, poolSize, pipelined }) {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: poolSize, pipeline: pipelined });
  const transaction = pipelined ? inOneRoundTrip : oneByOne;
  return {
    apply: (messageId, type, row) => withClient(pool, (client) => transaction(client, messageId, type, row)),
    close: () => pool.end(),
  };
}

async function withClient(pool, work) {
  const client = await pool.connect();
  let failure;
  try {
    return await work(client);
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    // A client that failed is closed, which also rolls back.
    client.release(failure);
  }
}

/** The usual form: each statement waits for the one before it. */
async function oneByOne(client, messageId, type, row) {
  await client.query('begin');
  const remembered = await client.query({ ...REMEMBER, values: [messageId, type] });
  const upserted = await client.query({ ...UPSERT, values: Object.values(row) });
  await client.query('commit');
  return outcomeOf(remembered, upserted);
}

/** All four statements are written at once. If one fails, those behind it fail too and the commit rolls back. */
async function inOneRoundTrip(client, messageId, type, row) {
  const results = await Promise.allSettled([
    client.query('begin'),
    client.query({ ...REMEMBER, values: [messageId, type] }),
    client.query({ ...UPSERT, values: Object.values(row) }),
    client.query('commit'),
  ]);
  const failed = results.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  return outcomeOf(results[1].value, results[2].value);
}

function outcomeOf(remembered, upserted) {
  if (remembered.rowCount === 0) return 'duplicate';
  return upserted.rowCount === 0 ? 'stale' : 'applied';
}
