-- Jobs: long work on all users, which any replica can continue; and recurring work.

CREATE TABLE jobs (
    id text COLLATE "C" PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    -- `backfill`, `reconcile` or `drift`.
    kind text NOT NULL,
    dry_run boolean NOT NULL,
    -- An operator lifts the mass-delete limit on absences.
    allow_mass_delete boolean NOT NULL,
    -- `queued`, `running`, `succeeded`, `failed`, `cancelled` or `blocked`.
    state text NOT NULL DEFAULT 'queued',
    -- How many users the provider counts.
    expected bigint,
    counters jsonb NOT NULL,
    -- Where to continue, committed with the work up to there.
    cursor jsonb,
    -- What a job that changes nothing reports; ids only.
    report jsonb,
    error text,
    -- Raised by every claim; a worker with an older one has lost the lease.
    fence bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz
);
-- One active job a kind.
CREATE UNIQUE INDEX jobs_active ON jobs (source, kind) WHERE state IN ('queued', 'running');

-- Users that a job checks again once all pages are read.
CREATE TABLE job_candidates (
    job_id text COLLATE "C" NOT NULL,
    -- `extra`, `missing`, `stale`, `conflict` or `unerased`.
    drift_kind text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    -- When the row was last written, so that one written since is known.
    row_synced_at timestamptz,
    -- Of an orphan: the row's version when the second look-up, sent at `looked_at`, did not find its user.
    row_updated_at bigint,
    row_projection smallint,
    looked_at bigint,
    PRIMARY KEY (job_id, drift_kind, external_id)
);

-- Recurring work, done by one replica at a time: when it is due, its lease, and what the next run
-- has to know.
CREATE TABLE leases (
    name text COLLATE "C" PRIMARY KEY,
    due_at timestamptz NOT NULL,
    fence bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    state jsonb NOT NULL
);

-- What is due, in one order for prefetching and claiming: a page of users is enqueued in one instant.
DROP INDEX write_backs_due;
CREATE INDEX write_backs_due ON write_backs (next_try_at, external_id) WHERE state = 'due';
