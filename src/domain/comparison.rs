//! A row beside what the provider shows of the same user: who is right?
//!
//! Asked by jobs, for each user of a page, before anything is written: what agrees need not be
//! written at all. The answer is the one that the store's guard would give, by the same order of
//! versions; where something is to be written the guard decides again, at the row itself.

use super::time::UnixMillis;
use super::user::Snapshot;
use super::version::Version;

/// A row as far as it is compared.
#[derive(Clone, Copy, Debug)]
pub struct RowView<'a> {
    /// Where the row's snapshot, absence or deletion stands in the order.
    pub version: Version,
    /// Until when the user is locked: the one mapped column that no version holds.
    pub locked_until: Option<UnixMillis>,
    /// When the user last signed in, as far as the row knows.
    pub last_sign_in_at: Option<UnixMillis>,
    /// The effective role.
    pub role: Option<&'a str>,
    /// The effective plan.
    pub plan: Option<&'a str>,
    /// An operator's choice of role.
    pub set_role: Option<&'a str>,
    /// An operator's choice of plan.
    pub set_plan: Option<&'a str>,
    /// Whether the row holds a user, or how the user went.
    pub state: RowState,
}

/// Whether a row holds a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowState {
    /// It does.
    Live,
    /// The provider did not know the user when it was asked.
    Absent,
    /// The provider signed that the user is deleted.
    Deleted,
}

/// What a comparison comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// There is no row.
    Missing,
    /// There is a row without a user, who is there again.
    Returned,
    /// The row shows something older.
    Stale,
    /// The row shows the same, but came by it otherwise: only its version rises.
    Unconfirmed,
    /// The row shows the same, and nothing need be written.
    Same,
    /// The row shows something newer.
    Newer,
    /// The user is deleted for good.
    Tombstoned,
}

/// Compares a user's row, where there is one, with a snapshot that was fetched.
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

/// The digest stands for all that is mapped but the effective words, which configuration may have
/// changed.
fn has_same_content(row: &RowView<'_>, snapshot: &Snapshot) -> bool {
    row.version.updated_at_ms == snapshot.version.updated_at_ms
        && row.version.projection == snapshot.version.projection
        && row.version.digest == snapshot.version.digest
        && row.role == Some(row.set_role.unwrap_or(&snapshot.role))
        && row.plan == Some(row.set_plan.unwrap_or(&snapshot.plan))
}

/// Whether even what no digest holds is there already, and a fetch brought it.
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
        UnixMillis, Version,
    };

    fn entitlements() -> Entitlements {
        let role = |word| EntitlementName::parse(word).unwrap();
        let policy = |word| AllowedValues { known: Vec::new(), default: role(word) };
        Entitlements { roles: policy("user"), plans: policy("free") }
    }

    fn fetched(updated_at: i64, asked_at: i64) -> Snapshot {
        let times = SnapshotTimes {
            updated_at: UnixMillis::new(updated_at),
            seen_at: UnixMillis::new(asked_at),
            last_sign_in_at: UnixMillis::new(7),
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
