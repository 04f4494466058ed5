// Creates the tables of lib/schema.ts where they are missing. Run once before `next start`. Environment: DATABASE_URL.
import pg from 'pg';

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
await client.query(`
  create schema if not exists bench_next;
  create table if not exists bench_next.users (
    id uuid primary key default gen_random_uuid(),
    external_id text not null unique,
    email text,
    email_lower text,
    email_verified boolean not null,
    phone text,
    username text,
    first_name text,
    last_name text,
    name text,
    image_url text,
    role text,
    public_metadata jsonb not null,
    status text not null,
    updated_at bigint not null,
    last_sign_in_at timestamptz,
    source_created_at timestamptz,
    created_at timestamptz not null default now(),
    synced_at timestamptz not null default now()
  );
  create index if not exists users_email_lower on bench_next.users (email_lower);
  create table if not exists bench_next.processed_events (
    id text primary key,
    type text not null,
    received_at timestamptz not null default now()
  );
`);
await client.end();
