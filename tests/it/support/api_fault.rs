//! What may become of a call to the provider on its way there, or of the answer on its way back.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::stream;
use std::io;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiFault {
    /// 429 with `Retry-After` of so many seconds.
    LimitedFor(u64),
    Limited,
    Failed(u16),
    /// A proxy's HTML page instead of the provider's JSON.
    Html,
    Cut,
    Slow(Duration),
}

impl ApiFault {
    /// One of each kind, with delays that a test can bear.
    pub const ALL: [Self; 7] = [
        Self::LimitedFor(1),
        Self::Limited,
        Self::Failed(500),
        Self::Cut,
        Self::Html,
        Self::Slow(Duration::from_millis(300)),
        Self::Failed(503),
    ];

    /// The answer that comes in place of the provider's own, where there is one.
    pub fn instead(self) -> Option<HttpResponse> {
        let answer = |status: u16| HttpResponse::build(StatusCode::from_u16(status).unwrap());
        match self {
            Self::LimitedFor(seconds) => {
                Some(answer(429).insert_header((RETRY_AFTER, seconds.to_string())).body("{}"))
            }
            Self::Limited => Some(answer(429).body("{}")),
            Self::Failed(status) => Some(answer(status).body(r#"{"errors":[]}"#)),
            Self::Html => Some(answer(502).content_type("text/html").body("<html>Bad gateway")),
            Self::Cut | Self::Slow(_) => None,
        }
    }

    pub async fn applied_to(self, mut answer: HttpResponseBuilder, body: Bytes) -> HttpResponse {
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
