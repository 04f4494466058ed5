//! Reads the JSON body of an operator's request, within 64 KiB and 10 s.
//!
//! Called by handlers after they have checked the request's token.

use super::Problem;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Payload};
use std::time::Duration;

const MOST_BYTES: usize = 64 * 1024;

const WITHIN: Duration = Duration::from_secs(10);

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
