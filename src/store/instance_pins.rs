//! The instance of the provider that this table belongs to.
//!
//! Called by `sync`, which verifies that the API key is of it. The first replica to do so pins it.

use super::Store;
use super::connection::both;
use super::error::StoreError;
use super::schema::{pinned_instances, users};
use super::users::newest_and_oldest;
use crate::domain::Timestamp;
use diesel::prelude::*;

/// The sample's size at either end.
const NEWEST: i64 = 3;
const OLDEST: i64 = 2;

impl Store {
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

    /// Pins an instance, unless one is pinned. Returns the pinned one.
    pub async fn pin_instance(
        &self,
        source: &'static str,
        instance_id: String,
        now: Timestamp,
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

    /// External ids of some of the newest and oldest live users that are not among `others`.
    pub async fn sample_live_users(
        &self,
        source: &'static str,
        others: Vec<String>,
    ) -> Result<Vec<String>, StoreError> {
        self.read(move |connection| {
            let is_other = users::external_id.ne_all(&others);
            Ok(newest_and_oldest!(connection, source, is_other, NEWEST, OLDEST))
        })
        .await
    }
}
