//! A batch on PostgreSQL: runs [`DeliveryStatement`] and reads its answers.
//!
//! A delivery whose user another replica committed in between gets no answer, and is asked once
//! more.

use super::row::{Deliveries, Rows, acknowledged_ids};
use super::statement::{DeliveryStatement, SnapshotStatement};
use super::{Batch, DeliveryResult, UpsertOutcome, UserResult, WrittenBatch};
use crate::domain::{IgnoreReason, Outcome, StaleReason};
use crate::store::error::StoreError;
use diesel::QueryResult;
use diesel::pg::PgConnection;
use diesel::query_dsl::RunQueryDsl as _;

/// Attempts for deliveries that another replica overtook. The overtaking row is visible to the next
/// attempt, so one is enough unless more replicas overtake.
const MOST_ROUNDS: usize = 8;

pub(in crate::store) fn commit(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
) -> Result<WrittenBatch, StoreError> {
    let rows = Rows::new(&batch.users);
    let mut newer_sign_ins = Vec::new();
    let mut results: Vec<Option<DeliveryResult>> = vec![None; batch.deliveries.len()];
    for _ in 0..MOST_ROUNDS {
        let deliveries = Deliveries::unanswered(batch, &results);
        if deliveries.place.is_empty() {
            break;
        }
        for answer in run(connection, batch, &rows, &deliveries)? {
            let (place, result) = answer.result()?;
            let user = batch.deliveries.get(place).and_then(|delivery| delivery.disposition.user());
            newer_sign_ins.extend(user.filter(|_| answer.newer_sign_in));
            if let Some(slot) = results.get_mut(place) {
                *slot = Some(result);
            }
        }
    }
    match results.into_iter().collect() {
        Some(results) => Ok(WrittenBatch { results, newer_sign_ins }),
        None => Err(StoreError::Away("other replicas kept overtaking a batch".into())),
    }
}

fn run(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
    rows: &Rows<'_>,
    deliveries: &Deliveries<'_>,
) -> QueryResult<Vec<DeliveryRow>> {
    let erases = batch.users.iter().any(|user| user.merged.winner.is_deletion());
    let acknowledged_ids =
        &*if batch.write_back { acknowledged_ids(&batch.users) } else { Vec::new() };
    match (erases, batch.write_back) {
        (false, false) => {
            DeliveryStatement::<false, false> { batch, rows, deliveries, acknowledged_ids }
                .load(connection)
        }
        (false, true) => {
            DeliveryStatement::<false, true> { batch, rows, deliveries, acknowledged_ids }
                .load(connection)
        }
        (true, false) => {
            DeliveryStatement::<true, false> { batch, rows, deliveries, acknowledged_ids }
                .load(connection)
        }
        (true, true) => {
            DeliveryStatement::<true, true> { batch, rows, deliveries, acknowledged_ids }
                .load(connection)
        }
    }
}

/// Writes a batch without deliveries, and returns one result a user, in their order. A user that
/// another replica overtakes is asked anew.
pub(in crate::store) fn apply(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
) -> Result<Vec<UserResult>, StoreError> {
    let rows = Rows::new(&batch.users);
    let acknowledged_ids = &*acknowledged_ids(&batch.users);
    let mut results: Vec<Option<UserResult>> = vec![None; batch.users.len()];
    for _ in 0..MOST_ROUNDS {
        let answers: Vec<(i64, String, i16)> = if batch.write_back {
            SnapshotStatement::<true> { batch, rows: &rows, acknowledged_ids }.load(connection)?
        } else {
            SnapshotStatement::<false> { batch, rows: &rows, acknowledged_ids }.load(connection)?
        };
        for (place, user_id, outcome) in answers {
            let slot = usize::try_from(place - 1).ok().and_then(|place| results.get_mut(place));
            let outcome =
                usize::try_from(outcome).ok().and_then(|outcome| UPSERT_OUTCOMES.get(outcome));
            if let (Some(slot @ None), Some(outcome)) = (slot, outcome) {
                *slot = Some(UserResult { user_id, outcome: *outcome });
            }
        }
        if results.iter().all(Option::is_some) {
            break;
        }
    }
    let overtaken = || StoreError::Away("other replicas kept overtaking a batch".into());
    results.into_iter().collect::<Option<_>>().ok_or_else(overtaken)
}

/// In the order of the numbers in `statement::USER_RESULTS`.
const UPSERT_OUTCOMES: [UpsertOutcome; 6] = [
    UpsertOutcome::Created,
    UpsertOutcome::Updated,
    UpsertOutcome::Unchanged,
    UpsertOutcome::Superseded,
    UpsertOutcome::Absent,
    UpsertOutcome::Tombstoned,
];

#[derive(diesel::Queryable)]
struct DeliveryRow {
    /// An index into `batch.deliveries`, from zero.
    place: i64,
    user_id: Option<String>,
    /// Index into [`OUTCOMES`], from one; 0 for a duplicate.
    outcome_number: i16,
    retried: bool,
    /// The row is newer, but has an older last sign-in.
    newer_sign_in: bool,
}

/// The outcomes in the order of the numbers that [`DeliveryStatement`] computes.
const OUTCOMES: [Outcome; 6] = [
    Outcome::Applied,
    Outcome::Stale(StaleReason::Superseded),
    Outcome::Stale(StaleReason::Absent),
    Outcome::Tombstoned,
    Outcome::Ignored(IgnoreReason::EventType),
    Outcome::Ignored(IgnoreReason::WrongInstance),
];

impl DeliveryRow {
    fn result(&self) -> Result<(usize, DeliveryResult), StoreError> {
        let unreadable = || StoreError::Refused("an answer could not be read".into());
        let place = usize::try_from(self.place).map_err(|_| unreadable())?;
        let outcome_number = usize::try_from(self.outcome_number).map_err(|_| unreadable())?;
        let outcome = match outcome_number.checked_sub(1) {
            None => Outcome::Duplicate,
            Some(outcome_number) => *OUTCOMES.get(outcome_number).ok_or_else(unreadable)?,
        };
        let user_id = self.user_id.clone();
        Ok((place, DeliveryResult { outcome, user_id, retried: self.retried }))
    }
}
