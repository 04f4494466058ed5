//! What may become of a question on its way to the provider, or of the answer on its way back.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::stream;
use std::io;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// 429 that says to come again after so many seconds.
    LimitedFor(u64),
    /// 429 that does not say when to come again.
    Limited,
    /// A 5xx of the provider.
    Failed(u16),
    /// A page of some proxy instead of the provider's JSON.
    Proxy,
    /// The connection breaks in the middle of the answer.
    Cut,
    /// The answer comes late.
    Slow(Duration),
}

impl Trouble {
    /// All that there are, with waits that a test can bear.
    pub const ALL: [Self; 7] = [
        Self::LimitedFor(1),
        Self::Limited,
        Self::Failed(500),
        Self::Cut,
        Self::Proxy,
        Self::Slow(Duration::from_millis(300)),
        Self::Failed(503),
    ];

    /// The answer that comes before the question gets through, where there is one.
    pub fn instead(self) -> Option<HttpResponse> {
        let said = |status: u16| HttpResponse::build(StatusCode::from_u16(status).unwrap());
        match self {
            Self::LimitedFor(seconds) => {
                Some(said(429).insert_header((RETRY_AFTER, seconds.to_string())).body("{}"))
            }
            Self::Limited => Some(said(429).body("{}")),
            Self::Failed(status) => Some(said(status).body(r#"{"errors":[]}"#)),
            Self::Proxy => Some(said(502).content_type("text/html").body("<html>Bad gateway")),
            Self::Cut | Self::Slow(_) => None,
        }
    }

    /// What becomes of the provider's own answer.
    pub async fn on_the_way(self, mut answer: HttpResponseBuilder, body: Bytes) -> HttpResponse {
        if let Self::Slow(delay) = self {
            tokio::time::sleep(delay).await;
        }
        if self != Self::Cut {
            return answer.body(body);
        }
        let broken = io::Error::from(io::ErrorKind::ConnectionReset);
        answer.streaming(stream::iter([Ok(body.slice(..body.len() / 2)), Err(broken)]))
    }
}
