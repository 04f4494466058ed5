-- Jobs: long work on all users, which any replica can continue; and recurring work.

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    -- `backfill`, `reconcile` or `drift`.
    kind TEXT NOT NULL,
    dry_run INTEGER NOT NULL,
    -- An operator lifts the mass-delete limit on absences.
    allow_mass_delete INTEGER NOT NULL,
    -- `queued`, `running`, `succeeded`, `failed`, `cancelled` or `blocked`.
    state TEXT NOT NULL DEFAULT 'queued',
    -- How many users the provider counts.
    expected INTEGER,
    counters TEXT NOT NULL,
    -- Where to continue, committed with the work up to there.
    cursor TEXT,
    -- What a job that changes nothing reports; ids only.
    report TEXT,
    error TEXT,
    -- Raised by every claim; a worker with an older one has lost the lease.
    fence INTEGER NOT NULL DEFAULT 0,
    leased_until TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT
) STRICT;
-- One active job a kind.
CREATE UNIQUE INDEX jobs_active ON jobs (source, kind) WHERE state IN ('queued', 'running');

-- Users that a job checks again once all pages are read.
CREATE TABLE job_candidates (
    job_id TEXT NOT NULL,
    -- `extra`, `missing`, `stale`, `conflict` or `unerased`.
    drift_kind TEXT NOT NULL,
    external_id TEXT NOT NULL,
    -- When the row was last written, so that one written since is known.
    row_synced_at TEXT,
    -- Of an orphan: the row's version when the second look-up, sent at `looked_at`, did not find its user.
    row_updated_at INTEGER,
    row_projection INTEGER,
    looked_at INTEGER,
    PRIMARY KEY (job_id, drift_kind, external_id)
) STRICT, WITHOUT ROWID;

-- Recurring work, done by one replica at a time: when it is due, its lease, and what the next run
-- has to know.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    due_at TEXT NOT NULL,
    fence INTEGER NOT NULL DEFAULT 0,
    leased_until TEXT,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What is due, in one order for prefetching and claiming: a page of users is enqueued in one instant.
DROP INDEX write_backs_due;
CREATE INDEX write_backs_due ON write_backs (next_try_at, external_id) WHERE state = 'due';
