-- Calls of the provider: write-backs, the budget of requests, the pinned instance, and absent users.

-- The outbox of write-backs, one row a user. What is sent is decided then, from the user's row.
CREATE TABLE write_backs (
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    -- `due`, or why it is parked: `conflict_id`, `conflict_role`, `rejected`, `held_back`.
    state TEXT NOT NULL DEFAULT 'due',
    -- An operator lets our values replace those that are there.
    take_over INTEGER NOT NULL DEFAULT 0,
    -- When an operator set a role or plan that the provider has not acknowledged.
    override_at TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_try_at TEXT NOT NULL,
    -- Raised by every claim; a worker with an older one has lost the lease.
    fence INTEGER NOT NULL DEFAULT 0,
    leased_until TEXT,
    -- A call may have been sent whose answer was never seen: look before sending again.
    outcome_unknown INTEGER NOT NULL DEFAULT 0,
    last_error TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (external_id, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX write_backs_due ON write_backs (next_try_at) WHERE state = 'due';

-- Requests to the provider's API of the last ten seconds, over all replicas, by half seconds
-- counted from 1970.
CREATE TABLE api_budgets (
    source TEXT NOT NULL,
    slot INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    PRIMARY KEY (source, slot)
) STRICT, WITHOUT ROWID;

-- The one instance of the provider that this table belongs to, once its key has proven it.
CREATE TABLE pinned_instances (
    source TEXT NOT NULL PRIMARY KEY,
    instance_id TEXT NOT NULL,
    pinned_at TEXT NOT NULL
) STRICT;

-- Users that two look-ups did not find: `emptied`, or `held_back` by the mass-delete limit.
CREATE TABLE absences (
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    state TEXT NOT NULL,
    found_at TEXT NOT NULL,
    PRIMARY KEY (external_id, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX absences_found_at ON absences (found_at);
