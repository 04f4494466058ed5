//! `/v1/users`: read and admin tokens list and show users; an admin token overrides roles and
//! plans.
//!
//! An override is stored here and sent to the provider; `null` clears one that the provider has not
//! acknowledged yet. All other fields of a user belong to the provider.

use super::authorization::require;
use super::pagination::{ListPage, PageRequest, query_pairs};
use super::{Answer, AppState, Problem, body, json_no_store, storable};
use crate::access::Access;
use crate::domain::{AllowedValues, OverrideChange, OverrideChanges};
use crate::store::{OverrideError, USER_FIELDS, UserFilter, UserRecord};
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Path, Payload};
use serde_json::{Map, Value};

const PARAMETERS: [&str; 6] = ["limit", "cursor", "status", "role", "plan", "email"];

const STATUSES: [&str; 4] = ["active", "banned", "locked", "deleted"];

pub(super) async fn get(state: Data<AppState>, request: HttpRequest, id: Path<String>) -> Answer {
    require(&state, &request, Access::ReadUsers)?;
    let id = storable(id).ok_or_else(not_found)?;
    let user = state.store.find_user(id).await?.ok_or_else(not_found)?;
    Ok(json_no_store(user))
}

pub(super) fn not_found() -> Problem {
    let detail = "no user has this id, neither ours nor the provider's";
    Problem::new(StatusCode::NOT_FOUND, "user_not_found", detail)
}

pub(super) async fn list(state: Data<AppState>, request: HttpRequest) -> Answer {
    require(&state, &request, Access::ReadUsers)?;
    let pairs = query_pairs(request.query_string(), &PARAMETERS)?;
    let PageRequest { limit, after } = PageRequest::parse(&pairs)?;
    let text = |name: &str| pairs.get(name).filter(|value| !value.is_empty()).cloned();
    let status = text("status");
    if status.as_ref().is_some_and(|status| !STATUSES.contains(&status.as_str())) {
        let detail = "`status` is one of active, banned, locked, deleted";
        return Err(Problem::bad_request("invalid_status", detail));
    }
    let email_lower = text("email").map(|email| email.to_lowercase());
    let filter = UserFilter { role: text("role"), plan: text("plan"), status, email_lower };
    let data = state.store.list_users(filter, after, limit + 1).await?;
    Ok(json_no_store(ListPage::new(data, limit, UserRecord::id)))
}

pub(super) async fn set_override(
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
    payload: Payload,
) -> Answer {
    let token_name = require(&state, &request, Access::Administer)?;
    let body = body::read(payload).await?;
    let overrides = parse_override(&state, &body)?;
    let id = storable(id).ok_or_else(not_found)?;
    let words = state.entitlements.clone();
    let (role, plan) = (overrides.role.to_string(), overrides.plan.to_string());
    let user = state.store.set_override(id, words, overrides, state.store.now()).await?;
    let token = &token_name.0;
    tracing::info!(token, user.id = user.id(), role, plan, "an operator set an override");
    if let Some(sync) = &state.sync {
        sync.wake_write_back();
    }
    Ok(json_no_store(user))
}

fn parse_override(state: &AppState, body: &[u8]) -> Result<OverrideChanges, Problem> {
    let fields: Map<String, Value> = serde_json::from_slice(body).map_err(|_| {
        let detail = "send a JSON object with `role`, `plan` or both, each a word or null";
        Problem::bad_request("invalid_body", detail)
    })?;
    let owned = |name: &&String| !is_ours(name) && USER_FIELDS.contains(&name.as_str());
    if let Some(owned) = fields.keys().find(owned) {
        let detail =
            format!("`{owned}` belongs to the provider; change it there, and it is copied here");
        return Err(unprocessable("provider_owned", detail));
    }
    if fields.is_empty() || !fields.keys().all(|name| is_ours(name)) {
        return Err(unprocessable("unknown_field", "only `role` and `plan` can be set".into()));
    }
    Ok(OverrideChanges {
        role: override_change(&fields, "role", &state.entitlements.roles)?,
        plan: override_change(&fields, "plan", &state.entitlements.plans)?,
    })
}

fn unprocessable(code: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
}

fn is_ours(field: &str) -> bool {
    matches!(field, "role" | "plan")
}

fn override_change(
    fields: &Map<String, Value>,
    name: &str,
    known: &AllowedValues,
) -> Result<OverrideChange, Problem> {
    match fields.get(name) {
        None => Ok(OverrideChange::Keep),
        Some(Value::Null) => Ok(OverrideChange::Clear),
        Some(Value::String(word)) if known.knows(word) => Ok(OverrideChange::Set(word.clone())),
        Some(_) => {
            let detail =
                format!("`{name}` is null or a word that USERSYNC_{}S knows", name.to_uppercase());
            Err(unprocessable("unknown_word", detail))
        }
    }
}

impl From<OverrideError> for Problem {
    fn from(error: OverrideError) -> Self {
        match error {
            OverrideError::NotFound => not_found(),
            OverrideError::Deleted => {
                Self::new(StatusCode::CONFLICT, "user_deleted", "this user is deleted")
            }
            OverrideError::Store(error) => error.into(),
        }
    }
}
