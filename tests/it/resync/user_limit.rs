//! At most ten calls about one user in ten seconds, whichever replica makes them.

use crate::support::{Proxy, TestApp, TestDatabase, TestEmulator, until};
use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_secs(10);

/// The most arrivals in any window.
fn fullest(arrivals: &[Instant]) -> usize {
    let within =
        |from: Instant| arrivals.iter().filter(move |at| (from..from + WINDOW).contains(*at));
    arrivals.iter().map(|from| within(*from).count()).max().unwrap_or(0)
}

both_engines! {
    async fn ten_calls_about_one_user_in_ten_seconds_hold_over_replicas(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let (id, other) = (emulator.sign_up("Ada"), emulator.sign_up("Grace"));
        let proxy = Proxy::to(&emulator);
        let builder = TestApp::builder(&database).emulator(&emulator).behind(&proxy).no_write_back();
        let replicas = builder.variables(&[("USERSYNC_API_BUDGET", "500")]).start_many(2).await;
        let mut turn = 0;
        let mut next = async || {
            turn += 1;
            replicas[turn % 2].resync_one(&id).await
        };
        let refused = ("failed".to_owned(), Some("rate_limited".to_owned()));
        for _ in 0..2 {
            until("a call is refused", async || (next().await == refused).then_some(())).await;
            until("a call is made again", async || (next().await != refused).then_some(())).await;
        }
        let arrivals = proxy.arrivals();
        assert!(arrivals.len() > 10, "{arrivals:?}");
        assert!(fullest(&arrivals) <= 10, "{arrivals:?}");
        until("the user is at the limit", async || (next().await == refused).then_some(())).await;
        assert_eq!(replicas[0].resync_one(&other).await.0, "created", "others are not");
    }

    async fn calls_that_cannot_be_counted_are_not_refused_as_too_many(engine) {
        let builder = TestApp::builder(engine).emulated().no_write_back();
        let app = builder.variables(&[("USERSYNC_API_BUDGET", "500")]).start().await;
        let id = app.sign_up("Ada");
        app.emulator.wait_until_idle().await;
        app.database.execute("ALTER TABLE user_calls RENAME TO user_calls_away");
        let unavailable = ("failed".to_owned(), Some("unavailable".to_owned()));
        assert_eq!(app.resync_one(&id).await, unavailable);
    }
}
