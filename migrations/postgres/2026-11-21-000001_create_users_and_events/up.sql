-- Users, the record of deliveries, and the quarantine.
--
-- Ids compare by bytes (collation "C"): the same order as on SQLite, and cheaper than a
-- locale's. Names are unqualified: the connection's search_path chooses the schema. There
-- are no check constraints on `users`: PostgreSQL reads their text anew for every statement,
-- which costs more than a small batch; the service's types allow nothing else.

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
    status text NOT NULL,
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
    deletion_kind text,
    -- The id leads, because look-ups know it and the source is nearly always the same.
    UNIQUE (external_id, source)
);
CREATE INDEX users_email_lower ON users (email_lower);

-- The planner's statistics would keep samples of personal data after a deletion.
ALTER TABLE users
    ALTER COLUMN source_external_id SET STATISTICS 0,
    ALTER COLUMN email SET STATISTICS 0,
    ALTER COLUMN email_lower SET STATISTICS 0,
    ALTER COLUMN phone SET STATISTICS 0,
    ALTER COLUMN username SET STATISTICS 0,
    ALTER COLUMN first_name SET STATISTICS 0,
    ALTER COLUMN last_name SET STATISTICS 0,
    ALTER COLUMN name SET STATISTICS 0,
    ALTER COLUMN image_url SET STATISTICS 0,
    ALTER COLUMN public_metadata SET STATISTICS 0;

-- What became of each message. No payload.
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
-- Rows arrive in this order, so block ranges find the old ones at almost no cost to a write.
CREATE INDEX webhook_events_received_at ON webhook_events USING brin (received_at);

-- Genuine deliveries that could not be applied, kept for a replay.
CREATE TABLE quarantine (
    source text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    type text NOT NULL,
    reason text NOT NULL,
    path text,
    body bytea NOT NULL,
    size_bytes bigint NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (message_id, source)
);
ALTER TABLE quarantine ALTER COLUMN body SET STATISTICS 0;

-- The users that a quarantined body concerns: their deletion erases it.
CREATE TABLE quarantine_subjects (
    source text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    PRIMARY KEY (subject, message_id, source),
    FOREIGN KEY (message_id, source) REFERENCES quarantine (message_id, source) ON DELETE CASCADE
);
CREATE INDEX quarantine_subjects_message ON quarantine_subjects (message_id, source);

-- The stable contract for applications that read by SQL: live users only. Columns are
-- added at the end, never renamed.
CREATE VIEW users_live AS
SELECT
    id,
    source,
    external_id,
    source_external_id,
    email,
    email_verified,
    phone,
    username,
    first_name,
    last_name,
    name,
    image_url,
    role,
    plan,
    public_metadata,
    status,
    last_sign_in_at,
    source_created_at,
    -- In whole seconds first: a double does not hold every millisecond.
    CASE WHEN version_updated_at <> 0
        THEN to_timestamp(version_updated_at / 1000)
            + (version_updated_at % 1000) * interval '1 millisecond' END
        AS source_updated_at,
    created_at,
    updated_at,
    synced_at
FROM users
WHERE status <> 'deleted';
