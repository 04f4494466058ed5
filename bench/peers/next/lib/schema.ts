// The tables of the Next.js peer, in drizzle's words. bench/run makes them by peers/schema.sql.
import { bigint, boolean, index, jsonb, pgSchema, text, timestamp, uuid } from 'drizzle-orm/pg-core';

const schema = pgSchema('bench_next');

const time = (name: string) => timestamp(name, { withTimezone: true });

export const users = schema.table(
  'users',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    externalId: text('external_id').notNull().unique(),
    email: text('email'),
    emailLower: text('email_lower'),
    emailVerified: boolean('email_verified').notNull(),
    phone: text('phone'),
    username: text('username'),
    firstName: text('first_name'),
    lastName: text('last_name'),
    name: text('name'),
    imageUrl: text('image_url'),
    role: text('role'),
    publicMetadata: jsonb('public_metadata').notNull(),
    status: text('status').notNull(),
    updatedAt: bigint('updated_at', { mode: 'bigint' }).notNull(),
    lastSignInAt: time('last_sign_in_at'),
    sourceCreatedAt: time('source_created_at'),
    createdAt: time('created_at').notNull().defaultNow(),
    syncedAt: time('synced_at').notNull().defaultNow(),
  },
  (table) => [index('users_email_lower').on(table.emailLower)],
);

export const processedEvents = schema.table('processed_events', {
  id: text('id').primaryKey(),
  type: text('type').notNull(),
  receivedAt: time('received_at').notNull().defaultNow(),
});
