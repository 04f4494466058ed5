//! `GET /v1/me`: what it answers, who is refused, and how a missing row is made.

mod answer;
mod outage;
mod refusals;
mod row_creation;

use crate::support::{Answer, Delivery, Engine, TestApp, now_seconds, user};

/// A service whose only calls to the provider are those of `GET /v1/me`.
async fn without_write_back(engine: Engine) -> TestApp {
    TestApp::builder(engine).emulated().variables(&[("USERSYNC_WRITE_BACK", "off")]).start().await
}

/// Likewise, and a user whose row is there: the provider's id, and a session token.
async fn with_row(engine: Engine) -> (TestApp, String, String) {
    let app = without_write_back(engine).await;
    let id = app.sign_up_and_settle("Ada").await;
    let token = app.emulator.session_token(&id);
    (app, id, token)
}

/// Likewise, and a user of whom no event came.
async fn without_row(engine: Engine) -> (TestApp, String, String) {
    let app = without_write_back(engine).await;
    let id = app.sign_up_silently("Ada");
    let token = app.emulator.session_token(&id);
    (app, id, token)
}

impl TestApp {
    /// Signs up a user without an event; returns the provider's id.
    fn sign_up_silently(&self, name: &str) -> String {
        self.emulator.deliver_to(None);
        let id = self.sign_up(name);
        self.emulator.deliver_to(Some(self.client.url.clone()));
        id
    }

    async fn sign_up_and_settle(&self, name: &str) -> String {
        let id = self.sign_up(name);
        self.emulator.wait_until_idle().await;
        assert_eq!(self.user(&id).await["status"], "active");
        id
    }

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
    answer.assert_unavailable("user_not_synced");
    assert_eq!(answer.headers["cache-control"], "no-store");
}
