//! Asks the desk about a request's bearer token.

use super::{AppState, Problem};
use crate::access::{Access, Holder};
use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};

/// Lets the request pass, and says whose it is; or says why not.
pub(super) fn require<'a>(
    state: &'a AppState,
    request: &HttpRequest,
    access: Access,
) -> Result<&'a Holder, Problem> {
    let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let holder = state.tokens.decide(header, access)?;
    tracing::debug!(token = holder.0, "a token was accepted");
    Ok(holder)
}
