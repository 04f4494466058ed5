//! A job waits for a provider or a database that does not answer: it always finishes.
//!
//! Called by jobs for each thing that they ask. The provider's client has tried some times by then,
//! so here the pauses are long, and what is tried again is only what may go well another time.

use crate::provider::ApiError;
use crate::store::StoreError;
use std::fmt::Display;
use std::time::{Duration, Instant};

/// The first and the longest pause that nobody asked for.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause that somebody asked for.
const LONGEST_ASKED: Duration = Duration::from_secs(5 * 60);

/// How often an answer that cannot be understood is asked for.
const MOST_UNCLEAR: u32 = 5;

/// For how long the same is tried in vain.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60 * 60);

/// Tries until it goes well, or trying has no point: `again` says after which pause at least an error,
/// met so many times, may be gone, and for which it never is.
pub(super) async fn with<T, E, F>(
    ask: impl Fn() -> F,
    again: impl Fn(&E, u32) -> Option<Duration>,
) -> Result<T, E>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let began = Instant::now();
    let (mut pause, mut tries) = (FIRST_PAUSE, 0);
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        tries += 1;
        let Some(asked) = again(&error, tries).filter(|_| began.elapsed() < GIVE_UP_AFTER) else {
            return Err(error);
        };
        let wait = pause.max(asked.min(LONGEST_ASKED));
        tracing::warn!(seconds = wait.as_secs(), "a job waits: {error}");
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// After which pause the provider may answer. Answers that cannot be understood, as from a proxy in
/// trouble, are asked for some times.
pub(super) fn of_api(error: &ApiError, tries: u32) -> Option<Duration> {
    match error {
        ApiError::RateLimited { retry_after } | ApiError::Unavailable { retry_after, .. } => {
            Some(*retry_after)
        }
        ApiError::Protocol(_) => (tries < MOST_UNCLEAR).then_some(FIRST_PAUSE),
        ApiError::NotFound | ApiError::Unauthorized(_) | ApiError::Rejected { .. } => None,
    }
}

/// After which pause the database may be there.
pub(super) fn of_store(error: &StoreError, _tries: u32) -> Option<Duration> {
    match error {
        StoreError::Away(_) => Some(FIRST_PAUSE),
        StoreError::Refused(_) | StoreError::Unusable(_) => None,
    }
}
