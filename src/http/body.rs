//! The JSON body of a request of operators: small, soon there, and read only after its sender is
//! known.

use super::Problem;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Payload};
use std::time::Duration;

/// How many bytes such a body may have.
const MOST_BYTES: usize = 64 * 1024;

/// How long it may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Reads a body.
pub(super) async fn read(payload: Payload) -> Result<Bytes, Problem> {
    match tokio::time::timeout(WITHIN, payload.to_bytes_limited(MOST_BYTES)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(_))) => {
            Err(Problem::bad_request("body_incomplete", "the body ended early; send it again"))
        }
        Ok(Err(_)) => {
            let detail = "the body is larger than 64 KiB";
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail))
        }
        Err(_) => {
            let detail = "the body took longer than 10 s";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", detail))
        }
    }
}
