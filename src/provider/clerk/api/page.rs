//! Reads the bodies of good answers: users, pages, counts and ids.
//!
//! Called by the client. Pure. Each user of a page is borrowed as raw JSON and read by itself, so that
//! one that cannot be read does not hide the others.

use crate::domain::{Origin, Snapshot, Timestamp};
use crate::provider::clerk::Clerk;
use crate::provider::clerk::payload::{self, PayloadError};
use crate::provider::{ApiError, Page};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Names the rule that was broken and the place, never the value.
fn unreadable(what: &str, fault: &PayloadError) -> ApiError {
    let (reason, path) = (fault.reason.as_str(), fault.path.as_deref().unwrap_or("data"));
    ApiError::Protocol(format!("{what}: {reason} at {path}"))
}

fn snapshot(raw: &RawValue, clerk: &Clerk, sent_at: Timestamp) -> Result<Snapshot, PayloadError> {
    clerk.snapshot(payload::whole(raw)?, Origin::Fetch, Some(sent_at))
}

/// One user, which must be the requested one.
pub(super) fn user(
    body: &[u8],
    external_id: &str,
    clerk: &Clerk,
    sent_at: Timestamp,
) -> Result<Snapshot, ApiError> {
    let raw: &RawValue = json(body)?;
    let snapshot = snapshot(raw, clerk, sent_at).map_err(|fault| unreadable("no user", &fault))?;
    if snapshot.external_id == external_id {
        Ok(snapshot)
    } else {
        Err(ApiError::Protocol("another user than the requested one".to_owned()))
    }
}

/// The form of other lists of the API.
#[derive(Deserialize)]
struct ListEnvelope<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

/// A page, bare or wrapped: the provider's documents show both (trap 38).
pub(super) fn page(body: &[u8], clerk: &Clerk, sent_at: Timestamp) -> Result<Page, ApiError> {
    let raw: Vec<&RawValue> = match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => json(body)?,
        _ => json::<ListEnvelope<'_>>(body)?.data,
    };
    let mut page = Page { users: Vec::with_capacity(raw.len()), ..Page::default() };
    for raw in raw {
        match snapshot(raw, clerk, sent_at) {
            Ok(user) => {
                page.users.push(user);
                page.unreadable_last = 0;
            }
            Err(fault) => {
                let id = id(raw);
                let path = fault.path;
                tracing::debug!(user.external_id = id, path, "a user of a page cannot be read");
                page.unreadable += 1;
                page.unreadable_last += 1;
                page.unreadable_ids.extend(id);
            }
        }
    }
    Ok(page)
}

/// The id of a user that cannot be read otherwise.
fn id(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct IdOnly {
        id: String,
    }
    serde_json::from_str::<IdOnly>(raw.get()).ok().map(|identified| identified.id)
}

pub(super) fn count(body: &[u8]) -> Result<u64, ApiError> {
    #[derive(Deserialize)]
    struct TotalCount {
        total_count: u64,
    }
    json::<TotalCount>(body).map(|count| count.total_count)
}

/// The `kid`s of a key set that are ids of instances.
pub(super) fn instances(body: &[u8]) -> Result<Vec<String>, ApiError> {
    #[derive(Deserialize)]
    struct InstanceKeys {
        keys: Vec<Value>,
    }
    let set: InstanceKeys = json(body)?;
    let ids = set.keys.iter().filter_map(|key| key.get("kid")?.as_str());
    let mut ids: Vec<String> = ids.filter(|id| id.starts_with("ins_")).map(str::to_owned).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    // The parser's own text is left out: it may quote a value.
    serde_json::from_slice(body).map_err(|error| {
        let what = if error.is_data() { "JSON of another shape" } else { "no JSON" };
        ApiError::Protocol(what.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{count, instances, page, user};
    use crate::domain::Timestamp;
    use crate::provider::clerk::api::tests::is_protocol;
    use crate::provider::clerk::tests::clerk;
    use crate::provider::{ApiError, Page};

    fn read(body: &str) -> Result<Page, ApiError> {
        page(body.as_bytes(), &clerk(&[]), Timestamp::from_millis(5).unwrap())
    }

    #[test]
    fn trap_38_a_page_is_read_bare_or_wrapped() {
        for body in [
            r#" [{"id":"user_1"},{"id":"user_2"}]"#,
            r#"{"data":[{"id":"user_1"},{"id":"user_2"}],"total_count":2}"#,
        ] {
            let page = read(body).unwrap();
            let ids: Vec<_> = page.users.iter().map(|user| user.external_id.as_str()).collect();
            assert_eq!((ids, page.unreadable), (vec!["user_1", "user_2"], 0));
        }
        assert!(read("[]").unwrap().users.is_empty());
    }

    #[test]
    fn one_broken_user_is_counted_and_hides_no_other() {
        let page =
            read(r#"[{"id":"user_1"},{"id":7},null,"x",{"id":"user_2","banned":"\ud800"},{"id":"user_3"}]"#)
                .unwrap();
        assert_eq!((page.users.len(), page.unreadable, page.unreadable_last), (2, 4, 0));
        assert_eq!(page.unreadable_ids, ["user_2"]);
        let page = read(r#"[7,{"id":"user_1"},{"id":"user_2","banned":7},{}]"#).unwrap();
        assert_eq!((page.users.len(), page.unreadable, page.unreadable_last), (1, 3, 2));
    }

    #[test]
    fn what_is_no_list_is_no_empty_page() {
        for body in ["", "null", "{}", r#"{"data":null}"#, r#"{"data":{}}"#, "<html>", "[", "7"] {
            assert!(is_protocol(&read(body)), "{body}");
        }
    }

    #[test]
    fn a_fetched_user_is_dated_by_the_instant_of_sending() {
        let read =
            |id| user(br#"{"id":"user_1"}"#, id, &clerk(&[]), Timestamp::from_millis(5).unwrap());
        let snapshot = read("user_1").unwrap();
        assert_eq!(
            (snapshot.version.seen_at_ms, snapshot.fetched_at),
            (5, Timestamp::from_millis(5))
        );
        assert!(is_protocol(&read("user_2")));
    }

    #[test]
    fn an_error_names_the_place_of_a_value_and_not_the_value() {
        let body = br#"{"id":"user_1","username":["ada"]}"#;
        let error = user(body, "user_1", &clerk(&[]), Timestamp::from_millis(5).unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("no user: wrong_type at data.username"), "{error}");
        for body in ["<html>ada</html>", "[]", r#""ada""#, ""] {
            let error =
                user(body.as_bytes(), "user_1", &clerk(&[]), Timestamp::from_millis(5).unwrap())
                    .unwrap_err();
            assert!(!error.to_string().contains("ada"), "{error}");
        }
    }

    #[test]
    fn counts_and_instances_are_read() {
        assert_eq!(count(br#"{"object":"total_count","total_count":7}"#), Ok(7));
        assert!(is_protocol(&count(b"[]")));
        let keys = br#"{"keys":[{"kid":"ins_2"},{"kid":"ins_1","x":1},{"kid":"other"},{"kid":7},3,{"kid":"ins_2"}]}"#;
        assert_eq!(instances(keys).unwrap(), ["ins_1", "ins_2"]);
        assert!(is_protocol(&instances(b"{}")));
    }
}
