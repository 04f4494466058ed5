//! Waiting for something that sends no signal when it happens.

use std::time::{Duration, Instant};

/// No test depends on how fast the machine is: this only ends a test that hangs.
pub const HANGS_AFTER: Duration = Duration::from_secs(600);

pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    until_within(HANGS_AFTER, what, look).await
}

pub async fn until_true(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    until(what, async || holds().await.then_some(())).await;
}

/// Likewise; what takes longer than half a minute is done by something else, as a service does
/// each minute.
pub async fn until_soon(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    until_within(Duration::from_secs(30), what, async || holds().await.then_some(())).await;
}

/// Likewise; panics where it has not within the time.
pub async fn until_within<T>(
    within: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
