// Applies one event in one transaction: the message id is recorded, and the user is upserted unless it is older.
import { lt, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { Pool } from 'pg';

import { rowOf, type ClerkEvent } from './clerk';
import { processedEvents, users } from './schema';

export type Outcome = 'applied' | 'stale' | 'duplicate' | 'ignored';

const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_SIZE ?? 16) });
const database = drizzle({ client: pool });

const TYPES = ['user.created', 'user.updated', 'user.deleted'];

export async function applyEvent(messageId: string, event: ClerkEvent): Promise<Outcome> {
  if (!TYPES.includes(event.type)) return 'ignored';
  const { externalId, ...columns } = rowOf(event);
  return database.transaction(async (transaction) => {
    const remembered = await transaction
      .insert(processedEvents)
      .values({ id: messageId, type: event.type })
      .onConflictDoNothing();
    if (remembered.rowCount === 0) return 'duplicate';
    const upserted = await transaction
      .insert(users)
      .values({ externalId, ...columns })
      .onConflictDoUpdate({
        target: users.externalId,
        set: { ...columns, syncedAt: sql`now()` },
        setWhere: lt(users.updatedAt, sql`excluded.updated_at`),
      });
    return upserted.rowCount === 0 ? 'stale' : 'applied';
  });
}
