//! Checks the bearer token of a request. Called by every handler of operators and applications.

use super::{AppState, Problem};
use crate::access::{Access, TokenName};
use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};

/// Returns the name of the token, or why the request is refused.
pub(super) fn require<'a>(
    state: &'a AppState,
    request: &HttpRequest,
    access: Access,
) -> Result<&'a TokenName, Problem> {
    let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let token_name = state.tokens.decide(header, access)?;
    tracing::debug!(token = token_name.0, "a token was accepted");
    Ok(token_name)
}
