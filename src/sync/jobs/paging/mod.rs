//! Which page comes next, which rows a page settles, and when all have come.
//!
//! Asked by [`super::scan`] for each page. Pure. Pages are asked for behind the last user seen, in
//! the order of creation: an offset would skip users whenever somebody in front is deleted (trap 33).
//! But what the provider answers when the user behind whom it is asked is gone is written nowhere,
//! so an end is believed only while that user is there; else the page is asked for by time.

use crate::domain::{Snapshot, UnixMillis};
use crate::provider::{ListQuery, Position};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// How many users a page holds: what the provider allows at most. More silently becomes ten
/// (trap 32).
pub(super) const PAGE_USERS: u16 = 500;

/// How many users of one millisecond are remembered. Behind so many a user may be counted twice,
/// should the one behind whom we ask be deleted just then.
const MOST_REMEMBERED: usize = 10_000;

/// Where a scan stands; stored with each page, so that another replica can go on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ScanPosition {
    /// The last user who was seen.
    last: Option<LastSeen>,
    /// Ids of the users who were seen of the last one's millisecond.
    of_the_moment: Vec<String>,
    by: PageStart,
}

/// A user, and the latest creation up to there, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LastSeen {
    external_id: String,
    created_at: i64,
}

/// How the next page is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PageStart {
    /// Behind the last user.
    #[default]
    Last,
    /// From the last user's millisecond on, this many users into it.
    Moment { offset: u32 },
}

/// What a page means for the scan.
#[derive(Debug)]
pub(super) struct PageStep {
    /// Which rows are settled by this page: live ones among them who are in `seen` no more are extra.
    pub(super) window: Option<CreationWindow>,
    /// What comes next.
    pub(super) next: NextPage,
    /// How many users of the page could not be read, and were not met before.
    pub(super) unreadable: usize,
}

/// The rows of users created from one instant on and before another, in milliseconds; without an
/// end where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CreationWindow {
    pub(super) from: Option<UnixMillis>,
    pub(super) before: Option<UnixMillis>,
    /// Users of the window who are there.
    pub(super) present: HashSet<String>,
}

/// What follows from a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NextPage {
    /// There may be more.
    More,
    /// It looks like the end: it is, where this user is still there. Else [`ScanPosition::lost`].
    EndIf(String),
    /// All have come.
    End,
}

impl ScanPosition {
    /// The id of the last user who was seen.
    pub(super) fn last_id(&self) -> Option<&str> {
        self.last.as_ref().map(|last| last.external_id.as_str())
    }

    /// The page to ask for, of so many users.
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
                created_from: UnixMillis::new(last.created_at),
                ..query
            },
        }
    }

    /// Whether the page was asked for behind a user, who may be gone.
    pub(super) fn is_behind_a_user(&self) -> bool {
        self.last.is_some() && self.by == PageStart::Last
    }

    /// The user behind whom the last page was asked for is gone: from now on by time.
    pub(super) fn lost(&mut self) {
        self.by = PageStart::Moment { offset: 0 };
    }

    /// Takes in a page that was asked for with this `limit`: drops users who were seen before, and says
    /// what follows.
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
            // Not what we asked for: the user behind whom we asked is not known there.
            users.clear();
            self.lost();
            return PageStep { window: None, next: NextPage::More, unreadable: 0 };
        }
        let is_seen =
            |user: &Snapshot| is_older(user) || self.of_the_moment.contains(&user.external_id);
        if let PageStart::Moment { offset: offset @ 1.. } = self.by
            && self.last.is_some()
            && !users.first().is_some_and(is_seen)
            && (is_empty || unreadable == 0)
        {
            // Whoever was seen stands in front of everybody else. A page that begins with nobody of
            // them may have passed somebody over, since users in front were deleted.
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
            // Nobody new, but a full page: the rest stands behind its last user.
            PageStart::Moment { offset } if is_full => {
                let step = u32::from(limit).saturating_sub(1).max(1);
                self.by = PageStart::Moment { offset: offset.saturating_add(step) };
                NextPage::More
            }
            PageStart::Moment { .. } => NextPage::End,
            // Users whom nobody can read give no place to go on behind.
            PageStart::Last if is_full => {
                self.lost();
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

    /// The rows behind the last page: whoever is there, and was not seen, is extra.
    pub(super) fn remaining(&self) -> CreationWindow {
        CreationWindow {
            from: self.last.as_ref().and_then(|last| UnixMillis::new(last.created_at)),
            before: None,
            present: self.of_the_moment.iter().cloned().collect(),
        }
    }

    /// Moves behind these users, of whom there are some. What lies before the last one's millisecond
    /// is settled then; that millisecond itself may go on in the next page.
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
                from: before.and_then(UnixMillis::new),
                before: UnixMillis::new(created_at_latest),
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
    user.profile.source_created_at.map(UnixMillis::get)
}

#[cfg(test)]
mod tests;
