//! `GET /v1/write-backs`: what the provider does not have yet, and why. An admin token is required.

use super::authorization::require;
use super::pagination::{ListPage, PageRequest, next_cursor, query_pairs};
use super::{AppState, Problem, json_no_store};
use crate::access::Access;
use crate::store::write_backs::STATES;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

pub(super) async fn list(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    require(&state, &request, Access::Administer)?;
    let pairs = query_pairs(request.query_string(), &["limit", "cursor", "state"])?;
    let PageRequest { limit, after } = PageRequest::parse(&pairs)?;
    let wanted = pairs.get("state").filter(|state| !state.is_empty()).cloned();
    if wanted.as_ref().is_some_and(|wanted| !STATES.contains(&wanted.as_str())) {
        let detail = format!("`state` is one of {}", STATES.join(", "));
        return Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_state", detail));
    }
    let store = &state.store;
    let mut data = store.list_write_backs(state.source, wanted, after, limit + 1).await?;
    let next_cursor = next_cursor(&mut data, limit, |last| last.external_id());
    let page = ListPage { data, next_cursor };
    Ok(json_no_store(page))
}
