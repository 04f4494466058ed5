//! Asks the desk about a request's bearer token.

use super::{AppState, Problem};
use crate::access::{Access, TokenName};
use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};

/// Lets the request pass, and says whose it is; or says why not.
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
