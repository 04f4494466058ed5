//! `GET /v1/write-backs`: what the provider does not have yet, and why. An admin token is required.

use super::authorization::require;
use super::pagination::{ListPage, PageRequest, query_pairs};
use super::{Answer, AppState, Problem, json_no_store};
use crate::access::Access;
use crate::store::write_backs::STATES;
use actix_web::HttpRequest;
use actix_web::web::Data;

pub(super) async fn list(state: Data<AppState>, request: HttpRequest) -> Answer {
    require(&state, &request, Access::Administer)?;
    let pairs = query_pairs(request.query_string(), &["limit", "cursor", "state"])?;
    let PageRequest { limit, after } = PageRequest::parse(&pairs)?;
    let wanted = pairs.get("state").filter(|state| !state.is_empty()).cloned();
    if wanted.as_ref().is_some_and(|wanted| !STATES.contains(&wanted.as_str())) {
        let detail = format!("`state` is one of {}", STATES.join(", "));
        return Err(Problem::bad_request("invalid_state", detail));
    }
    let store = &state.store;
    let data = store.list_write_backs(state.source, wanted, after, limit + 1).await?;
    Ok(json_no_store(ListPage::new(data, limit, |last| last.external_id())))
}
