//! Compares a row with what the provider shows of the same user.
//!
//! Called by jobs and by a resync for each fetched user, so that what agrees is not written at all.
//! What is written is decided again by the store's guard, at the row itself; only a row that
//! contradicts what the provider shows, and had a minute to follow it, is made to follow.

use super::profile_columns::ProfileColumns;
use super::time::Timestamp;
use super::user::{Snapshot, latest_update};
use super::version::{Version, horizon};
use std::time::Duration;

/// How long a difference may be on its way: an event about it, or the page that does not show it yet.
pub const GRACE: Duration = Duration::from_secs(60);

/// The columns of a row that a comparison needs.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    pub version: Version,
    /// When the content was written.
    pub synced_at: Timestamp,
    pub last_fetched_at: Option<Timestamp>,
    pub profile: ProfileColumns<'a>,
    /// The one mapped column that no version covers.
    pub locked_until: Option<Timestamp>,
    pub last_sign_in_at: Option<Timestamp>,
    pub role: Option<&'a str>,
    pub plan: Option<&'a str>,
    pub set_role: Option<&'a str>,
    pub set_plan: Option<&'a str>,
    pub state: RowState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    Live,
    /// The provider did not know the user when asked.
    Absent,
    /// The provider signed the deletion.
    Deleted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// There is no row.
    Missing,
    /// The row is emptied, and the provider knows the user again.
    Returned,
    Stale,
    /// The row has the snapshot's version, but its columns do not hold the snapshot: something else
    /// wrote them.
    Altered,
    /// The row claims to be newer than what the provider shows, and has for longer than [`GRACE`].
    Newer,
    /// The content is equal, but an instant of the row lies ahead: a wrong clock wrote it.
    Ahead,
    /// The content is equal, but an event brought it, or the sign-in or the lock's end, which the
    /// digest leaves out, differs.
    Unconfirmed,
    /// Nothing need be written.
    Same,
    /// Something newer came about when the snapshot was fetched.
    Overtaken,
    Tombstoned,
}

impl Comparison {
    /// Whether the guard would leave the row as it is, or could, although the provider shows
    /// otherwise.
    pub const fn contradicts_provider(self) -> bool {
        matches!(self, Self::Altered | Self::Newer | Self::Returned)
    }
}

/// Compares a fetched snapshot with the row, where there is one. `now` is by the database's clock, as
/// are the instants of both.
pub fn compare(row: Option<&RowView<'_>>, snapshot: &Snapshot, now: Timestamp) -> Comparison {
    let Some(row) = row else {
        return Comparison::Missing;
    };
    let is_live = row.state == RowState::Live;
    if row.state == RowState::Deleted {
        return Comparison::Tombstoned;
    }
    if is_live && is_of_same_version(row, snapshot) {
        if !row.profile.hold(snapshot) {
            return Comparison::Altered;
        }
        if holds_same_words(row, snapshot) {
            return if is_ahead(row, now) {
                Comparison::Ahead
            } else if is_confirmed(row, snapshot) {
                Comparison::Same
            } else {
                Comparison::Unconfirmed
            };
        }
    }
    let held = (row.version.believed_at(now), row.locked_until);
    let is_newer = (snapshot.version, snapshot.profile.locked_until) <= held;
    match row.state {
        _ if is_newer && !is_settled(row, snapshot, now) => Comparison::Overtaken,
        RowState::Absent | RowState::Deleted => Comparison::Returned,
        RowState::Live if is_newer => Comparison::Newer,
        RowState::Live => Comparison::Stale,
    }
}

fn is_of_same_version(row: &RowView<'_>, snapshot: &Snapshot) -> bool {
    let (held, shown) = (row.version.updated_at_ms, snapshot.version.updated_at_ms);
    // A user whom the provider dates ahead is believed by a day, which is another time at each fetch.
    let is_dated_ahead = shown == latest_update(snapshot.version.seen_at_ms);
    let are_ahead = is_dated_ahead && held > snapshot.version.seen_at_ms;
    (held == shown || are_ahead)
        && row.version.projection == snapshot.version.projection
        && row.version.digest == snapshot.version.digest
}

/// The digest does not cover the effective role and plan, which configuration may have changed.
fn holds_same_words(row: &RowView<'_>, snapshot: &Snapshot) -> bool {
    row.role == Some(row.set_role.unwrap_or(&snapshot.role))
        && row.plan == Some(row.set_plan.unwrap_or(&snapshot.plan))
}

/// Whether a fetch brought the row, and what the digest leaves out is equal too.
fn is_confirmed(row: &RowView<'_>, snapshot: &Snapshot) -> bool {
    row.version.kind == snapshot.version.kind
        && row.locked_until == snapshot.profile.locked_until
        && row.last_sign_in_at >= snapshot.last_sign_in_at
}

fn is_ahead(row: &RowView<'_>, now: Timestamp) -> bool {
    row.version.believed_at(now) != row.version
        || row.last_fetched_at.is_some_and(|at| at > horizon(now))
}

/// Whether the row was written so long before the fetch was sent that the answer knew of it.
fn is_settled(row: &RowView<'_>, snapshot: &Snapshot, now: Timestamp) -> bool {
    let written_ahead = row.synced_at > horizon(now);
    written_ahead || snapshot.fetched_at.is_some_and(|sent| row.synced_at.plus(GRACE) <= sent)
}

#[cfg(test)]
mod tests {
    use super::{Comparison, RowState, RowView, compare};
    use crate::domain::{
        AllowedValues, EntitlementName, Entitlements, Origin, Profile, ProfileColumns, Snapshot,
        SnapshotTimes, Timestamp, Version,
    };

    fn entitlements() -> Entitlements {
        let role = |word| EntitlementName::parse(word).unwrap();
        let policy = |word| AllowedValues { known: Vec::new(), default: role(word) };
        Entitlements { roles: policy("user"), plans: policy("free") }
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millis(milliseconds).unwrap()
    }

    fn fetched(updated_at: i64, asked_at: i64) -> Snapshot {
        let times = SnapshotTimes {
            updated_at: Some(at(updated_at)),
            seen_at: Some(at(asked_at)),
            last_sign_in_at: Some(at(7)),
        };
        Snapshot::new("user_1".into(), Profile::unknown(), Origin::Fetch, times, &entitlements())
    }

    /// Written as soon as it was seen.
    fn row_of(snapshot: &Snapshot) -> RowView<'_> {
        let profile = ProfileColumns {
            source_external_id: None,
            email: None,
            email_lower: None,
            email_verified: false,
            phone: None,
            username: None,
            first_name: None,
            last_name: None,
            name: Some(&snapshot.name),
            image_url: None,
            source_role: None,
            source_plan: None,
            public_metadata: "{}",
            status: "active",
            source_created_at: None,
        };
        RowView {
            version: snapshot.version,
            synced_at: at(snapshot.version.seen_at_ms),
            last_fetched_at: snapshot.fetched_at,
            profile,
            locked_until: snapshot.profile.locked_until,
            last_sign_in_at: snapshot.last_sign_in_at,
            role: Some(&snapshot.role),
            plan: Some(&snapshot.plan),
            set_role: None,
            set_plan: None,
            state: RowState::Live,
        }
    }

    /// A minute and more after all that is fetched here.
    fn compare_with(row: &RowView<'_>, snapshot: &Snapshot) -> Comparison {
        compare(Some(row), snapshot, at(500_000))
    }

    #[test]
    fn what_a_fetch_brought_before_need_not_be_written_again() {
        let earlier = fetched(10, 100);
        assert_eq!(compare_with(&row_of(&earlier), &fetched(10, 200)), Comparison::Same);
        assert_eq!(compare_with(&row_of(&earlier), &earlier), Comparison::Same);
    }

    #[test]
    fn what_an_event_brought_is_confirmed_once() {
        let earlier = fetched(10, 100);
        let version = Version::of_event(10, 300, earlier.version.digest);
        let row = RowView { version, ..row_of(&earlier) };
        assert_eq!(compare_with(&row, &fetched(10, 200)), Comparison::Unconfirmed);
    }

    #[test]
    fn a_later_sign_in_is_written_although_nothing_else_differs() {
        let earlier = fetched(10, 100);
        let row = RowView { last_sign_in_at: None, ..row_of(&earlier) };
        assert_eq!(compare_with(&row, &fetched(10, 200)), Comparison::Unconfirmed);
    }

    #[test]
    fn other_effective_words_make_a_row_stale_unless_an_operator_chose_them() {
        let earlier = fetched(10, 100);
        let row = RowView { role: Some("admin"), ..row_of(&earlier) };
        assert_eq!(compare_with(&row, &fetched(10, 200)), Comparison::Stale);
        let chosen = RowView { set_role: Some("admin"), ..row };
        assert_eq!(compare_with(&chosen, &fetched(10, 200)), Comparison::Same);
    }

    #[test]
    fn an_older_page_never_beats_what_a_webhook_brought_meanwhile() {
        let later = fetched(11, 100);
        assert_eq!(compare_with(&row_of(&later), &fetched(10, 200)), Comparison::Overtaken);
        assert_eq!(compare_with(&row_of(&fetched(10, 100)), &fetched(11, 200)), Comparison::Stale);
    }

    #[test]
    fn a_row_that_is_newer_than_the_provider_shows_for_a_minute_follows_it() {
        let later = fetched(11, 100);
        for (sent_at, comparison) in [(60_099, Comparison::Overtaken), (60_100, Comparison::Newer)]
        {
            assert_eq!(compare_with(&row_of(&later), &fetched(10, sent_at)), comparison);
        }
        let written_ahead = RowView { synced_at: at(600_000), ..row_of(&later) };
        assert_eq!(compare_with(&written_ahead, &fetched(10, 200)), Comparison::Newer);
    }

    #[test]
    fn what_lies_ahead_of_the_clock_is_not_believed() {
        let ahead = fetched(10, 560_001);
        let row = RowView { last_fetched_at: None, ..row_of(&ahead) };
        assert_eq!(compare_with(&row, &fetched(10, 200)), Comparison::Ahead);
        assert_eq!(compare_with(&row, &fetched(11, 200)), Comparison::Stale);
        let just_now = fetched(10, 560_000);
        assert_eq!(compare_with(&row_of(&just_now), &fetched(10, 200)), Comparison::Same);
        let fetched_ahead = RowView { last_fetched_at: Some(at(560_001)), ..row_of(&just_now) };
        assert_eq!(compare_with(&fetched_ahead, &fetched(10, 200)), Comparison::Ahead);
    }

    #[test]
    fn a_user_who_is_dated_ahead_is_written_once() {
        let ahead = 9 * 24 * 60 * 60 * 1_000;
        let earlier = fetched(ahead, 100);
        assert_eq!(compare_with(&row_of(&earlier), &fetched(ahead, 200)), Comparison::Same);
    }

    #[test]
    fn what_the_provider_dates_is_believed_however_far_ahead() {
        let earlier = fetched(10, 100);
        for version in [Version::of_event(10, 900_000, earlier.version.digest), Version::DELETION] {
            assert_eq!(version.believed_at(at(0)), version);
        }
    }

    #[test]
    fn columns_that_do_not_hold_the_snapshot_are_found_whatever_the_version_says() {
        for asked_at in [100, 300] {
            let earlier = fetched(10, asked_at);
            let mut row = row_of(&earlier);
            row.profile.email = Some("mallory@example.org");
            assert_eq!(compare_with(&row, &fetched(10, 200)), Comparison::Altered);
        }
    }

    #[test]
    fn a_row_of_an_older_projection_is_stale() {
        let earlier = fetched(10, 100);
        let version = Version { projection: 0, ..earlier.version };
        let row = RowView { version, ..row_of(&earlier) };
        assert_eq!(compare_with(&row, &fetched(10, 200)), Comparison::Stale);
    }

    #[test]
    fn the_absent_return_and_the_deleted_do_not() {
        let earlier = fetched(10, 100);
        let absent = RowView { state: RowState::Absent, ..row_of(&earlier) };
        assert_eq!(compare_with(&absent, &fetched(10, 200)), Comparison::Returned);
        assert_eq!(compare_with(&absent, &fetched(10, 100)), Comparison::Overtaken);
        assert_eq!(compare_with(&absent, &fetched(9, 60_100)), Comparison::Returned);
        let deleted = RowView { state: RowState::Deleted, ..row_of(&earlier) };
        assert_eq!(compare_with(&deleted, &fetched(99, 200)), Comparison::Tombstoned);
        assert_eq!(compare(None, &fetched(10, 200), at(0)), Comparison::Missing);
    }
}
