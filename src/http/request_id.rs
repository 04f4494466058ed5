//! Middleware that gives every answer an `x-request-id`: the client's if it is plain text, else a
//! new one. It also renders each [`Problem`], because only here its request id is known, and logs
//! its cause.

use super::Problem;
use actix_web::Error;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Ids of one process share a random prefix, followed by a counter.
static PROCESS: LazyLock<String> = LazyLock::new(|| {
    let text = Uuid::new_v4().simple().to_string();
    text.chars().take(12).collect()
});
static COUNT: AtomicU64 = AtomicU64::new(0);

pub async fn tag<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let given = request.headers().get(&HEADER).filter(|value| is_plain(value));
    let id = given.cloned().unwrap_or_else(fresh);
    let response = next.call(request).await?;
    let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
    let mut response = match problem {
        None => response.map_into_left_body(),
        Some(problem) => {
            let request_id = id.to_str().unwrap_or_default();
            if let Some(cause) = problem.cause() {
                tracing::error!(request.id = request_id, "{problem}: {cause}");
            }
            let answer = problem.answer(request_id).map_into_right_body();
            response.into_response(answer)
        }
    };
    response.headers_mut().insert(HEADER, id);
    Ok(response)
}

fn fresh() -> HeaderValue {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    HeaderValue::try_from(format!("{}-{count:x}", *PROCESS))
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Accepts only what is harmless in a log line and in HTML.
fn is_plain(value: &HeaderValue) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    (1..=64).contains(&value.len()) && value.as_bytes().iter().all(word)
}
