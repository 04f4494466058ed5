//! Compares a row with what the provider shows of the same user.
//!
//! Called by jobs for each user of a page, so that what agrees is not written at all. The result is
//! the one that the store's guard would give, by the same order of versions; what is written is
//! decided again by the guard, at the row itself.

use super::time::Timestamp;
use super::user::Snapshot;
use super::version::Version;

/// The columns of a row that a comparison needs.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    pub version: Version,
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
    /// The content is equal, but an event brought it, or the sign-in or the lock's end, which the
    /// digest leaves out, differs.
    Unconfirmed,
    /// Nothing need be written.
    Same,
    Newer,
    Tombstoned,
}

/// Compares a fetched snapshot with the row, where there is one.
pub fn compare(row: Option<&RowView<'_>>, snapshot: &Snapshot) -> Comparison {
    let Some(row) = row else {
        return Comparison::Missing;
    };
    if row.state == RowState::Deleted {
        return Comparison::Tombstoned;
    }
    let held = (row.version, row.locked_until);
    let shown = (snapshot.version, snapshot.profile.locked_until);
    if shown <= held {
        return Comparison::Newer;
    }
    match row.state {
        RowState::Absent | RowState::Deleted => Comparison::Returned,
        RowState::Live if !has_same_content(row, snapshot) => Comparison::Stale,
        RowState::Live if is_confirmed(row, snapshot) => Comparison::Same,
        RowState::Live => Comparison::Unconfirmed,
    }
}

/// The digest does not cover the effective role and plan, which configuration may have changed.
fn has_same_content(row: &RowView<'_>, snapshot: &Snapshot) -> bool {
    row.version.updated_at_ms == snapshot.version.updated_at_ms
        && row.version.projection == snapshot.version.projection
        && row.version.digest == snapshot.version.digest
        && row.role == Some(row.set_role.unwrap_or(&snapshot.role))
        && row.plan == Some(row.set_plan.unwrap_or(&snapshot.plan))
}

/// Whether a fetch brought the row, and what the digest leaves out is equal too.
fn is_confirmed(row: &RowView<'_>, snapshot: &Snapshot) -> bool {
    row.version.kind == snapshot.version.kind
        && row.locked_until == snapshot.profile.locked_until
        && row.last_sign_in_at >= snapshot.last_sign_in_at
}

#[cfg(test)]
mod tests {
    use super::{Comparison, RowState, RowView, compare};
    use crate::domain::{
        AllowedValues, EntitlementName, Entitlements, Origin, Profile, Snapshot, SnapshotTimes,
        Timestamp, Version,
    };

    fn entitlements() -> Entitlements {
        let role = |word| EntitlementName::parse(word).unwrap();
        let policy = |word| AllowedValues { known: Vec::new(), default: role(word) };
        Entitlements { roles: policy("user"), plans: policy("free") }
    }

    fn fetched(updated_at: i64, asked_at: i64) -> Snapshot {
        let times = SnapshotTimes {
            updated_at: Timestamp::from_millis(updated_at),
            seen_at: Timestamp::from_millis(asked_at),
            last_sign_in_at: Timestamp::from_millis(7),
        };
        Snapshot::new("user_1".into(), Profile::unknown(), Origin::Fetch, times, &entitlements())
    }

    fn row_of(snapshot: &Snapshot) -> RowView<'_> {
        RowView {
            version: snapshot.version,
            locked_until: snapshot.profile.locked_until,
            last_sign_in_at: snapshot.last_sign_in_at,
            role: Some(&snapshot.role),
            plan: Some(&snapshot.plan),
            set_role: None,
            set_plan: None,
            state: RowState::Live,
        }
    }

    #[test]
    fn what_a_fetch_brought_before_need_not_be_written_again() {
        let earlier = fetched(10, 100);
        assert_eq!(compare(Some(&row_of(&earlier)), &fetched(10, 200)), Comparison::Same);
    }

    #[test]
    fn what_an_event_brought_is_confirmed_once() {
        let earlier = fetched(10, 100);
        let version = Version::of_event(10, 300, earlier.version.digest);
        let row = RowView { version, ..row_of(&earlier) };
        assert_eq!(compare(Some(&row), &fetched(10, 200)), Comparison::Unconfirmed);
    }

    #[test]
    fn a_later_sign_in_is_written_although_nothing_else_differs() {
        let earlier = fetched(10, 100);
        let row = RowView { last_sign_in_at: None, ..row_of(&earlier) };
        assert_eq!(compare(Some(&row), &fetched(10, 200)), Comparison::Unconfirmed);
    }

    #[test]
    fn other_effective_words_make_a_row_stale_unless_an_operator_chose_them() {
        let earlier = fetched(10, 100);
        let row = RowView { role: Some("admin"), ..row_of(&earlier) };
        assert_eq!(compare(Some(&row), &fetched(10, 200)), Comparison::Stale);
        let chosen = RowView { set_role: Some("admin"), ..row };
        assert_eq!(compare(Some(&chosen), &fetched(10, 200)), Comparison::Same);
    }

    #[test]
    fn an_older_page_never_beats_what_a_webhook_brought_meanwhile() {
        let later = fetched(11, 100);
        assert_eq!(compare(Some(&row_of(&later)), &fetched(10, 200)), Comparison::Newer);
        assert_eq!(compare(Some(&row_of(&fetched(10, 100))), &fetched(11, 200)), Comparison::Stale);
    }

    #[test]
    fn a_row_of_an_older_projection_is_stale() {
        let earlier = fetched(10, 100);
        let version = Version { projection: 0, ..earlier.version };
        let row = RowView { version, ..row_of(&earlier) };
        assert_eq!(compare(Some(&row), &fetched(10, 200)), Comparison::Stale);
    }

    #[test]
    fn the_absent_return_and_the_deleted_do_not() {
        let earlier = fetched(10, 100);
        let absent = RowView { state: RowState::Absent, ..row_of(&earlier) };
        assert_eq!(compare(Some(&absent), &fetched(10, 200)), Comparison::Returned);
        assert_eq!(compare(Some(&absent), &fetched(10, 100)), Comparison::Newer);
        let deleted = RowView { state: RowState::Deleted, ..row_of(&earlier) };
        assert_eq!(compare(Some(&deleted), &fetched(99, 200)), Comparison::Tombstoned);
        assert_eq!(compare(None, &fetched(10, 200)), Comparison::Missing);
    }
}
