//! The SQL statement by which PostgreSQL commits a batch, and the shorter one of fetched snapshots.
//!
//! Built and run by [`super::postgres`]. Arrays carry the rows, so the text never changes and
//! diesel keeps the prepared statement (the types have a static `QueryId`; without it every batch
//! would be planned anew). Parts of one statement all see the state before it: `written` is what
//! the guarded upsert changed, `known` the row where it changed nothing. A user in neither was
//! committed by another replica in between.

use super::Batch;
use super::row::{Deliveries, Rows};
use super::sql::{
    batch_columns, enqueued, held_rank, horizon, on_conflict, rank, row_columns, unchanged, woken,
    written,
};
use crate::store::types::UtcColumn;
use diesel::QueryResult;
use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::RunQueryDsl;
use diesel::sql_types::{Array, BigInt, Bool, Nullable, SmallInt, Text};

/// The statement of deliveries. `ERASES`: also deletes quarantined bodies and write-backs of
/// deleted users. `ENQUEUES`: also enqueues write-backs.
pub(super) struct DeliveryStatement<'a, const ERASES: bool, const ENQUEUES: bool> {
    pub(super) batch: &'a Batch<'a>,
    pub(super) rows: &'a Rows<'a>,
    pub(super) deliveries: &'a Deliveries<'a>,
    pub(super) acknowledged_ids: &'a [Option<&'a str>],
}

impl<const ERASES: bool, const ENQUEUES: bool> QueryId for DeliveryStatement<'_, ERASES, ENQUEUES> {
    type QueryId = DeliveryStatement<'static, ERASES, ENQUEUES>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const ERASES: bool, const ENQUEUES: bool> Query for DeliveryStatement<'_, ERASES, ENQUEUES> {
    type SqlType = (BigInt, Nullable<Text>, SmallInt, Bool, Bool);
}

impl<const ERASES: bool, const ENQUEUES: bool> RunQueryDsl<PgConnection>
    for DeliveryStatement<'_, ERASES, ENQUEUES>
{
}

/// The beginning of both statements: the batch's source and time as $1 and $2, the rows as a table,
/// the guarded upsert, and with `ENQUEUES` the write-backs.
fn upsert<'b, const ENQUEUES: bool>(
    batch: &'b Batch<'_>,
    rows: &'b Rows<'_>,
    acknowledged_ids: &'b [Option<&str>],
    mut out: AstPass<'_, 'b, Pg>,
) -> QueryResult<()> {
    out.push_sql("WITH batch AS (SELECT ");
    out.push_bind_param::<Text, _>(&batch.source)?;
    out.push_sql("::text, ");
    out.push_bind_param::<UtcColumn, _>(&batch.now)?;
    out.push_sql("::timestamptz), incoming AS (SELECT * FROM unnest(");
    rows.bind(out.reborrow())?;
    if ENQUEUES {
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(acknowledged_ids)?;
    }
    out.push_sql(concat!(") WITH ORDINALITY AS incoming (", row_columns!()));
    out.push_sql(if ENQUEUES { ", acknowledged_id, place))" } else { ", place))" });
    out.push_sql(written!());
    if ENQUEUES {
        out.push_sql(enqueued!());
        out.push_sql(woken!());
    }
    Ok(())
}

/// Deletes quarantined bodies of users whose deletion is in the batch; [`AFTER_ERASED`] makes it
/// come before the events are recorded: the order in which all writers lock.
const ERASED: &str = ", erased AS (DELETE FROM quarantine USING quarantine_subjects AS subjects \
    WHERE subjects.source = $1 AND subjects.subject IN \
        (SELECT external_id FROM incoming WHERE deletion_kind = 'signed') \
    AND (SELECT count(*) FROM cancelled) >= 0 \
    AND quarantine.message_id = subjects.message_id AND quarantine.source = subjects.source \
    RETURNING 1)";
const AFTER_ERASED: &str = " CROSS JOIN (SELECT count(*) FROM erased) AS erasure";

/// Deletes write-backs of users whose deletion is in the batch. Reading `written` first, as
/// [`ERASED`] reads this, locks in the common order: users, write-backs, quarantine. An array of
/// ids leaves the planner no choice but the index; see [`FACTS`].
const CANCELLED: &str = ", cancelled AS (DELETE FROM write_backs WHERE source = $1 \
    AND (SELECT count(*) FROM written) >= 0 \
    AND external_id = ANY (ARRAY(SELECT external_id FROM incoming \
        WHERE deletion_kind = 'signed')) RETURNING 1)";
const AFTER_ENQUEUED: &str = " CROSS JOIN (SELECT count(*) FROM enqueued) AS enqueueing \
    CROSS JOIN (SELECT count(*) FROM woken) AS waking";
const AFTER_CANCELLED: &str = " CROSS JOIN (SELECT count(*) FROM cancelled) AS cancelling";

/// Decides each delivery's outcome, as an index into `postgres::OUTCOMES`: 1 applied, 2 superseded,
/// 3 absent, 4 tombstoned, 5 ignored for its type, 6 ignored as another instance's. A disposition
/// of 0 or 1 is an ignored delivery's, 2 the winner's, 3 that of a superseded one, 4 that of one
/// whose user is deleted in the batch.
const DECIDED: &str = ", decided AS (SELECT delivered.place, delivered.message_id, delivered.event_type, \
    incoming.external_id, COALESCE(written.id, known.id) AS user_id, \
    COALESCE(delivered.disposition = 2 AND known.newer_sign_in, false) AS newer_sign_in, \
    (CASE WHEN delivered.disposition < 2 THEN 5 + delivered.disposition \
        WHEN known.deletion_kind = 'signed' OR delivered.disposition = 4 THEN 4 \
        WHEN written.id IS NOT NULL AND delivered.disposition = 2 THEN 1 \
        WHEN known.deletion_kind = 'absent' THEN 3 \
        ELSE 2 END)::int2 AS outcome_number \
    FROM unnest(";

/// The rows that decide. A user whose row was not changed is looked up as it was before:
/// `not_older` where the guard refused it. The sub-select with its `LIMIT` leaves the planner no
/// choice but to probe the index for each such user; a join, planned while the table was empty,
/// would read the whole table ever after.
const FACTS: &str = concat!(
    ") AS delivered (place, message_id, event_type, user_place, disposition) \
    LEFT JOIN incoming ON incoming.place = delivered.user_place \
    LEFT JOIN written ON written.external_id = incoming.external_id \
    LEFT JOIN LATERAL (SELECT users.id, users.deletion_kind, ((",
    held_rank!(postgres),
    ") < (",
    rank!("incoming"),
    ")) IS NOT TRUE AS not_older, \
    users.deletion_kind IS DISTINCT FROM 'signed' AND COALESCE( \
        users.last_sign_in_at < incoming.last_sign_in_at, \
        incoming.last_sign_in_at IS NOT NULL) AS newer_sign_in \
    FROM users WHERE written.id IS NULL AND users.external_id = incoming.external_id \
        AND users.source = $1 LIMIT 1) AS known ON true"
);

/// Leaves out a delivery whose user another replica committed meanwhile. In the order of message
/// ids, so that all writers lock alike.
const VISIBLE: &str = " WHERE delivered.disposition < 2 OR written.id IS NOT NULL OR known.not_older \
    ORDER BY delivered.message_id)";

/// Records each delivery under its message id. Where the id has an outcome other than quarantined
/// or ignored it is a duplicate, and no row is returned for it. `xmax` is zero for a new row only.
const RECORDED: &str = ", recorded AS (INSERT INTO webhook_events \
    (source, message_id, type, external_id, outcome, reason, received_at) \
    SELECT $1, message_id, event_type, external_id, \
    (ARRAY['applied', 'stale', 'stale', 'tombstoned', 'ignored', 'ignored'])[outcome_number], \
    (ARRAY[NULL, 'superseded', 'absent', NULL, 'event_type', 'wrong_instance'])[outcome_number], $2 \
    FROM decided \
    ON CONFLICT (message_id, source) DO UPDATE SET type = excluded.type, \
        external_id = excluded.external_id, outcome = excluded.outcome, \
        reason = excluded.reason, received_at = excluded.received_at \
        WHERE webhook_events.outcome IN ('quarantined', 'ignored') \
    RETURNING message_id, xmax <> 0 AS retried) \
    SELECT decided.place, decided.user_id, \
    CASE WHEN recorded.message_id IS NULL THEN 0::int2 ELSE decided.outcome_number END, \
    COALESCE(recorded.retried, false), decided.newer_sign_in \
    FROM decided LEFT JOIN recorded ON recorded.message_id = decided.message_id";

impl<const ERASES: bool, const ENQUEUES: bool> QueryFragment<Pg>
    for DeliveryStatement<'_, ERASES, ENQUEUES>
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        upsert::<ENQUEUES>(self.batch, self.rows, self.acknowledged_ids, out.reborrow())?;
        if ERASES {
            out.push_sql(CANCELLED);
            out.push_sql(ERASED);
        }
        out.push_sql(DECIDED);
        self.deliveries.bind(out.reborrow())?;
        out.push_sql(FACTS);
        if ENQUEUES {
            out.push_sql(AFTER_ENQUEUED);
        }
        if ERASES {
            out.push_sql(AFTER_CANCELLED);
            out.push_sql(AFTER_ERASED);
        }
        out.push_sql(VISIBLE);
        out.push_sql(RECORDED);
        Ok(())
    }
}

/// The statement of fetched snapshots: the same guarded upsert, but one answer a user.
pub(super) struct SnapshotStatement<'a, const ENQUEUES: bool> {
    pub(super) batch: &'a Batch<'a>,
    pub(super) rows: &'a Rows<'a>,
    pub(super) acknowledged_ids: &'a [Option<&'a str>],
}

impl<const ENQUEUES: bool> QueryId for SnapshotStatement<'_, ENQUEUES> {
    type QueryId = SnapshotStatement<'static, ENQUEUES>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const ENQUEUES: bool> Query for SnapshotStatement<'_, ENQUEUES> {
    type SqlType = (BigInt, Text, SmallInt);
}

impl<const ENQUEUES: bool> RunQueryDsl<PgConnection> for SnapshotStatement<'_, ENQUEUES> {}

/// One row a user: its place from one, its id, and its outcome as an index into
/// `postgres::UPSERT_OUTCOMES`: 0 created, 1 updated, 2 unchanged, 3 superseded, 4 absent, 5
/// tombstoned. Leaves out a user that another replica committed meanwhile: this
/// statement does not see such a row.
const USER_RESULTS: &str = concat!(
    " SELECT incoming.place, COALESCE(written.id, known.id), \
    (CASE WHEN written.created THEN 0 WHEN written.touched THEN 1 \
        WHEN written.id IS NOT NULL THEN 2 \
        WHEN known.deletion_kind = 'signed' THEN 5 WHEN known.deletion_kind = 'absent' THEN 4 \
        ELSE 3 END)::int2 \
    FROM incoming LEFT JOIN written ON written.external_id = incoming.external_id \
    LEFT JOIN LATERAL (SELECT users.id, users.deletion_kind, ((",
    held_rank!(postgres),
    ") < (",
    rank!("incoming"),
    ")) IS NOT TRUE AS not_older FROM users \
    WHERE written.id IS NULL AND users.external_id = incoming.external_id \
        AND users.source = $1 LIMIT 1) AS known ON true \
    WHERE written.id IS NOT NULL OR known.not_older"
);

impl<const ENQUEUES: bool> QueryFragment<Pg> for SnapshotStatement<'_, ENQUEUES> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        upsert::<ENQUEUES>(self.batch, self.rows, self.acknowledged_ids, out.reborrow())?;
        out.push_sql(USER_RESULTS);
        Ok(())
    }
}
