-- Calls of the provider about one user, over all replicas: it limits them, and what does not last is
-- not to be written again and again. Instants are milliseconds since 1970, oldest first.
CREATE TABLE user_calls (
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    -- The last ten calls, for the provider's limit.
    calls TEXT NOT NULL DEFAULT '[]',
    -- The last writes of metadata, for the pause between them.
    patches TEXT NOT NULL DEFAULT '[]',
    -- Until when any of it matters.
    kept_until TEXT NOT NULL,
    PRIMARY KEY (external_id, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_calls_kept_until ON user_calls (kept_until);
