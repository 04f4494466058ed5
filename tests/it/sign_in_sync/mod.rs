//! The sign-in sync: a browser whose token lacks our id is brought in step and redirected.

mod arrival;
mod loops;
mod refusals;
mod targets;

use crate::support::{Engine, TestApp};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use serde_json::Value;

const PATH: &str = "/api/clerk/syncUsers";

const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const JSON: &str = "application/json";

/// A service that has verified its key already, by another user's session: from here on each call
/// is caused by the visitor, a user whom it does not know yet. `calls` begins at zero.
async fn proven(engine: Engine, variables: &[(&str, &str)]) -> (TestApp, Calls, String, String) {
    let app = TestApp::builder(engine).manual_events().variables(variables).start().await;
    let token = app.emulator.session_token(&app.sign_up("Somebody"));
    Visitor::browser(&app, &token).visits(PATH).await.location();
    app.quiet().await;
    let before = Calls::default().made(&app);
    let id = app.sign_up("Ada");
    let token = app.emulator.session_token(&id);
    (app, Calls { before }, id, token)
}

/// A service, a user whom it does not know yet, and that user's session token.
async fn signed_in(engine: Engine, variables: &[(&str, &str)]) -> (TestApp, String, String) {
    let app = TestApp::builder(engine).manual_events().variables(variables).start().await;
    let id = app.sign_up("Ada");
    let token = app.emulator.session_token(&id);
    (app, id, token)
}

#[derive(Default)]
struct Calls {
    before: (u64, u64),
}

impl Calls {
    fn made(&self, app: &TestApp) -> (u64, u64) {
        let counts = app.emulator.counts();
        let (looks, writes) = (counts.requests_of("get"), counts.requests_of("metadata_patch"));
        (looks - self.before.0, writes - self.before.1)
    }
}

#[derive(Debug)]
struct Page {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Page {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        self.header("location").unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        (self.status, self.json()["code"].as_str().unwrap().to_owned())
    }

    fn html(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), Some("text/html; charset=utf-8"), "{self:?}");
        assert_eq!(self.header("cache-control"), Some("no-store"));
        (self.status, &self.text)
    }

    /// After how many seconds a page goes on, and where to, as it stands in the page.
    fn goes_on(&self) -> Option<(u32, &str)> {
        let (_, rest) = self.text.split_once("<meta http-equiv=\"refresh\" content=\"")?;
        let (content, _) = rest.split_once('"')?;
        let (seconds, location) = content.split_once(";url=")?;
        Some((seconds.parse().unwrap(), location))
    }
}

/// A client of the route: its session, and what it accepts.
#[derive(Clone, Copy)]
struct Visitor<'a> {
    app: &'a TestApp,
    token: Option<&'a str>,
    accept: Option<&'a str>,
    referer: Option<&'a str>,
    cookie: Option<&'a str>,
}

impl<'a> Visitor<'a> {
    fn browser(app: &'a TestApp, token: &'a str) -> Self {
        Self { app, token: Some(token), accept: Some(HTML), referer: None, cookie: None }
    }

    fn stranger(app: &'a TestApp) -> Self {
        Self { app, token: None, accept: Some(HTML), referer: None, cookie: None }
    }

    fn accepting(self, accept: Option<&'a str>) -> Self {
        Self { accept, ..self }
    }

    fn coming_from(self, referer: &'a str) -> Self {
        Self { referer: Some(referer), ..self }
    }

    /// With the cookie that an earlier answer set, as `name=value`.
    fn keeping(self, page: &'a Page) -> Self {
        let cookie = page.header("set-cookie").map(|cookie| cookie.split(';').next().unwrap());
        Self { cookie, ..self }
    }

    async fn asks_for(self, redirect_url: &str) -> Page {
        let mut query = url::form_urlencoded::Serializer::new(String::from("?"));
        query.append_pair("redirect_url", redirect_url);
        self.visits(&format!("{PATH}{}", query.finish())).await
    }

    async fn visits(self, path: &str) -> Page {
        self.sends(Method::GET, path).await
    }

    async fn sends(self, method: Method, path: &str) -> Page {
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        let mut request = client.request(method, format!("{}{path}", self.app.origin));
        if let Some(token) = self.token {
            let cookie = self.cookie.unwrap_or("theme=dark");
            request = request.header("cookie", format!("{cookie}; __session={token}"));
        } else if let Some(cookie) = self.cookie {
            request = request.header("cookie", cookie);
        }
        for (name, value) in [("accept", self.accept), ("referer", self.referer)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Page { status, headers, text: answer.text().await.unwrap() }
    }
}
