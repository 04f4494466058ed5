//! The JSON body of a request of operators: small, and read only after its sender is known.

use super::Problem;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Payload};

/// How many bytes such a body may have.
const MOST_BYTES: usize = 64 * 1024;

/// Reads a body.
pub(super) async fn read(payload: Payload) -> Result<Bytes, Problem> {
    match payload.to_bytes_limited(MOST_BYTES).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            Err(Problem::bad_request("body_incomplete", "the body ended early; send it again"))
        }
        Err(_) => {
            let detail = "the body is larger than 64 KiB";
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail))
        }
    }
}
