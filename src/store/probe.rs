//! Writes that find out whether the database takes any, apart from what a delivery brings.
//!
//! Called by the writer and the readiness check. Nothing of them is seen: the user is rolled back, and
//! the note is one row of [`leases`] that nobody claims.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::{leases, quarantine, users, webhook_events, write_backs};
use super::types::JsonText;
use crate::domain::Timestamp;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

/// No user's id, here or at a provider, no message's, and no lease's name.
const PROBE: &str = "usersync-probe";

/// As full as a user's row can be, so that an application's trigger finds what it asks for, and with
/// letters that not every encoding has.
pub(super) fn write_user(
    connection: &mut AnyConnection,
    source: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let text = Some("Prüfung 試験");
    let profile = (
        users::email.eq(Some("probe@usersync.invalid")),
        users::email_lower.eq(Some("probe@usersync.invalid")),
        users::email_verified.eq(true),
        users::username.eq(text),
        users::first_name.eq(text),
        users::last_name.eq(text),
        users::name.eq(text),
        users::role.eq(Some("user")),
        users::plan.eq(Some("free")),
        users::public_metadata.eq(JsonText("{}")),
        users::status.eq("active"),
    );
    let version = (
        users::version_updated_at.eq(0_i64),
        users::version_projection.eq(0_i16),
        users::version_kind.eq(0_i16),
        users::version_seen_at.eq(0_i64),
        users::version_digest.eq(Vec::<u8>::new()),
        users::created_at.eq(now),
        users::updated_at.eq(now),
        users::synced_at.eq(now),
    );
    let key = (users::id.eq(PROBE), users::source.eq(source), users::external_id.eq(PROBE));
    both!(connection, |inner| diesel::insert_into(users::table)
        .values((key, profile, version))
        .execute(inner))?;
    both!(connection, |inner| diesel::update(users::table.find(PROBE))
        .set(users::updated_at.eq(now))
        .execute(inner))?;
    write_beside(connection, source, now)
}

/// What a batch writes beside the users.
fn write_beside(
    connection: &mut AnyConnection,
    source: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let write_back = write_backs::table.find((PROBE, source));
    let event = webhook_events::table.find((PROBE, source));
    both!(connection, |inner| {
        diesel::insert_into(write_backs::table)
            .values((
                write_backs::source.eq(source),
                write_backs::external_id.eq(PROBE),
                write_backs::next_try_at.eq(now),
                write_backs::created_at.eq(now),
            ))
            .execute(inner)?;
        diesel::update(write_back).set(write_backs::state.eq("due")).execute(inner)?;
        diesel::delete(write_back).execute(inner)?;
        diesel::insert_into(webhook_events::table)
            .values((
                webhook_events::source.eq(source),
                webhook_events::message_id.eq(PROBE),
                webhook_events::event_type.eq(PROBE),
                webhook_events::outcome.eq("ignored"),
                webhook_events::received_at.eq(now),
            ))
            .execute(inner)?;
        diesel::update(event).set(webhook_events::outcome.eq("ignored")).execute(inner)?;
        diesel::delete(quarantine::table.find((PROBE, source))).execute(inner)?;
    });
    Ok(())
}

pub(super) fn write_note(connection: &mut AnyConnection, now: Timestamp) -> Result<(), StoreError> {
    let note = (leases::due_at.eq(now), leases::state.eq(JsonText("null")));
    both!(connection, |inner| diesel::insert_into(leases::table)
        .values((leases::name.eq(PROBE), note))
        .on_conflict(leases::name)
        .do_update()
        .set(note)
        .execute(inner))?;
    Ok(())
}

/// Whether users could be written now: the schema is there, with rights to it, nobody holds the table,
/// and the server is no standby. Waits a second for a lock.
pub(super) fn check_users(connection: &mut AnyConnection) -> Result<(), StoreError> {
    connection.rolled_back(|connection| {
        if let AnyConnection::Postgres(inner) = connection {
            inner.batch_execute("SET LOCAL lock_timeout TO 1000")?;
        }
        // Changes nothing, and needs the lock, the right and the state of the server for it.
        both!(connection, |inner| diesel::update(users::table.filter(users::id.eq("")))
            .set(users::status.eq(users::status))
            .execute(inner))?;
        Ok(())
    })
}
