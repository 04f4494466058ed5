//! The requests of the API: address, parameters and body.
//!
//! Built by the client for each call and sent any number of times. Pure.

use super::limits::{OTHER_BYTES, PAGE_BYTES, USER_BYTES};
use crate::domain::text::LONGEST_ID_BYTES;
use crate::provider::{ApiError, Call, ListOrder, ListQuery, Position};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use url::Url;

/// A page with a larger limit is cut silently, to 10 (trap 32).
const LONGEST_PAGE: u16 = 500;

#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) call: Call,
    /// The id of the user, where the request is about one.
    pub(super) user: Option<&'a str>,
    pub(super) url: Url,
    pub(super) body: Option<Bytes>,
}

impl<'a> Request<'a> {
    /// Its address is the base with its own path, then `v1` and `segments`, each percent-encoded.
    fn new(call: Call, base: &Url, segments: &[&str]) -> Self {
        let mut url = base.clone();
        // Only an address without a host has no segments, and the settings allow none.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("v1").extend(segments);
        }
        Self { call, user: None, url, body: None }
    }

    /// `GET /v1/users/{id}`
    pub(super) fn user(base: &Url, id: &'a str) -> Result<Self, ApiError> {
        let request = Self::new(Call::User, base, &["users", checked(id)?]);
        Ok(Self { user: Some(id), ..request })
    }

    /// `PATCH /v1/users/{id}/metadata`. It merges, and changes public metadata only (trap 29); `PUT`,
    /// or the user's own route, would replace the application's values (trap 28).
    pub(super) fn fill(
        base: &Url,
        id: &'a str,
        metadata: &Map<String, Value>,
    ) -> Result<Self, ApiError> {
        let request = Self::new(Call::Fill, base, &["users", checked(id)?, "metadata"]);
        let body = json!({ "public_metadata": metadata }).to_string().into();
        Ok(Self { user: Some(id), body: Some(body), ..request })
    }

    /// `GET /v1/users`
    pub(super) fn users(base: &Url, query: &ListQuery) -> Self {
        let mut request = Self::new(Call::Users, base, &["users"]);
        let mut add = |name: &str, value: &str| {
            request.url.query_pairs_mut().append_pair(name, value);
        };
        add("limit", &query.limit.clamp(1, LONGEST_PAGE).to_string());
        // Never `+created_at`: in a query a plus sign is a space (trap 34).
        add(
            "order_by",
            match query.order {
                ListOrder::Created => "created_at",
                ListOrder::NewestUpdated => "-updated_at",
            },
        );
        for id in query.ids.iter().take(ListQuery::MOST_IDS) {
            // A leading minus would exclude the user, an explicit plus includes it.
            let sign = if id.starts_with(['-', '+']) { "+" } else { "" };
            add("user_id", &format!("{sign}{id}"));
        }
        match &query.position {
            Position::First => {}
            Position::After(id) => add("starting_after", id),
            Position::Offset(users) => add("offset", &users.to_string()),
        }
        // "After" is exclusive, so the millisecond before is sent. Where that is no time the parameter
        // is left out: more users are listed, none is missed.
        let after = query.created_from.map(|from| from.as_millis() - 1).filter(|after| *after >= 0);
        if let Some(after) = after {
            add("created_at_after", &after.to_string());
        }
        request
    }

    /// `GET /v1/users/count`
    pub(super) fn count(base: &Url) -> Self {
        Self::new(Call::Count, base, &["users", "count"])
    }

    /// `GET /v1/jwks`
    pub(super) fn instances(base: &Url) -> Self {
        Self::new(Call::Instances, base, &["jwks"])
    }

    pub(super) const fn has_effect(&self) -> bool {
        matches!(self.call, Call::Fill)
    }

    /// Whether the provider's rate limit counts it: the key set has none (its page "system limits").
    pub(super) const fn is_counted(&self) -> bool {
        !matches!(self.call, Call::Instances)
    }

    pub(super) const fn most_bytes(&self) -> usize {
        match self.call {
            Call::User | Call::Fill => USER_BYTES,
            Call::Users => PAGE_BYTES,
            Call::Count | Call::Instances => OTHER_BYTES,
        }
    }
}

/// An id that stays one segment of the path when it is percent-encoded. URL parsing drops dots and
/// control characters even then, and the request would go to another route.
fn checked(id: &str) -> Result<&str, ApiError> {
    let dots_only = matches!(id, "" | "." | "..");
    if dots_only || id.len() > LONGEST_ID_BYTES || id.chars().any(char::is_control) {
        return Err(ApiError::Rejected { status: 400, code: "no_user_id".to_owned() });
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::Request;
    use crate::domain::Timestamp;
    use crate::provider::{ApiError, ListQuery, Position};
    use url::Url;

    fn base() -> Url {
        "https://api.example.com/proxy/".parse().unwrap()
    }

    fn query(query: &ListQuery) -> String {
        Request::users(&base(), query).url.query().unwrap().to_owned()
    }

    #[test]
    fn the_path_of_the_base_is_kept() {
        let user = Request::user(&base(), "user_1").unwrap();
        assert_eq!(user.url.as_str(), "https://api.example.com/proxy/v1/users/user_1");
        let bare = Request::count(&"https://api.example.com".parse().unwrap());
        assert_eq!(bare.url.as_str(), "https://api.example.com/v1/users/count");
    }

    #[test]
    fn an_id_never_changes_the_route() {
        let path = |id| Request::user(&base(), id).map(|user| user.url.path().to_owned());
        for (id, segment) in [
            ("count", "count"),
            ("a/b", "a%2Fb"),
            ("../jwks", "..%2Fjwks"),
            ("%2e%2e", "%252e%252e"),
            ("a?b=c#d", "a%3Fb=c%23d"),
            ("a\\b", "a%5Cb"),
            ("a b", "a%20b"),
        ] {
            assert_eq!(path(id), Ok(format!("/proxy/v1/users/{segment}")));
        }
        for id in ["", ".", "..", ".\t.", "\n", "user_1\n", "\0", &"x".repeat(256)] {
            let refused = Err(ApiError::Rejected { status: 400, code: "no_user_id".into() });
            assert_eq!(path(id), refused, "{id:?}");
        }
    }

    #[test]
    fn trap_32_the_limit_of_a_page_is_kept_where_it_is_obeyed() {
        let limit = |limit| query(&ListQuery { limit, ..ListQuery::default() });
        assert_eq!(limit(0), "limit=1&order_by=created_at");
        assert_eq!(limit(500), "limit=500&order_by=created_at");
        assert_eq!(limit(501), "limit=500&order_by=created_at");
    }

    #[test]
    fn trap_34_the_order_is_named_without_a_plus() {
        let position = Position::After("user_+1".into());
        let query = query(&ListQuery { position, limit: 5, ..ListQuery::default() });
        assert_eq!(query, "limit=5&order_by=created_at&starting_after=user_%2B1");
    }

    #[test]
    fn a_window_of_creation_misses_no_user_at_its_beginning() {
        let window = |from| {
            let (position, created_from) = (Position::Offset(7), Timestamp::from_millis(from));
            query(&ListQuery { position, limit: 5, created_from, ..ListQuery::default() })
        };
        assert_eq!(window(1000), "limit=5&order_by=created_at&offset=7&created_at_after=999");
        assert_eq!(window(0), "limit=5&order_by=created_at&offset=7");
    }
}
