//! `POST /v1/reconcile`: fetches the users whom an operator names from the provider and applies the
//! answers. An admin token is required.

use super::authorization::require;
use super::{Answer, AppState, Problem, body, json_no_store};
use crate::access::Access;
use crate::domain::text;
use crate::sync::ResyncResult;
use actix_web::HttpRequest;
use actix_web::web::{Data, Payload};
use serde::{Deserialize, Serialize};

const MOST_USERS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResyncBody {
    user_ids: Vec<String>,
    /// Our values replace those of a conflicting user's metadata at the provider.
    #[serde(default)]
    take_over: bool,
}

#[derive(Serialize)]
struct ResyncResponse {
    data: Vec<ResyncResult>,
}

pub(super) async fn resync(
    state: Data<AppState>,
    request: HttpRequest,
    payload: Payload,
) -> Answer {
    let token_name = require(&state, &request, Access::Administer)?;
    let body: ResyncBody =
        serde_json::from_slice(&body::read(payload).await?).map_err(|_| invalid())?;
    let ids: Option<Vec<String>> = body.user_ids.into_iter().map(text::external_id).collect();
    let ids = ids.filter(|ids| (1..=MOST_USERS).contains(&ids.len())).ok_or_else(invalid)?;
    let sync = state.sync()?;
    let users = ids.len();
    tracing::info!(token = token_name.0, users, take_over = body.take_over, "a manual resync");
    let data = sync.resync(ids, body.take_over).await?;
    Ok(json_no_store(ResyncResponse { data }))
}

fn invalid() -> Problem {
    let detail = "send `{\"user_ids\":[\"…\"]}` with 1 to 100 ids, ours or the provider's; `\"take_over\":true` settles conflicts";
    Problem::bad_request("invalid_body", detail)
}
