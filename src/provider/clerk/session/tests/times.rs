//! Tests of a token's times, to the millisecond: before, while and after it is valid, also when it
//! is cached.

use super::signer::{Signer, claims};
use super::{NOW_SECONDS, SessionError, Sessions, by_own_key};
use crate::domain::Timestamp;
use serde_json::{Value, json};

/// The error of a token so many milliseconds after the usual instant.
async fn after(sessions: &Sessions, token: &str, milliseconds: i64) -> Option<SessionError> {
    let now = Timestamp::from_millis(NOW_SECONDS * 1000 + milliseconds).unwrap();
    sessions.verify(token, now).await.err()
}

fn token(replaced: &[(&str, Value)]) -> String {
    Signer::own().token(&claims(replaced))
}

#[tokio::test]
async fn trap_39_the_leeway_is_five_seconds_to_the_millisecond() {
    let expiring = token(&[("exp", json!(NOW_SECONDS + 60))]);
    assert_eq!(after(&by_own_key(), &expiring, 64_999).await, None);
    assert_eq!(after(&by_own_key(), &expiring, 65_000).await, Some(SessionError::TokenExpired));
    let early = token(&[("nbf", json!(NOW_SECONDS + 5))]);
    assert_eq!(after(&by_own_key(), &early, 0).await, None);
    assert_eq!(after(&by_own_key(), &early, -1).await, Some(SessionError::TokenNotYetValid));
    let future = token(&[("iat", json!(NOW_SECONDS + 5))]);
    assert_eq!(after(&by_own_key(), &future, 0).await, None);
    assert_eq!(after(&by_own_key(), &future, -1).await, Some(SessionError::TokenIssuedInTheFuture));
}

#[tokio::test]
async fn trap_39_the_times_of_a_cached_token_are_checked_again() {
    let sessions = by_own_key();
    let token = token(&[("nbf", json!(NOW_SECONDS))]);
    assert_eq!(after(&sessions, &token, 0).await, None);
    assert_eq!(after(&sessions, &token, 64_999).await, None);
    assert_eq!(after(&sessions, &token, 65_000).await, Some(SessionError::TokenExpired));
    assert_eq!(after(&sessions, &token, -5_001).await, Some(SessionError::TokenNotYetValid));
    assert_eq!(after(&sessions, &token, -5_000).await, None);
}

#[tokio::test]
async fn a_token_ends_but_need_not_say_when_it_began() {
    let sessions = by_own_key();
    let no_beginning = token(&[("nbf", Value::Null), ("iat", Value::Null)]);
    assert_eq!(after(&sessions, &no_beginning, 0).await, None);
    let endless = token(&[("exp", Value::Null)]);
    assert_eq!(after(&sessions, &endless, 0).await, Some(SessionError::TokenMalformed));
}

#[tokio::test]
async fn trap_39_no_number_makes_it_panic() {
    let sessions = by_own_key();
    let number = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    for (claim, text, fault) in [
        ("exp", "9223372036854775807", None),
        ("exp", "4102444800", None),
        ("exp", "4102444800.0", None),
        ("exp", "-9223372036854775808", Some(SessionError::TokenExpired)),
        ("exp", "0", Some(SessionError::TokenExpired)),
        ("exp", "1e300", Some(SessionError::TokenMalformed)),
        ("exp", "1666648310.5", Some(SessionError::TokenMalformed)),
        ("exp", "\"1666648310\"", Some(SessionError::TokenMalformed)),
        ("nbf", "9223372036854775807", Some(SessionError::TokenNotYetValid)),
        ("nbf", "-9223372036854775808", None),
        ("nbf", "[]", Some(SessionError::TokenMalformed)),
        ("iat", "9223372036854775807", Some(SessionError::TokenIssuedInTheFuture)),
        ("iat", "9223372036854775808", Some(SessionError::TokenMalformed)),
        ("iat", "false", Some(SessionError::TokenMalformed)),
    ] {
        let token = token(&[(claim, number(text))]);
        assert_eq!(after(&sessions, &token, 0).await, fault, "{claim} {text}");
    }
}
