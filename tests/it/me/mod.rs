//! `GET /v1/me`: what it says, who is refused, and how a row comes to be that is missing.

mod answer;
mod outage;
mod refusals;
mod row_creation;

use crate::support::{Answer, Delivery, Engine, TestApp, now_seconds, user};

/// A service and an emulator between which only those calls go that `GET /v1/me` makes.
async fn without_write_back(engine: Engine) -> TestApp {
    TestApp::builder(engine).emulated().variables(&[("USERSYNC_WRITE_BACK", "off")]).start().await
}

impl TestApp {
    /// Signs up a user of whom no event tells, and returns the provider's id.
    fn sign_up_silently(&self, name: &str) -> String {
        self.emulator.deliver_to(None);
        let id = self.sign_up(name);
        self.emulator.deliver_to(Some(self.client.url.clone()));
        id
    }

    /// Signs up a user, and waits for the row.
    async fn sign_up_and_settle(&self, name: &str) -> String {
        let id = self.sign_up(name);
        self.emulator.settled().await;
        assert_eq!(self.user(&id).await["status"], "active");
        id
    }

    /// How often the provider was asked for one user.
    fn looks(&self) -> u64 {
        self.emulator.counts().requests_of("get")
    }

    /// An event of a user, as the provider would sign it.
    async fn deliver(&self, id: &str) -> Answer {
        let secret = &self.emulator.credentials().webhook_secret;
        let now = now_seconds();
        Delivery::by(secret, now, user(id, now * 1000).to_string()).post(self).await
    }
}

fn assert_refused(answer: &Answer, code: &str) {
    answer.assert_problem(403, code);
    assert_eq!(answer.headers["cache-control"], "no-store");
}

fn assert_not_synced(answer: &Answer) {
    answer.assert_problem(503, "user_not_synced");
    let seconds: u32 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds > 0);
    assert_eq!(answer.headers["cache-control"], "no-store");
}
