//! Notes: the provider may have to be told about a user. What exactly is decided when it is sent.

use crate::store::connection::{AnyConnection, both};
use crate::store::schema::write_backs;
use crate::store::types::{Moment, UtcColumn};
use crate::store::{Store, StoreError};
use diesel::dsl::case_when;
use diesel::prelude::*;

impl Store {
    /// Lets our values replace what the provider holds for these users, and makes that due.
    pub async fn take_over(
        &self,
        source: &'static str,
        external_id: String,
        now: Moment,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            enqueue(connection, source, &external_id, now)?;
            both!(connection, |inner| diesel::update(
                write_backs::table.find((&external_id, source))
            )
            .set(write_backs::take_over.eq(true))
            .execute(inner))?;
            Ok(())
        })
        .await
    }
}

/// Notes that the provider may have to be told about a user. A note never puts off what is due
/// earlier, else a user who changes often would never come first.
fn enqueue(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
    created_at: Moment,
) -> Result<(), StoreError> {
    let now = connection.now()?;
    both!(connection, |inner| diesel::insert_into(write_backs::table)
        .values((
            write_backs::source.eq(source),
            write_backs::external_id.eq(external_id),
            write_backs::next_try_at.eq(now),
            write_backs::created_at.eq(created_at),
        ))
        .on_conflict((write_backs::external_id, write_backs::source))
        .do_update()
        .set((write_backs::state.eq("due"), write_backs::next_try_at.eq(earlier(now))))
        .execute(inner))?;
    Ok(())
}

/// The next try that stands, or `at` where that is earlier.
#[diesel::dsl::auto_type(no_type_alias)]
pub(in crate::store) fn earlier(at: Moment) -> _ {
    let at = at.into_sql::<UtcColumn>();
    case_when(write_backs::next_try_at.gt(at), at).otherwise(write_backs::next_try_at)
}

/// Likewise, because an operator chose something. The time of the choice is the database's: it
/// tells one choice from the next.
pub(in crate::store) fn enqueue_override(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
    created_at: Moment,
) -> Result<(), StoreError> {
    enqueue(connection, source, external_id, created_at)?;
    let now = connection.now()?;
    both!(connection, |inner| diesel::update(write_backs::table.find((external_id, source)))
        .set(write_backs::override_at.eq(now))
        .execute(inner))?;
    Ok(())
}
