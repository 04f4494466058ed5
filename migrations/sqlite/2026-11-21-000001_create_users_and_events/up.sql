-- Users, the record of deliveries, and the quarantine.
--
-- Times are RFC 3339 UTC text with milliseconds, JSON is text, booleans are 0 and 1.

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    source_external_id TEXT,
    email TEXT,
    email_lower TEXT,
    email_verified INTEGER NOT NULL DEFAULT 0,
    phone TEXT,
    username TEXT,
    first_name TEXT,
    last_name TEXT,
    name TEXT,
    image_url TEXT,
    role TEXT,
    source_role TEXT,
    set_role TEXT,
    plan TEXT,
    source_plan TEXT,
    set_plan TEXT,
    public_metadata TEXT NOT NULL DEFAULT '{}',
    status TEXT NOT NULL,
    locked_until TEXT,
    version_updated_at INTEGER NOT NULL,
    version_projection INTEGER NOT NULL,
    version_kind INTEGER NOT NULL,
    version_seen_at INTEGER NOT NULL,
    version_digest BLOB NOT NULL,
    last_fetched_at TEXT,
    last_sign_in_at TEXT,
    source_created_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    synced_at TEXT NOT NULL,
    deleted_at TEXT,
    deletion_kind TEXT,
    UNIQUE (external_id, source)
) STRICT;
CREATE INDEX users_email_lower ON users (email_lower);

-- What became of each message. No payload.
CREATE TABLE webhook_events (
    source TEXT NOT NULL,
    message_id TEXT NOT NULL,
    type TEXT NOT NULL,
    external_id TEXT,
    outcome TEXT NOT NULL,
    reason TEXT,
    received_at TEXT NOT NULL,
    PRIMARY KEY (message_id, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_events_received_at ON webhook_events (received_at);

-- Genuine deliveries that could not be applied, kept for a replay.
CREATE TABLE quarantine (
    source TEXT NOT NULL,
    message_id TEXT NOT NULL,
    type TEXT NOT NULL,
    reason TEXT NOT NULL,
    path TEXT,
    body BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    received_at TEXT NOT NULL,
    PRIMARY KEY (message_id, source)
) STRICT;

-- The users that a quarantined body concerns: their deletion erases it.
CREATE TABLE quarantine_subjects (
    source TEXT NOT NULL,
    message_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (subject, message_id, source),
    FOREIGN KEY (message_id, source) REFERENCES quarantine (message_id, source) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
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
    CASE WHEN version_updated_at <> 0
        THEN strftime('%Y-%m-%dT%H:%M:%fZ', version_updated_at / 1000.0, 'unixepoch') END
        AS source_updated_at,
    created_at,
    updated_at,
    synced_at
FROM users
WHERE status <> 'deleted';
