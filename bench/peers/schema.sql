-- The tables of a Node peer, made by bench/run in the schema `peer`. As drizzle names them: next/lib/schema.ts.
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS :peer;
SET search_path = :peer;
CREATE TABLE IF NOT EXISTS users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    external_id text NOT NULL UNIQUE,
    email text,
    email_lower text,
    email_verified boolean NOT NULL,
    phone text,
    username text,
    first_name text,
    last_name text,
    name text,
    image_url text,
    role text,
    public_metadata jsonb NOT NULL,
    status text NOT NULL,
    updated_at bigint NOT NULL,
    last_sign_in_at timestamptz,
    source_created_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    synced_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS users_email_lower ON users (email_lower);
CREATE TABLE IF NOT EXISTS processed_events (
    id text PRIMARY KEY,
    type text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
