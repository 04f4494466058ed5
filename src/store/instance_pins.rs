//! The one instance of the provider that a table belongs to.
//!
//! Called by `sync`, which proves it. Pinned once, by whichever replica comes first.

use super::Store;
use super::connection::both;
use super::error::StoreError;
use super::schema::{pinned_instances, users};
use super::types::Moment;
use diesel::prelude::*;

/// How many users stand for all of them: the newest may be gone together, after a test run say.
const NEWEST: i64 = 3;
const OLDEST: i64 = 2;

impl Store {
    /// The pinned instance, if one is.
    pub async fn pinned_instance(
        &self,
        source: &'static str,
    ) -> Result<Option<String>, StoreError> {
        self.read(move |connection| {
            Ok(both!(connection, |inner| pinned_instances::table
                .find(source)
                .select(pinned_instances::instance_id)
                .first(inner)
                .optional())?)
        })
        .await
    }

    /// Pins an instance, unless another one is pinned already; returns which one is.
    pub async fn pin_instance(
        &self,
        source: &'static str,
        instance_id: String,
        now: Moment,
    ) -> Result<String, StoreError> {
        self.write(move |connection| {
            both!(connection, |inner| diesel::insert_into(pinned_instances::table)
                .values((
                    pinned_instances::source.eq(source),
                    pinned_instances::instance_id.eq(&instance_id),
                    pinned_instances::pinned_at.eq(now),
                ))
                .on_conflict_do_nothing()
                .execute(inner))?;
            Ok(both!(connection, |inner| pinned_instances::table
                .find(source)
                .select(pinned_instances::instance_id)
                .first(inner))?)
        })
        .await
    }

    /// Some live users of this source who are not among `others`, of the newest and of the oldest:
    /// the provider's ids.
    pub async fn sample_live_users(
        &self,
        source: &'static str,
        others: Vec<String>,
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            macro_rules! live {
                ($order:expr, $most:expr) => {
                    both!(connection, |inner| users::table
                        .filter(users::source.eq(source).and(users::status.ne("deleted")))
                        .filter(users::external_id.ne_all(&others))
                        .order($order)
                        .select(users::external_id)
                        .limit($most)
                        .load::<String>(inner))?
                };
            }
            let mut some = live!(users::id.desc(), NEWEST);
            for oldest in live!(users::id.asc(), OLDEST) {
                if !some.contains(&oldest) {
                    some.push(oldest);
                }
            }
            Ok(some)
        })
        .await
    }
}
