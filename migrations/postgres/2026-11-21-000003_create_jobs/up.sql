-- Jobs: long work on all users, which any replica can go on with; and what is to be done at times.

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
    -- Where the job stands, committed with the work up to there.
    cursor jsonb,
    -- What a job that changes nothing has to tell; ids only.
    report jsonb,
    error text,
    -- Raised by every claim; whoever holds an older one has lost the lease.
    fence bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz
);
-- One active job a kind.
CREATE UNIQUE INDEX jobs_active ON jobs (source, kind) WHERE state IN ('queued', 'running');

-- Users about whom a job has to say or do something once all pages are read.
CREATE TABLE job_candidates (
    job_id text COLLATE "C" NOT NULL,
    -- `extra`, `missing`, `stale`, `conflict` or `unerased`.
    drift_kind text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    -- When the row was last written, so that one written since is known.
    row_synced_at timestamptz,
    -- Of an extra user: where the row stood when the second look-up, sent at `looked_at`, found nobody.
    row_updated_at bigint,
    row_projection smallint,
    looked_at bigint,
    PRIMARY KEY (job_id, drift_kind, external_id)
);

-- Work that comes again and again, done by one replica at a time: when it is due, who is at it,
-- and what the next one has to know.
CREATE TABLE leases (
    name text COLLATE "C" PRIMARY KEY,
    due_at timestamptz NOT NULL,
    fence bigint NOT NULL DEFAULT 0,
    leased_until timestamptz,
    state jsonb NOT NULL
);

-- Live rows by when the provider created their users: jobs compare each page with its part of it.
CREATE INDEX users_source_created_at ON users (source_created_at) WHERE status <> 'deleted';
-- Rows without a user, to see that nothing personal is left in them.
CREATE INDEX users_deleted ON users (external_id) WHERE status = 'deleted';

-- What is due, in one order for those who look ahead and those who claim: a page of users is noted in
-- one instant.
DROP INDEX write_backs_due;
CREATE INDEX write_backs_due ON write_backs (next_try_at, external_id) WHERE state = 'due';
