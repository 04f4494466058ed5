//! Decides which page comes next, which rows a page accounts for, and when all have come.
//!
//! Called by [`super::scan`] for each page. Pure. Pages begin behind the last user seen, in the
//! order of creation: an offset would skip users whenever one in front is deleted (trap 33). What
//! the provider answers when the user behind whom a page begins is deleted is not documented, so an
//! end counts only while that user exists; else the page is asked for by time.

use crate::domain::{Snapshot, Timestamp};
use crate::provider::{ListQuery, Position};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What the provider allows at most. More silently becomes ten (trap 32).
pub(super) const PAGE_USERS: u16 = 500;

/// Ids of one millisecond that are remembered. Beyond these a user may be counted twice, should the
/// last user be deleted just then.
const MOST_REMEMBERED: usize = 10_000;

/// How far a scan is; stored with each page, so that another replica can continue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ScanPosition {
    last: Option<LastSeen>,
    /// Ids seen of the last user's millisecond.
    of_the_moment: Vec<String>,
    by: PageStart,
}

/// A user, and the latest creation so far in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LastSeen {
    external_id: String,
    created_at: i64,
}

/// Where the next page begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PageStart {
    #[default]
    Last,
    /// At the last user's millisecond, and this many users into it.
    Moment { offset: u32 },
}

/// What a page means for the scan.
#[derive(Debug)]
pub(super) struct PageStep {
    /// The rows that the page accounts for: live ones whose users are not in `present` are orphans.
    pub(super) window: Option<CreationWindow>,
    pub(super) next: NextPage,
    /// Users who could not be read, and were not met before.
    pub(super) unreadable: usize,
}

/// Rows of users created `from` on and `before`, open where `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CreationWindow {
    pub(super) from: Option<Timestamp>,
    pub(super) before: Option<Timestamp>,
    /// Users of the window who exist.
    pub(super) present: HashSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NextPage {
    More,
    /// The end, if this user still exists. Else [`ScanPosition::begin_by_time`].
    EndIf(String),
    End,
}

impl ScanPosition {
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last.as_ref().map(|last| last.external_id.as_str())
    }

    pub(super) fn query(&self, limit: u16) -> ListQuery {
        let query = ListQuery { limit, ..ListQuery::default() };
        match (&self.last, self.by) {
            (None, PageStart::Last | PageStart::Moment { offset: 0 }) => query,
            (None, PageStart::Moment { offset }) => {
                ListQuery { position: Position::Offset(offset), ..query }
            }
            (Some(last), PageStart::Last) => {
                ListQuery { position: Position::After(last.external_id.clone()), ..query }
            }
            (Some(last), PageStart::Moment { offset }) => ListQuery {
                position: if offset == 0 { Position::First } else { Position::Offset(offset) },
                created_from: Timestamp::from_millis(last.created_at),
                ..query
            },
        }
    }

    /// Whether the page begins behind a user, who may be deleted.
    pub(super) fn is_behind_a_user(&self) -> bool {
        self.last.is_some() && self.by == PageStart::Last
    }

    /// The user behind whom the last page began is deleted: the next one begins by time.
    pub(super) fn begin_by_time(&mut self) {
        self.by = PageStart::Moment { offset: 0 };
    }

    /// Takes in a page of at most `limit` users: drops those seen before, and says what follows.
    pub(super) fn advance(
        &mut self,
        users: &mut Vec<Snapshot>,
        unreadable: usize,
        limit: u16,
    ) -> PageStep {
        let is_full = users.len() + unreadable >= usize::from(limit);
        let is_empty = users.is_empty() && unreadable == 0;
        let floor = self.last.as_ref().map(|last| last.created_at);
        let is_older = |user: &Snapshot| match (created_at(user), floor) {
            (Some(created_at), Some(floor)) => created_at < floor,
            _ => false,
        };
        if self.by == PageStart::Last && users.iter().any(is_older) {
            // Not what was asked for: the provider does not know the user behind whom the page
            // begins.
            users.clear();
            self.begin_by_time();
            return PageStep { window: None, next: NextPage::More, unreadable: 0 };
        }
        let is_seen =
            |user: &Snapshot| is_older(user) || self.of_the_moment.contains(&user.external_id);
        if let PageStart::Moment { offset: offset @ 1.. } = self.by
            && self.last.is_some()
            && !users.first().is_some_and(is_seen)
            && (is_empty || unreadable == 0)
        {
            // Users seen before stand first. A page that begins with none of them may have skipped
            // some, since users in front were deleted.
            users.clear();
            self.by = PageStart::Moment { offset: offset.saturating_sub(u32::from(limit)) };
            return PageStep { window: None, next: NextPage::More, unreadable: 0 };
        }
        users.retain(|user| !is_seen(user));
        let by = self.by;
        if !users.is_empty() {
            let window = self.pass(users);
            self.by = PageStart::Last;
            return PageStep { window, next: NextPage::More, unreadable };
        }
        let next = match by {
            // Nothing new, but a full page: more stand behind its last user.
            PageStart::Moment { offset } if is_full => {
                let step = u32::from(limit).saturating_sub(1).max(1);
                self.by = PageStart::Moment { offset: offset.saturating_add(step) };
                NextPage::More
            }
            PageStart::Moment { .. } => NextPage::End,
            // Users who cannot be read give no position to continue behind.
            PageStart::Last if is_full => {
                self.begin_by_time();
                NextPage::More
            }
            PageStart::Last => match self.last_id() {
                Some(id) if is_empty => NextPage::EndIf(id.to_owned()),
                _ => NextPage::End,
            },
        };
        let unreadable = if by == PageStart::Last { unreadable } else { 0 };
        PageStep { window: None, next, unreadable }
    }

    pub(super) fn remaining(&self) -> CreationWindow {
        CreationWindow {
            from: self.last.as_ref().and_then(|last| Timestamp::from_millis(last.created_at)),
            before: None,
            present: self.of_the_moment.iter().cloned().collect(),
        }
    }

    /// Moves behind these users, of whom there are some. The page accounts for what lies before the
    /// last one's millisecond; that millisecond may continue in the next page.
    fn pass(&mut self, users: &[Snapshot]) -> Option<CreationWindow> {
        let last = users.last()?;
        let before = self.last.as_ref().map(|last| last.created_at);
        let latest = users.iter().filter_map(created_at).max();
        let created_at_latest = latest.max(before).unwrap_or_default();
        let mut window = None;
        if before != Some(created_at_latest) {
            let earlier = std::mem::take(&mut self.of_the_moment);
            let ids = users.iter().map(|user| user.external_id.clone());
            window = Some(CreationWindow {
                from: before.and_then(Timestamp::from_millis),
                before: Timestamp::from_millis(created_at_latest),
                present: earlier.into_iter().chain(ids).collect(),
            });
        }
        let of_the_moment = users.iter().filter(|user| {
            created_at(user).is_none_or(|created_at| created_at == created_at_latest)
        });
        self.of_the_moment.extend(of_the_moment.map(|user| user.external_id.clone()));
        let surplus = self.of_the_moment.len().saturating_sub(MOST_REMEMBERED);
        self.of_the_moment.drain(..surplus);
        let external_id = last.external_id.clone();
        self.last = Some(LastSeen { external_id, created_at: created_at_latest });
        window
    }
}

fn created_at(user: &Snapshot) -> Option<i64> {
    user.profile.source_created_at.map(Timestamp::as_millis)
}

#[cfg(test)]
mod tests;
