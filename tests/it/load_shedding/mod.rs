//! Overload, slow clients, stopping and outages: a client that is refused hears it at once and may
//! come again, and what was accepted is committed.

mod full_queue;
mod outage;
mod shutdown;

use crate::support::{Answer, Engine, TestApp, closed_after, run};
use std::time::Duration;

fn assert_turned_away(answer: &Answer, code: &str) {
    let seconds = answer.assert_unavailable(code);
    assert!((1..=60).contains(&seconds), "{seconds}");
}

/// A load balancer in front must let go first, so it has to be known when the service does.
#[tokio::test]
async fn an_idle_connection_is_closed_after_the_time_that_is_set() {
    run(async {
        let variables = [("USERSYNC_KEEP_ALIVE", "2s")];
        let app = TestApp::builder(Engine::Sqlite).variables(&variables).start().await;
        let request = b"GET /healthz HTTP/1.1\r\nhost: test\r\n\r\n".to_vec();
        let idle = closed_after(&app, request).await;
        assert!((Duration::from_secs(1)..Duration::from_secs(20)).contains(&idle), "{idle:?}");
    })
    .await;
}
