//! A batch on PostgreSQL: [`Statement`] is run, and its answers are read.
//!
//! A delivery whose user another replica committed in between gets no answer, and is asked
//! once more.

use super::application::Application;
use super::row::{Rows, settled_ids};
use super::statement::Statement;
use super::{Batch, Effect, Fate, Judgement, Standing, Written};
use crate::domain::{Ignored, Outcome, Stale};
use crate::store::error::StoreError;
use diesel::QueryResult;
use diesel::pg::{Pg, PgConnection};
use diesel::query_builder::AstPass;
use diesel::query_dsl::RunQueryDsl as _;
use diesel::sql_types::{Array, BigInt, SmallInt, Text};

/// How often deliveries that another replica overtook are asked anew. Each time, the
/// overtaking row is visible, so one is enough unless more and more replicas overtake.
const MOST_ROUNDS: usize = 8;

/// Commits the batch.
pub(in crate::store) fn commit(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
) -> Result<Written, StoreError> {
    let rows = Rows::new(&batch.users);
    let mut newer_sign_ins = Vec::new();
    let mut judgements: Vec<Option<Judgement>> = vec![None; batch.deliveries.len()];
    for _ in 0..MOST_ROUNDS {
        let deliveries = Deliveries::unanswered(batch, &judgements);
        if deliveries.place.is_empty() {
            break;
        }
        for answer in run(connection, batch, &rows, &deliveries)? {
            let (place, judgement) = answer.judgement()?;
            let user = batch.deliveries.get(place).and_then(|delivery| delivery.standing.user());
            newer_sign_ins.extend(user.filter(|_| answer.newer_sign_in));
            if let Some(slot) = judgements.get_mut(place) {
                *slot = Some(judgement);
            }
        }
    }
    match judgements.into_iter().collect() {
        Some(judgements) => Ok(Written { judgements, newer_sign_ins }),
        None => Err(StoreError::Away("other replicas kept overtaking a batch".into())),
    }
}

fn run(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
    rows: &Rows<'_>,
    deliveries: &Deliveries<'_>,
) -> QueryResult<Vec<Answer>> {
    let erases = batch.users.iter().any(|user| user.merged.winner.is_deletion());
    let settled_ids = &*if batch.write_back { settled_ids(&batch.users) } else { Vec::new() };
    match (erases, batch.write_back) {
        (false, false) => {
            Statement::<false, false> { batch, rows, deliveries, settled_ids }.load(connection)
        }
        (false, true) => {
            Statement::<false, true> { batch, rows, deliveries, settled_ids }.load(connection)
        }
        (true, false) => {
            Statement::<true, false> { batch, rows, deliveries, settled_ids }.load(connection)
        }
        (true, true) => {
            Statement::<true, true> { batch, rows, deliveries, settled_ids }.load(connection)
        }
    }
}

/// Commits a batch without deliveries, and says what became of each user, in their order. A user
/// whom another replica overtakes is asked anew.
pub(in crate::store) fn apply(
    connection: &mut PgConnection,
    batch: &Batch<'_>,
) -> Result<Vec<Effect>, StoreError> {
    let rows = Rows::new(&batch.users);
    let settled_ids = &*settled_ids(&batch.users);
    let mut effects: Vec<Option<Effect>> = vec![None; batch.users.len()];
    for _ in 0..MOST_ROUNDS {
        let answers: Vec<(i64, String, i16)> = if batch.write_back {
            Application::<true> { batch, rows: &rows, settled_ids }.load(connection)?
        } else {
            Application::<false> { batch, rows: &rows, settled_ids }.load(connection)?
        };
        for (place, user_id, fate) in answers {
            let slot = usize::try_from(place - 1).ok().and_then(|place| effects.get_mut(place));
            let fate = usize::try_from(fate).ok().and_then(|fate| FATES.get(fate));
            if let (Some(slot @ None), Some(fate)) = (slot, fate) {
                *slot = Some(Effect { user_id, fate: *fate });
            }
        }
        if effects.iter().all(Option::is_some) {
            break;
        }
    }
    let overtaken = || StoreError::Away("other replicas kept overtaking a batch".into());
    effects.into_iter().collect::<Option<_>>().ok_or_else(overtaken)
}

/// What the statement's numbers mean, in the order of `application::ANSWER`.
const FATES: [Fate; 6] = [
    Fate::Created,
    Fate::Updated,
    Fate::Unchanged,
    Fate::Superseded,
    Fate::Absent,
    Fate::Tombstoned,
];

/// The deliveries that are still without an answer, one array a column.
#[derive(Default)]
pub(super) struct Deliveries<'a> {
    place: Vec<i64>,
    message_id: Vec<&'a str>,
    kind: Vec<&'a str>,
    user_place: Vec<i64>,
    standing: Vec<i16>,
}

impl<'a> Deliveries<'a> {
    fn unanswered(batch: &'a Batch<'a>, judgements: &[Option<Judgement>]) -> Self {
        let mut arrays = Self::default();
        let open = batch.deliveries.iter().zip(judgements).zip(0_i64..);
        for ((delivery, _), place) in open.filter(|((_, judgement), _)| judgement.is_none()) {
            let user = delivery.standing.user().and_then(|user| i64::try_from(user).ok());
            arrays.place.push(place);
            arrays.message_id.push(delivery.message_id);
            arrays.kind.push(delivery.kind);
            // `WITH ORDINALITY` counts from one, so that nobody is at zero.
            arrays.user_place.push(user.map_or(0, |user| user + 1));
            arrays.standing.push(match delivery.standing {
                Standing::Ignored(Ignored::EventType) => 0,
                Standing::Ignored(Ignored::WrongInstance) => 1,
                Standing::Winner(_) => 2,
                Standing::Superseded(_) => 3,
                Standing::Outlived(_) => 4,
            });
        }
        arrays
    }
}

impl Deliveries<'_> {
    /// In the order of `statement::JUDGED`.
    pub(super) fn bind<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<BigInt>, _>(&self.place)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.message_id)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.kind)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.user_place)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SmallInt>, _>(&self.standing)
    }
}

/// One delivery as the statement answers it.
#[derive(diesel::Queryable)]
struct Answer {
    /// Its place in `batch.deliveries`.
    place: i64,
    user_id: Option<String>,
    /// A place in [`VERDICTS`], counted from one; 0 for a duplicate.
    verdict: i16,
    retried: bool,
    /// The row keeps a newer version, but has an older last sign-in than this batch knows.
    newer_sign_in: bool,
}

/// What the statement's verdicts mean. [`Statement`] computes their numbers and stores
/// the words; both are listed in this order.
const VERDICTS: [Outcome; 6] = [
    Outcome::Applied,
    Outcome::Stale(Stale::Superseded),
    Outcome::Stale(Stale::Absent),
    Outcome::Tombstoned,
    Outcome::Ignored(Ignored::EventType),
    Outcome::Ignored(Ignored::WrongInstance),
];

impl Answer {
    fn judgement(&self) -> Result<(usize, Judgement), StoreError> {
        let unreadable = || StoreError::Refused("an answer could not be read".into());
        let place = usize::try_from(self.place).map_err(|_| unreadable())?;
        let verdict = usize::try_from(self.verdict).map_err(|_| unreadable())?;
        let outcome = match verdict.checked_sub(1) {
            None => Outcome::Duplicate,
            Some(verdict) => *VERDICTS.get(verdict).ok_or_else(unreadable)?,
        };
        let user_id = self.user_id.clone();
        Ok((place, Judgement { outcome, user_id, retried: self.retried }))
    }
}
