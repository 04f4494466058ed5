//! The one statement that a batch of fetched snapshots is on PostgreSQL.
//!
//! The same guarded upsert as that of deliveries; what differs is the answer, one a user.

use super::Batch;
use super::row::Rows;
use super::sql::rank;
use super::statement::upsert;
use diesel::QueryResult;
use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::RunQueryDsl;
use diesel::sql_types::{BigInt, SmallInt, Text};

/// The statement.
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

/// One row a user: its place counted from one, its id, and its outcome as a place in
/// `postgres::UPSERT_OUTCOMES`. A user whom another replica committed meanwhile is left out: such a row is
/// not in the state that this statement sees.
const ANSWER: &str = concat!(
    " SELECT incoming.place, COALESCE(written.id, known.id), \
    (CASE WHEN written.created THEN 0 WHEN written.touched THEN 1 \
        WHEN written.id IS NOT NULL THEN 2 \
        WHEN known.deletion_kind = 'signed' THEN 5 WHEN known.deletion_kind = 'absent' THEN 4 \
        ELSE 3 END)::int2 \
    FROM incoming LEFT JOIN written ON written.external_id = incoming.external_id \
    LEFT JOIN LATERAL (SELECT users.id, users.deletion_kind, ((",
    rank!("users"),
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
        out.push_sql(ANSWER);
        Ok(())
    }
}
