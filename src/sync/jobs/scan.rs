//! The scan: all users of the provider, page by page.
//!
//! Called by `run`. The next page is fetched while this one is written; more than two are never in
//! memory. Each page is committed together with the job's cursor.

use super::paging::{CreationWindow, NextPage, PAGE_USERS, ScanPosition};
use super::run::JobRun;
use super::{Cursor, RETRY};
use crate::domain::Change;
use crate::provider::{ApiError, Page, Priority};
use crate::store::StoreError;
use crate::store::jobs::{Candidate, CreationRange, JobPage, JobProgress};
use crate::sync::SyncError;
use crate::sync::bisection::Bisection;
use crate::sync::retry::retry;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Rows read at once to find those that no page held.
const ROWS_AT_ONCE: i64 = 2_000;

/// Orphans recorded at once.
const NOTE_AT_ONCE: usize = 1_000;

/// A page that is being fetched. Dropping it aborts the fetch.
struct PendingPage(JoinSet<Result<Page, SyncError>>);

impl PendingPage {
    async fn page(&mut self) -> Result<Page, SyncError> {
        let broken = || ApiError::Protocol("the reading was broken off".to_owned());
        self.0.join_next().await.and_then(Result::ok).unwrap_or_else(|| Err(broken().into()))
    }
}

impl JobRun {
    /// Scans from `paging` to the end; returns the position there.
    pub(super) async fn scan(
        &mut self,
        mut paging: ScanPosition,
    ) -> Result<ScanPosition, SyncError> {
        let mut coming = self.request_page(&paging);
        loop {
            let mut page = match coming.page().await {
                Ok(page) => page,
                Err(error) if self.is_cursor_gone(&paging, &error).await? => {
                    paging.begin_by_time();
                    coming = self.request_page(&paging);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut step = paging.advance(&mut page.users, page.unreadable, PAGE_USERS);
            if !page.users.is_empty() {
                // The next page begins behind the last readable user, so it brings these once more.
                step.unreadable = step.unreadable.saturating_sub(page.unreadable_last);
            }
            for external_id in &page.unreadable_ids {
                tracing::error!(user.external_id = external_id, "a user cannot be read");
            }
            let more = match &step.next {
                NextPage::More => true,
                NextPage::End => false,
                NextPage::EndIf(id) => {
                    let gone = !self.user_exists(id).await?;
                    if gone {
                        paging.begin_by_time();
                    }
                    gone
                }
            };
            if more {
                coming = self.request_page(&paging);
            }
            let orphans = match step.window {
                Some(window) if self.kind.finds_orphans() => self.orphans(&window).await?,
                _ => Vec::new(),
            };
            let users = page.users.into_iter().map(|user| Change::Snapshot(Box::new(user)));
            let page = JobPage {
                users: users.collect(),
                unreadable: step.unreadable,
                mode: self.mode(),
                progress: self.progress_at(&Cursor::Scan(paging.clone())),
                orphans,
                is_part: false,
            };
            self.commit(page).await?;
            if !more {
                return Ok(paging);
            }
        }
    }

    fn request_page(&self, paging: &ScanPosition) -> PendingPage {
        let (sync, query) = (Arc::clone(&self.sync), paging.query(PAGE_USERS));
        let mut coming = JoinSet::new();
        coming.spawn(async move {
            let ask = || sync.directory.users(&query, Priority::Background);
            retry(&RETRY, ask).await
        });
        PendingPage(coming)
    }

    /// Whether a page was refused because the user behind whom it begins is deleted.
    async fn is_cursor_gone(
        &self,
        paging: &ScanPosition,
        error: &SyncError,
    ) -> Result<bool, SyncError> {
        let refused =
            matches!(error, SyncError::Api(ApiError::NotFound | ApiError::Rejected { .. }));
        match paging.last_id().filter(|_| refused && paging.is_behind_a_user()) {
            Some(id) => Ok(!self.user_exists(id).await?),
            None => Ok(false),
        }
    }

    async fn user_exists(&self, external_id: &str) -> Result<bool, SyncError> {
        let directory = &self.sync.directory;
        match self.retry(|| directory.user(external_id, Priority::Background)).await {
            Err(SyncError::Api(ApiError::NotFound)) => Ok(false),
            // A response that cannot be understood is still about a user.
            Ok(_) | Err(SyncError::Api(ApiError::Protocol(_))) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// A user whom the database refuses is counted as failed, and keeps no other out.
    async fn commit(&mut self, page: JobPage) -> Result<(), SyncError> {
        if page.users.is_empty() && page.unreadable == 0 && page.orphans.is_empty() {
            return Ok(());
        }
        let page = Arc::new(page);
        match self.try_to_commit(&page).await {
            Err(SyncError::Store(StoreError::Refused(why))) => {
                tracing::warn!(job = self.lease.job_id(), why, "a page is written in parts");
                self.commit_in_parts(page.users.clone()).await?;
                let cursor = page.progress.cursor.clone();
                let progress = JobProgress { cursor, ..self.progress.clone() };
                let JobPage { unreadable, mode, .. } = *page;
                let orphans = page.orphans.clone();
                let page = JobPage { unreadable, mode, progress, orphans, ..JobPage::default() };
                self.try_to_commit(&Arc::new(page)).await
            }
            result => result,
        }
    }

    async fn try_to_commit(&mut self, page: &Arc<JobPage>) -> Result<(), SyncError> {
        let sync = Arc::clone(&self.sync);
        let committed = self.retry(|| {
            let policy = sync.policy.clone();
            sync.store.commit_page(self.lease.clone(), policy, sync.store.now(), Arc::clone(page))
        });
        let progress = committed.await?.ok_or(SyncError::LeaseLost)?;
        self.progress = progress;
        let seen = self.progress.counters.seen;
        tracing::debug!(job = self.lease.job_id(), seen, "a page is committed");
        sync.wake_write_back();
        Ok(())
    }

    /// Commits users without moving the job's cursor.
    async fn commit_in_parts(&mut self, users: Vec<Change>) -> Result<(), SyncError> {
        let mut bisection = Bisection::of(users);
        while let Some(users) = bisection.next() {
            let (mode, progress) = (self.mode(), self.progress.clone());
            let part = JobPage { users, mode, progress, is_part: true, ..JobPage::default() };
            let part = Arc::new(part);
            match self.try_to_commit(&part).await {
                Err(SyncError::Store(StoreError::Refused(why))) => {
                    if bisection.halve_or_skip(part.users.clone(), &why) {
                        self.progress.counters.seen += 1;
                        self.progress.counters.failed += 1;
                    }
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Users of a window whose rows are live and who were in no page.
    async fn orphans(&self, window: &CreationWindow) -> Result<Vec<String>, SyncError> {
        let part = CreationRange::Between { from: window.from, before: window.before };
        self.absent_rows(part, &window.present).await
    }

    /// Where there are many, they are recorded on the way.
    async fn absent_rows(
        &self,
        part: CreationRange,
        present: &HashSet<String>,
    ) -> Result<Vec<String>, SyncError> {
        let (store, source, since) = (&self.sync.store, self.sync.source(), self.started_at);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let read =
                || store.rows_not_fetched_since(source, part, since, after.clone(), ROWS_AT_ONCE);
            let rows = self.retry(read).await?;
            let more = i64::try_from(rows.len()).is_ok_and(|count| count == ROWS_AT_ONCE);
            after = rows.last().cloned();
            let ids = rows.into_iter().map(|(_, external_id)| external_id);
            found.extend(ids.filter(|external_id| !present.contains(external_id)));
            if !more {
                return Ok(found);
            }
            if found.len() >= NOTE_AT_ONCE {
                self.add_candidates(std::mem::take(&mut found)).await?;
            }
        }
    }

    async fn add_candidates(&self, external_ids: Vec<String>) -> Result<(), SyncError> {
        if external_ids.is_empty() {
            return Ok(());
        }
        let candidates: Vec<Candidate> = external_ids.into_iter().map(Candidate::orphan).collect();
        let store = &self.sync.store;
        let is_stored = self.retry(|| store.add_candidates(self.lease.clone(), candidates.clone()));
        is_stored.await?.then_some(()).ok_or(SyncError::LeaseLost)
    }

    pub(super) async fn add_remaining(&mut self, paging: &ScanPosition) -> Result<(), SyncError> {
        let orphans = self.orphans(&paging.remaining()).await?;
        self.add_candidates(orphans).await
    }

    /// Records the rows without a time of creation which no page held.
    pub(super) async fn gather_undated(&mut self) -> Result<(), SyncError> {
        let undated = self.absent_rows(CreationRange::Unknown, &HashSet::new()).await?;
        self.add_candidates(undated).await
    }
}
