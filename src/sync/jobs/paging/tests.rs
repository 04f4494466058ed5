//! Tests of paging while users are created and deleted between pages: no user is skipped, and every
//! absent one is found.

use super::{NextPage, PAGE_USERS, ScanPosition};
use crate::domain::{
    AllowedValues, EntitlementName, Entitlements, Origin, Profile, Snapshot, SnapshotTimes,
    Timestamp,
};
use crate::provider::{ListQuery, Position};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What the provider answers for a page behind a deleted user, which is not documented.
#[derive(Clone, Copy, Debug, PartialEq)]
enum WhenGone {
    Nothing,
    Refusal,
    FromTheBeginning,
}

/// Users in the order of their creation, then of their ids.
#[derive(Debug)]
struct Provider {
    users: BTreeSet<(i64, String)>,
    when_gone: WhenGone,
}

impl Provider {
    /// `None` where the query is refused.
    fn list(&self, query: &ListQuery) -> Option<Vec<(i64, String)>> {
        let from = query.created_from.map_or(i64::MIN, Timestamp::as_millis);
        let mut listed: Vec<_> = self.users.iter().filter(|(at, _)| *at >= from).cloned().collect();
        match &query.position {
            Position::First => {}
            Position::Offset(offset) => {
                listed.drain(..usize::try_from(*offset).unwrap().min(listed.len()));
            }
            Position::After(id) => match listed.iter().position(|(_, one)| one == id) {
                Some(place) => drop(listed.drain(..=place)),
                None if self.when_gone == WhenGone::Nothing => listed.clear(),
                None if self.when_gone == WhenGone::Refusal => return None,
                None => {}
            },
        }
        listed.truncate(usize::from(query.limit));
        Some(listed)
    }
}

fn user(created_at: i64, id: &str) -> Snapshot {
    let policy =
        |word| AllowedValues { known: Vec::new(), default: EntitlementName::parse(word).unwrap() };
    let entitlements = Entitlements { roles: policy("user"), plans: policy("free") };
    let source_created_at = Timestamp::from_millis(created_at);
    let profile = Profile { source_created_at, ..Profile::unknown() };
    let times = SnapshotTimes { updated_at: None, seen_at: None, last_sign_in_at: None };
    Snapshot::new(id.to_owned(), profile, Origin::Fetch, times, &entitlements)
}

#[derive(Clone, Debug)]
enum ProviderChange {
    /// Of the user at this part of all.
    Deletion(prop::sample::Index),
    /// Of the user seen last.
    DeletionOfLast,
    /// Later than all others.
    SignUp,
}

fn changes() -> impl Strategy<Value = Vec<Vec<ProviderChange>>> {
    let one = prop_oneof![
        3 => any::<prop::sample::Index>().prop_map(ProviderChange::Deletion),
        2 => Just(ProviderChange::DeletionOfLast),
        2 => Just(ProviderChange::SignUp),
    ];
    prop::collection::vec(prop::collection::vec(one, 0..4), 0..40)
}

struct ScanResult {
    seen: Vec<String>,
    /// Rows from before the scan, of users whom no page held.
    orphans: HashSet<String>,
    pages: usize,
}

/// Scans the provider while events happen, with a row for each of `rows`.
fn scan(
    provider: &mut Provider,
    rows: &BTreeMap<String, i64>,
    changes: Vec<Vec<ProviderChange>>,
    limit: u16,
) -> ScanResult {
    let mut paging = ScanPosition::default();
    let mut changes = changes.into_iter();
    let mut scanned = ScanResult { seen: Vec::new(), orphans: HashSet::new(), pages: 0 };
    let mut created = 0;
    let account_for = |window: super::CreationWindow, orphans: &mut HashSet<String>| {
        let from = window.from.map_or(i64::MIN, Timestamp::as_millis);
        let before = window.before.map_or(i64::MAX, Timestamp::as_millis);
        let inside = rows.iter().filter(|(_, at)| (from..before).contains(*at));
        orphans.extend(inside.map(|(id, _)| id.clone()).filter(|id| !window.present.contains(id)));
    };
    loop {
        scanned.pages += 1;
        // What is stored is what the next page continues with.
        let stored = serde_json::to_string(&paging).unwrap();
        paging = serde_json::from_str(&stored).unwrap();
        let Some(listed) = provider.list(&paging.query(limit)) else {
            assert!(paging.is_behind_a_user());
            paging.begin_by_time();
            continue;
        };
        let mut users: Vec<Snapshot> = listed.iter().map(|(at, id)| user(*at, id)).collect();
        let step = paging.advance(&mut users, 0, limit);
        scanned.seen.extend(users.into_iter().map(|user| user.external_id));
        if let Some(window) = step.window {
            account_for(window, &mut scanned.orphans);
        }
        match step.next {
            NextPage::More => {}
            NextPage::End => break,
            NextPage::EndIf(id) if provider.users.iter().any(|(_, one)| *one == id) => break,
            NextPage::EndIf(_) => paging.begin_by_time(),
        }
        for change in changes.next().unwrap_or_default() {
            apply_change(provider, &paging, &change, &mut created);
        }
    }
    account_for(paging.remaining(), &mut scanned.orphans);
    scanned
}

fn apply_change(
    provider: &mut Provider,
    paging: &ScanPosition,
    change: &ProviderChange,
    created: &mut i64,
) {
    match change {
        ProviderChange::Deletion(index) if !provider.users.is_empty() => {
            let gone = provider.users.iter().nth(index.index(provider.users.len())).cloned();
            provider.users.remove(&gone.unwrap());
        }
        ProviderChange::Deletion(_) => {}
        ProviderChange::DeletionOfLast => {
            provider.users.retain(|(_, id)| Some(id.as_str()) != paging.last_id());
        }
        ProviderChange::SignUp => {
            *created += 1;
            provider.users.insert((1_000_000 + *created, format!("new_{created:04}")));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Deletions between pages hide no user who exists all the time; no user is seen twice; a row
    /// is an orphan if its user is absent all the time, and never if the user exists all the time.
    #[test]
    fn users_deleted_between_two_pages_hide_nobody(
        ages in prop::collection::vec(0_i64..60, 0..80),
        unknown in prop::collection::vec(0_i64..70, 0..10),
        limit in 2_u16..12,
        when_gone in prop_oneof![
            Just(WhenGone::Nothing), Just(WhenGone::Refusal), Just(WhenGone::FromTheBeginning),
        ],
        changes in changes(),
    ) {
        // Several users a millisecond, sometimes more than a page holds.
        let users: BTreeSet<(i64, String)> =
            ages.iter().enumerate().map(|(number, age)| (*age, format!("user_{number:03}"))).collect();
        let mut rows: BTreeMap<String, i64> =
            users.iter().map(|(at, id)| (id.clone(), *at)).collect();
        let absent: Vec<String> =
            (0..unknown.len()).map(|number| format!("absent_{number}")).collect();
        rows.extend(absent.iter().cloned().zip(unknown));
        let before: BTreeSet<String> = users.iter().map(|(_, id)| id.clone()).collect();
        let mut provider = Provider { users, when_gone };
        let scanned = scan(&mut provider, &rows, changes, limit);

        let after: BTreeSet<String> = provider.users.iter().map(|(_, id)| id.clone()).collect();
        let seen: BTreeSet<String> = scanned.seen.iter().cloned().collect();
        prop_assert_eq!(seen.len(), scanned.seen.len(), "a user was seen twice");
        for id in before.intersection(&after) {
            prop_assert!(seen.contains(id), "{id} was passed over");
            prop_assert!(!scanned.orphans.contains(id), "{id} was taken for an orphan");
        }
        for id in &absent {
            prop_assert!(scanned.orphans.contains(id), "{id} was not taken for an orphan");
        }
        prop_assert!(scanned.pages < 1_000);
    }
}

#[test]
fn trap_33_pages_are_asked_for_behind_a_user_and_not_by_number() {
    let mut paging = ScanPosition::default();
    assert_eq!(paging.query(PAGE_USERS).position, Position::First);
    paging.advance(&mut vec![user(1, "user_1"), user(2, "user_2")], 0, PAGE_USERS);
    assert_eq!(paging.query(PAGE_USERS).position, Position::After("user_2".into()));
    assert_eq!(paging.query(PAGE_USERS).created_from, None);
}

#[test]
fn an_empty_page_is_the_end_only_while_the_user_in_front_of_it_is_there() {
    let mut paging = ScanPosition::default();
    assert_eq!(paging.clone().advance(&mut Vec::new(), 0, PAGE_USERS).next, NextPage::End);
    paging.advance(&mut vec![user(5, "user_1")], 0, PAGE_USERS);
    assert_eq!(
        paging.advance(&mut Vec::new(), 0, PAGE_USERS).next,
        NextPage::EndIf("user_1".into())
    );
    paging.begin_by_time();
    let query = paging.query(PAGE_USERS);
    assert_eq!((query.position, query.created_from), (Position::First, Timestamp::from_millis(5)));
    // A user seen of that millisecond is not counted again.
    let mut users = vec![user(5, "user_1"), user(5, "user_2")];
    paging.advance(&mut users, 0, PAGE_USERS);
    assert_eq!(users.len(), 1);
    assert_eq!(paging.query(PAGE_USERS).position, Position::After("user_2".into()));
}

#[test]
fn users_whom_nobody_can_read_end_no_scan_and_begin_no_circle() {
    let full = usize::from(PAGE_USERS);
    let mut paging = ScanPosition::default();
    paging.advance(&mut vec![user(5, "user_1")], 0, PAGE_USERS);
    let step = paging.advance(&mut Vec::new(), full, PAGE_USERS);
    assert_eq!((step.next, step.unreadable), (NextPage::More, full));
    assert_eq!(paging.query(PAGE_USERS).created_from, Timestamp::from_millis(5));
    let step = paging.advance(&mut vec![user(5, "user_1")], full - 1, PAGE_USERS);
    assert_eq!((step.next, step.unreadable), (NextPage::More, 0));
    assert_eq!(paging.query(PAGE_USERS).position, Position::Offset(499));
    let step = paging.advance(&mut vec![user(6, "user_2")], full - 1, PAGE_USERS);
    assert_eq!((step.next, step.unreadable), (NextPage::More, full - 1));
    assert_eq!(paging.query(PAGE_USERS).position, Position::After("user_2".into()));
    assert_eq!(paging.advance(&mut Vec::new(), 3, PAGE_USERS).next, NextPage::End);
}
