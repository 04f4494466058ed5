//! The one client of Clerk's Backend API.
//!
//! Built by the app and called by `sync` through [`Directory`]. It never writes anything but public
//! metadata, knows no table, and its errors and log lines hold no data of a user.

mod breaker;
mod client;
mod limiter;
mod limits;
mod page;
mod request;
mod response;

pub use client::InvalidApi;

use super::Clerk;
use crate::domain::{MetadataPatch, Snapshot};
use crate::provider::{
    API_OK, ApiError, ApiFuture, Budget, Call, Directory, FetchClock, ListQuery, Page, Priority,
};
use crate::telemetry::{Metrics, Throttle};
use client::Reply;
use limiter::CallLimiter;
use limits::{BLOCKING_PARSE_BYTES, Limits};
use request::Request;
use secrecy::SecretString;
use std::future::Future;
use std::sync::Arc;
use url::Url;

#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// The address before `/v1`; its own path is kept.
    pub url: Url,
    pub secret_key: SecretString,
    pub clerk: Clerk,
}

/// The client. One is shared by all callers: it holds the connections, the pause and the breaker.
pub struct ClerkApi {
    url: Url,
    clerk: Arc<Clerk>,
    client: reqwest::Client,
    limits: Limits,
    limiter: CallLimiter,
    metrics: Arc<Metrics>,
    refusals: Throttle,
    clock: FetchClock,
}

impl ClerkApi {
    /// A client that makes no more calls than `budget` allows, and dates its fetches by `clock`.
    /// Nothing is sent yet.
    pub fn new(
        settings: ApiSettings,
        budget: Arc<dyn Budget>,
        metrics: Arc<Metrics>,
        clock: FetchClock,
    ) -> Result<Self, InvalidApi> {
        Self::with_limits(settings, budget, metrics, clock, Limits::default())
    }

    fn with_limits(
        settings: ApiSettings,
        budget: Arc<dyn Budget>,
        metrics: Arc<Metrics>,
        clock: FetchClock,
        limits: Limits,
    ) -> Result<Self, InvalidApi> {
        Ok(Self {
            client: client::build(&settings, &limits)?,
            url: settings.url,
            clerk: Arc::new(settings.clerk),
            limiter: CallLimiter::new(budget, limits),
            limits,
            metrics,
            refusals: Throttle::default(),
            clock,
        })
    }

    async fn fetch_user(
        &self,
        external_id: &str,
        priority: Priority,
    ) -> Result<Snapshot, ApiError> {
        let reply = self.call(&Request::user(&self.url, external_id)?, priority).await?;
        page::user(&reply.body, external_id, &self.clerk, reply.sent_at)
    }

    fn counted<'a, T: 'a>(
        &'a self,
        call: Call,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'a,
    ) -> ApiFuture<'a, T> {
        Box::pin(async move {
            let result = work.await;
            let outcome = result.as_ref().map_or_else(ApiError::code, |_| API_OK);
            self.metrics.count_api_call(call.as_str(), outcome);
            result
        })
    }
}

impl Directory for ClerkApi {
    fn user<'a>(&'a self, external_id: &'a str, priority: Priority) -> ApiFuture<'a, Snapshot> {
        self.counted(Call::User, self.fetch_user(external_id, priority))
    }

    fn users<'a>(&'a self, query: &'a ListQuery, priority: Priority) -> ApiFuture<'a, Page> {
        self.counted(Call::Users, async move {
            let request = Request::users(&self.url, query);
            let Reply { body, sent_at } = self.call(&request, priority).await?;
            if body.len() <= BLOCKING_PARSE_BYTES {
                return page::page(&body, &self.clerk, sent_at);
            }
            let clerk = Arc::clone(&self.clerk);
            let parse = tokio::task::spawn_blocking(move || page::page(&body, &clerk, sent_at));
            let lost = |_| Err(ApiError::Protocol("the reading was broken off".to_owned()));
            parse.await.unwrap_or_else(lost)
        })
    }

    fn count(&self, priority: Priority) -> ApiFuture<'_, u64> {
        self.counted(Call::Count, async move {
            page::count(&self.call(&Request::count(&self.url), priority).await?.body)
        })
    }

    fn fill<'a>(
        &'a self,
        external_id: &'a str,
        fill: &'a MetadataPatch,
        priority: Priority,
    ) -> ApiFuture<'a, Snapshot> {
        self.counted(Call::Fill, async move {
            // With nothing to write a read returns the same, and causes no event (trap 26).
            if fill.is_empty() {
                return self.fetch_user(external_id, priority).await;
            }
            let metadata = fill.object(&self.clerk.names);
            let request = Request::fill(&self.url, external_id, &metadata)?;
            let reply = self.call(&request, priority).await?;
            page::user(&reply.body, external_id, &self.clerk, reply.sent_at)
        })
    }

    fn instances(&self, priority: Priority) -> ApiFuture<'_, Vec<String>> {
        self.counted(Call::Instances, async move {
            page::instances(&self.call(&Request::instances(&self.url), priority).await?.body)
        })
    }
}

#[cfg(test)]
mod tests;
