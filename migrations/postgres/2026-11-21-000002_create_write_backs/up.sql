-- Calls of the provider: write-backs, the budget of requests, the pinned instance, and absent users.

-- The outbox of write-backs, one row a user. What is sent is decided then, from the user's row.
CREATE TABLE write_backs (
    source text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    -- `due`, or why it is parked: `conflict_id`, `conflict_role`, `rejected`, `held_back`.
    state text NOT NULL DEFAULT 'due',
    -- An operator lets our values replace those that are there.
    take_over boolean NOT NULL DEFAULT false,
    -- When an operator set a role or plan that the provider has not acknowledged.
    override_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL,
    -- Raised by every claim; a worker with an older one has lost the lease.
    fence bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    -- A call may have been sent whose answer was never seen: look before sending again.
    outcome_unknown boolean NOT NULL DEFAULT false,
    last_error text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (external_id, source)
);
CREATE INDEX write_backs_due ON write_backs (next_try_at) WHERE state = 'due';

-- Requests to the provider's API of the last ten seconds, over all replicas, by half seconds
-- counted from 1970.
CREATE TABLE api_budgets (
    source text COLLATE "C" NOT NULL,
    slot bigint NOT NULL,
    taken bigint NOT NULL,
    PRIMARY KEY (source, slot)
);

-- The one instance of the provider that this table belongs to, once its key has proven it.
CREATE TABLE pinned_instances (
    source text COLLATE "C" PRIMARY KEY,
    instance_id text NOT NULL,
    pinned_at timestamptz NOT NULL
);

-- Users that two look-ups did not find: `emptied`, or `held_back` by the mass-delete limit.
CREATE TABLE absences (
    source text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    state text NOT NULL,
    found_at timestamptz NOT NULL,
    PRIMARY KEY (external_id, source)
);
CREATE INDEX absences_found_at ON absences (found_at);
