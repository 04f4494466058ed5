//! SQL text that the statements of this folder share: for both engines the columns of an upsert and
//! its guard (`rank` is the order of [`crate::domain::Version`]), for PostgreSQL also the common
//! parts of its statements.

/// The columns of a change, in the order of [`super::row::Row`]'s fields.
macro_rules! row_columns {
    () => {
        "id, external_id, source_external_id, email, email_lower, email_verified, phone, username, \
         first_name, last_name, name, image_url, role, source_role, plan, source_plan, \
         public_metadata, status, locked_until, version_updated_at, version_projection, \
         version_kind, version_seen_at, version_digest, last_fetched_at, last_sign_in_at, \
         source_created_at, deletion_kind"
    };
}

/// The columns of the batch: `source`, then its time for `created_at`, `updated_at` and
/// `synced_at`, then that time as `deleted_at` where the change is a deletion.
macro_rules! batch_columns {
    () => {
        ", source, created_at, updated_at, synced_at, deleted_at"
    };
}

/// The order of snapshots, as in the domain: the version, and of one version the longer lock. Where
/// both lack a lock the last comparison gives NULL, hence no change.
macro_rules! rank {
    ($row:literal) => {
        rank!($row, concat!($row, ".version_seen_at"))
    };
    ($row:literal, $seen_at:expr) => {
        concat!(
            $row,
            ".version_updated_at, ",
            $row,
            ".version_projection, ",
            $row,
            ".version_kind, ",
            $seen_at,
            ", ",
            $row,
            ".version_digest, ",
            $row,
            ".locked_until IS NOT NULL, ",
            $row,
            ".locked_until"
        )
    };
}

/// The rank of the row that is there. The instant of a fetch that the database's clock has not nearly
/// reached was taken by a wrong one, and counts as never ([`crate::domain::MOST_AHEAD`]). An event
/// and a deletion are dated by no clock of ours.
macro_rules! held_rank {
    (postgres) => {
        rank!(
            "users",
            "CASE WHEN users.version_kind = 2 \
             AND users.version_seen_at > (extract(epoch FROM now()) * 1000)::int8 + 60000 \
             THEN 0 ELSE users.version_seen_at END"
        )
    };
    (sqlite) => {
        rank!(
            "users",
            "CASE WHEN users.version_kind = 2 \
             AND users.version_seen_at > unixepoch() * 1000 + 60000 THEN 0 \
             ELSE users.version_seen_at END"
        )
    };
}

/// Beyond this a last fetch counts as never.
macro_rules! horizon {
    (postgres) => {
        "now() + interval '1 minute'"
    };
    (sqlite) => {
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 minute')"
    };
}

/// Whether a fetch brought what the row holds. The digest covers all that is mapped but the
/// effective role and plan, which configuration may have changed.
macro_rules! unchanged {
    () => {
        "excluded.version_kind = 2 AND users.version_updated_at = excluded.version_updated_at \
         AND users.version_projection = excluded.version_projection \
         AND users.version_digest = excluded.version_digest \
         AND users.role IS NOT DISTINCT FROM COALESCE(users.set_role, excluded.role) \
         AND users.plan IS NOT DISTINCT FROM COALESCE(users.set_plan, excluded.plan)"
    };
}

/// Updates the row of a known user.
///
/// The guard is the order of snapshots, compared in the row's own `WHERE`, so that it holds
/// whatever other writers do at the same moment. A signed deletion has the greatest version, hence
/// needs no clause of its own; it removes overrides, which an absence only hides. The last sign-in
/// and the last fetch only ever rise, apart from a fetch that was dated ahead. A fetch that brings
/// what the row holds raises the version, and leaves the local times alone.
macro_rules! on_conflict {
    ($engine:ident) => {
        concat!(
            " ON CONFLICT (external_id, source) DO UPDATE SET \
         source_external_id = excluded.source_external_id, \
         email = excluded.email, \
         email_lower = excluded.email_lower, \
         email_verified = excluded.email_verified, \
         phone = excluded.phone, \
         username = excluded.username, \
         first_name = excluded.first_name, \
         last_name = excluded.last_name, \
         name = excluded.name, \
         image_url = excluded.image_url, \
         role = CASE WHEN excluded.deletion_kind IS NOT NULL THEN NULL \
             ELSE COALESCE(users.set_role, excluded.role) END, \
         source_role = excluded.source_role, \
         set_role = CASE WHEN excluded.deletion_kind = 'signed' THEN NULL ELSE users.set_role END, \
         plan = CASE WHEN excluded.deletion_kind IS NOT NULL THEN NULL \
             ELSE COALESCE(users.set_plan, excluded.plan) END, \
         source_plan = excluded.source_plan, \
         set_plan = CASE WHEN excluded.deletion_kind = 'signed' THEN NULL ELSE users.set_plan END, \
         public_metadata = excluded.public_metadata, \
         status = excluded.status, \
         locked_until = excluded.locked_until, \
         version_updated_at = excluded.version_updated_at, \
         version_projection = excluded.version_projection, \
         version_kind = excluded.version_kind, \
         version_seen_at = excluded.version_seen_at, \
         version_digest = excluded.version_digest, \
         last_fetched_at = CASE \
             WHEN excluded.deletion_kind = 'signed' THEN NULL \
             WHEN users.last_fetched_at IS NULL OR users.last_fetched_at < excluded.last_fetched_at \
                 OR excluded.last_fetched_at IS NOT NULL \
                     AND users.last_fetched_at > ", horizon!($engine), " \
             THEN excluded.last_fetched_at ELSE users.last_fetched_at END, \
         last_sign_in_at = CASE \
             WHEN excluded.deletion_kind = 'signed' THEN NULL \
             WHEN users.last_sign_in_at IS NULL OR users.last_sign_in_at < excluded.last_sign_in_at \
             THEN excluded.last_sign_in_at ELSE users.last_sign_in_at END, \
         source_created_at = excluded.source_created_at, \
         updated_at = CASE WHEN " , unchanged!(), " THEN users.updated_at ELSE excluded.updated_at END, \
         synced_at = CASE WHEN " , unchanged!(), " THEN users.synced_at ELSE excluded.synced_at END, \
         deleted_at = excluded.deleted_at, \
         deletion_kind = excluded.deletion_kind \
         WHERE (" ,
            held_rank!($engine),
            ") < (",
            rank!("excluded"),
            ")"
        )
    };
}

/// The guarded upsert of `incoming` on PostgreSQL. $1 is the batch's source, $2 its time.
macro_rules! written {
    () => {
        concat!(
            ", written AS (INSERT INTO users (",
            row_columns!(),
            batch_columns!(),
            ") SELECT ",
            row_columns!(),
            ", $1, $2, $2, $2, CASE WHEN deletion_kind IS NOT NULL THEN $2 END FROM incoming",
            on_conflict!(postgres),
            " RETURNING id, external_id, xmax = 0 AS created, updated_at = $2 AS touched, \
             set_role IS NOT NULL OR set_plan IS NOT NULL AS has_override)"
        )
    };
}

/// Enqueues write-backs on PostgreSQL: for users whose snapshot lacks our id or a known role, and
/// for those with an override. One too many costs a look-up, one too few is lost. It is due by the
/// database's clock, as all leases are. After the users and in their order: all writers lock alike.
macro_rules! enqueued {
    () => {
        ", enqueued AS (INSERT INTO write_backs (source, external_id, next_try_at, created_at) \
         SELECT $1, written.external_id, now(), $2 FROM written \
         JOIN incoming ON incoming.external_id = written.external_id \
         WHERE incoming.deletion_kind IS NULL \
             AND (written.has_override OR incoming.acknowledged_id IS DISTINCT FROM written.id) \
         ORDER BY written.external_id \
         ON CONFLICT (external_id, source) DO UPDATE SET state = 'due', \
             next_try_at = LEAST(write_backs.next_try_at, excluded.next_try_at) RETURNING 1)"
    };
}

/// Makes parked write-backs of changed users due on PostgreSQL: their conflict may be gone. An
/// array of ids leaves the planner no choice but the index.
macro_rules! woken {
    () => {
        ", woken AS (UPDATE write_backs SET state = 'due', \
             next_try_at = LEAST(write_backs.next_try_at, now()) \
         WHERE source = $1 AND state <> 'due' AND external_id = ANY (ARRAY( \
             SELECT written.external_id FROM written \
             JOIN incoming ON incoming.external_id = written.external_id \
             WHERE incoming.deletion_kind IS DISTINCT FROM 'signed' \
                 AND (incoming.deletion_kind IS NOT NULL \
                     OR NOT written.has_override AND incoming.acknowledged_id = written.id))) RETURNING 1)"
    };
}

pub(super) use {
    batch_columns, enqueued, held_rank, horizon, on_conflict, rank, row_columns, unchanged, woken,
    written,
};

#[cfg(test)]
mod tests {
    use crate::domain::MOST_AHEAD;

    #[test]
    fn the_guard_believes_as_far_ahead_as_the_domain() {
        let (milliseconds, minutes) = (MOST_AHEAD.as_millis(), MOST_AHEAD.as_secs() / 60);
        for guard in [held_rank!(postgres), held_rank!(sqlite)] {
            assert!(guard.contains(&format!("+ {milliseconds} ")), "{guard}");
        }
        for horizon in [horizon!(postgres), horizon!(sqlite)] {
            assert!(horizon.contains(&format!("{minutes} minute'")), "{horizon}");
        }
    }
}
