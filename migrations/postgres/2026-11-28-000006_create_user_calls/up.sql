-- Calls of the provider about one user, over all replicas: it limits them, and what does not last is
-- not to be written again and again. Instants are milliseconds since 1970, oldest first.
CREATE TABLE user_calls (
    source text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    -- The last ten calls, for the provider's limit.
    calls jsonb NOT NULL DEFAULT '[]',
    -- The last writes of metadata, for the pause between them.
    patches jsonb NOT NULL DEFAULT '[]',
    -- Until when any of it matters.
    kept_until timestamptz NOT NULL,
    PRIMARY KEY (external_id, source)
);
CREATE INDEX user_calls_kept_until ON user_calls (kept_until);
