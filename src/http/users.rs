//! `GET /v1/users` and `GET /v1/users/{id}`, behind an admin or read token.

use super::authorization::require;
use super::{AppState, Problem};
use crate::access::Access;
use crate::store::{UserFilter, UserRecord};
use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use std::collections::HashMap;

/// How many users a page holds unless the caller says.
const DEFAULT_LIMIT: i64 = 100;

/// How many users a page may hold.
const LIMITS: std::ops::RangeInclusive<i64> = 1..=500;

/// What can be asked for.
const PARAMETERS: [&str; 6] = ["limit", "cursor", "status", "role", "plan", "email"];

/// What a user's status may be.
const STATUSES: [&str; 4] = ["active", "banned", "locked", "deleted"];

/// A page of a list.
#[derive(Serialize)]
pub(super) struct ListPage<T> {
    pub(super) data: Vec<T>,
    pub(super) next_cursor: Option<String>,
}

pub(super) async fn get(
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    require(&state, &request, Access::ReadUsers)?;
    let id = id.into_inner();
    // No database holds a NUL, and PostgreSQL refuses to be asked for one.
    let found = if id.contains('\0') { None } else { state.store.find_user(id).await? };
    let user = found.ok_or_else(not_found)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(user))
}

/// Says that there is no such user.
pub(super) fn not_found() -> Problem {
    let detail = "no user has this id, neither ours nor the provider's as far as events have come";
    Problem::new(StatusCode::NOT_FOUND, "user_not_found", detail)
}

pub(super) async fn list(
    state: Data<AppState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    require(&state, &request, Access::ReadUsers)?;
    let query = Query::parse(request.query_string())?;
    let PageRequest { limit, after } = query.paging;
    let mut data = state.store.list_users(query.filter, after, limit + 1).await?;
    let next_cursor = next_cursor(&mut data, limit, UserRecord::id);
    let page = ListPage { data, next_cursor };
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(page))
}

/// Which part of a list is asked for.
pub(super) struct PageRequest {
    /// How many at most.
    pub(super) limit: i64,
    /// Behind which id.
    pub(super) after: Option<String>,
}

impl PageRequest {
    /// Reads `limit` and `cursor`.
    pub(super) fn parse(pairs: &HashMap<String, String>) -> Result<Self, Problem> {
        let limit = match pairs.get("limit") {
            None => DEFAULT_LIMIT,
            Some(text) => {
                text.parse().ok().filter(|limit| LIMITS.contains(limit)).ok_or_else(|| {
                    Problem::bad_request("invalid_limit", "`limit` is a number from 1 to 500")
                })?
            }
        };
        let cursor = pairs.get("cursor").filter(|cursor| !cursor.is_empty());
        let after = cursor.map(|cursor| decode(cursor)).transpose()?;
        Ok(Self { limit, after })
    }
}

/// Takes the one that is too many off a page, and says where the next page begins.
pub(super) fn next_cursor<T>(
    data: &mut Vec<T>,
    limit: i64,
    id: impl Fn(&T) -> &str,
) -> Option<String> {
    if i64::try_from(data.len()).unwrap_or(i64::MAX) <= limit {
        return None;
    }
    data.pop();
    data.last().map(|last| URL_SAFE_NO_PAD.encode(id(last)))
}

/// The parameters of a query, which may have these names and no others.
pub(super) fn query_pairs(text: &str, names: &[&str]) -> Result<HashMap<String, String>, Problem> {
    let pairs: HashMap<String, String> = form(text);
    if let Some(unknown) = pairs.keys().find(|name| !names.contains(&name.as_str())) {
        let detail = format!(
            "there is no parameter `{}`; there are {}",
            printable(unknown),
            names.join(", ")
        );
        return Err(Problem::bad_request("unknown_parameter", detail));
    }
    if pairs.values().any(|value| value.contains('\0')) {
        let detail = "a parameter holds a NUL character, which nobody has";
        return Err(Problem::bad_request("invalid_parameter", detail));
    }
    Ok(pairs)
}

struct Query {
    filter: UserFilter,
    paging: PageRequest,
}

impl Query {
    fn parse(text: &str) -> Result<Self, Problem> {
        let pairs = query_pairs(text, &PARAMETERS)?;
        let text = |name: &str| pairs.get(name).filter(|value| !value.is_empty()).cloned();
        let paging = PageRequest::parse(&pairs)?;
        let status = text("status");
        if status.as_ref().is_some_and(|status| !STATUSES.contains(&status.as_str())) {
            let detail = "`status` is one of active, banned, locked, deleted";
            return Err(Problem::bad_request("invalid_status", detail));
        }
        let email_lower = text("email").map(|email| email.to_lowercase());
        let filter = UserFilter { role: text("role"), plan: text("plan"), status, email_lower };
        Ok(Self { filter, paging })
    }
}

fn form(text: &str) -> HashMap<String, String> {
    actix_web::web::Query::<HashMap<String, String>>::from_query(text)
        .map(actix_web::web::Query::into_inner)
        .unwrap_or_default()
}

fn decode(cursor: &str) -> Result<String, Problem> {
    let invalid = || {
        Problem::bad_request(
            "invalid_cursor",
            "`cursor` is not one that an earlier page gave as `next_cursor`",
        )
    };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid()).map(crate::domain::text::without_nul)
}

/// A name as it may be repeated: short, and without anything that is not a word.
fn printable(name: &str) -> String {
    name.chars()
        .filter(|character| character.is_ascii_alphanumeric() || *character == '_')
        .take(40)
        .collect()
}
