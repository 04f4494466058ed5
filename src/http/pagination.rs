//! Pages of lists: `limit` and `cursor` of a request, `next_cursor` of its answer.
//!
//! Called by every handler that lists something; knows no resource. A cursor is the id of the last
//! item of a page, base64url-encoded so that clients do not build their own.

use super::Problem;
use actix_web::web::Query;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use std::collections::HashMap;

const DEFAULT_LIMIT: i64 = 100;

const LIMITS: std::ops::RangeInclusive<i64> = 1..=500;

#[derive(Serialize)]
pub(super) struct ListPage<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

pub(super) struct PageRequest {
    pub(super) limit: i64,
    /// The id of the last item of the previous page.
    pub(super) after: Option<String>,
}

impl PageRequest {
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

impl<T> ListPage<T> {
    /// Handlers read `limit` + 1 items; the one too many says that there is a next page.
    pub(super) fn new(mut data: Vec<T>, limit: i64, id: impl Fn(&T) -> &str) -> Self {
        let mut next_cursor = None;
        if i64::try_from(data.len()).unwrap_or(i64::MAX) > limit {
            data.pop();
            next_cursor = data.last().map(|last| URL_SAFE_NO_PAD.encode(id(last)));
        }
        Self { data, next_cursor }
    }
}

/// Parses a query string that may contain these parameters only.
pub(super) fn query_pairs(text: &str, names: &[&str]) -> Result<HashMap<String, String>, Problem> {
    let pairs = Query::<HashMap<String, String>>::from_query(text);
    let pairs = pairs.map(Query::into_inner).unwrap_or_default();
    if let Some(unknown) = pairs.keys().find(|name| !names.contains(&name.as_str())) {
        let detail = format!(
            "there is no parameter `{}`; the parameters are {}",
            printable(unknown),
            names.join(", ")
        );
        return Err(Problem::bad_request("unknown_parameter", detail));
    }
    if pairs.values().any(|value| value.contains('\0')) {
        let detail = "a parameter contains a NUL character, which no value has";
        return Err(Problem::bad_request("invalid_parameter", detail));
    }
    Ok(pairs)
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

/// A parameter's name, safe to repeat in an error message.
fn printable(name: &str) -> String {
    name.chars()
        .filter(|character| character.is_ascii_alphanumeric() || *character == '_')
        .take(40)
        .collect()
}
