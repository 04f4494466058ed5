-- The tables that the pgbench scripts write: the columns, types and indexes of usersync's own users and
-- webhook_events (migrations/postgres), in a schema of their own, empty.

SET client_min_messages = warning;
DROP SCHEMA IF EXISTS bench_pgbench CASCADE;
CREATE SCHEMA bench_pgbench;
SET search_path = bench_pgbench;

CREATE TABLE users (
    id text COLLATE "C" PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    source_external_id text,
    email text,
    email_lower text COLLATE "C",
    email_verified boolean NOT NULL DEFAULT false,
    phone text,
    username text,
    first_name text,
    last_name text,
    name text,
    image_url text,
    role text,
    source_role text,
    set_role text,
    plan text,
    source_plan text,
    set_plan text,
    public_metadata jsonb NOT NULL DEFAULT '{}',
    status text NOT NULL CHECK (status IN ('active', 'banned', 'locked', 'deleted')),
    locked_until timestamptz,
    version_updated_at bigint NOT NULL,
    version_projection smallint NOT NULL,
    version_kind smallint NOT NULL,
    version_seen_at bigint NOT NULL,
    version_digest bytea NOT NULL,
    last_fetched_at timestamptz,
    last_sign_in_at timestamptz,
    source_created_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    synced_at timestamptz NOT NULL,
    deleted_at timestamptz,
    deletion_kind text CHECK (deletion_kind IN ('signed', 'absent')),
    UNIQUE (external_id, source)
);
CREATE INDEX users_email_lower ON users (email_lower);

CREATE TABLE webhook_events (
    source text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    type text NOT NULL,
    external_id text COLLATE "C",
    outcome text NOT NULL,
    reason text,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (message_id, source)
);
CREATE INDEX webhook_events_received_at ON webhook_events USING brin (received_at);
