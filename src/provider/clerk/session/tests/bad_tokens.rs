//! Tests of malformed tokens and unsuitable headers: each is refused with its code.

use super::signer::{Signer, claims, part};
use super::{SessionError, by_own_key, fault, now};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use strum::VariantNames as _;

/// The code with which the usual claims under this header are refused.
async fn under(header: &str) -> Option<&'static str> {
    let token = Signer::own().sign(header, &claims(&[]).to_string());
    fault(&by_own_key(), &token).await.map(SessionError::code)
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let good = Signer::own().token(&claims(&[]));
    let (header, rest) = good.split_once('.').unwrap();
    let sessions = by_own_key();
    for token in [
        "a".to_owned(),
        "a.b".to_owned(),
        "..".to_owned(),
        format!("{good}.x"),
        format!(".{good}"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{header}+.{rest}"),
        format!("{}.{rest}", part("[\"RS256\"]")),
        format!("{}.{rest}", part("{")),
        "a".repeat(16 * 1024 + 1),
        format!("{}{good}", "a".repeat(16 * 1024)),
    ] {
        assert_eq!(fault(&sessions, &token).await, Some(SessionError::TokenMalformed), "{token}");
    }
    assert_eq!(fault(&sessions, &good).await, None);
}

#[tokio::test]
async fn the_size_of_a_token_is_limited_to_the_byte() {
    let padded =
        |padding: usize| Signer::own().token(&claims(&[("pad", json!("x".repeat(padding)))]));
    let (mut fits, mut too_large) = (0, 0);
    let about = (16 * 1024 - padded(0).len()) / 4 * 3;
    for padding in about - 6..about + 6 {
        let token = padded(padding);
        let passes = by_own_key().verify(&token, now()).await.is_ok();
        assert_eq!(passes, token.len() <= 16 * 1024, "{}", token.len());
        if passes { fits += 1 } else { too_large += 1 }
    }
    assert!(fits > 0 && too_large > 0, "{fits} {too_large}");
}

#[tokio::test]
async fn trap_39_no_other_algorithm_passes() {
    let own = Signer::own();
    let public_key_as_secret = EncodingKey::from_secret(own.public_pem().as_bytes());
    let signed = |algorithm, key| encode(&Header::new(algorithm), &claims(&[]), key).unwrap();
    let none = format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims(&[]).to_string()));
    for token in [
        signed(Algorithm::HS256, &public_key_as_secret),
        signed(Algorithm::RS384, &own.encoding),
        signed(Algorithm::RS512, &own.encoding),
        signed(Algorithm::PS256, &own.encoding),
        none,
    ] {
        assert_eq!(
            fault(&by_own_key(), &token).await,
            Some(SessionError::TokenAlgorithm),
            "{token}"
        );
    }
    let right = signed(Algorithm::RS256, &own.encoding);
    assert_eq!(fault(&by_own_key(), &right).await, None);
    for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":"rs256"}"#] {
        assert_eq!(under(header).await, Some("token_algorithm"), "{header}");
    }
}

#[tokio::test]
async fn headers_are_read_strictly_and_further_fields_not_at_all() {
    for (header, expected) in [
        (r#"{"alg":"RS256"}"#, None),
        (r#"{"alg":"RS256","typ":"JWT","cat":"cl_B7d4PD111AAA","oiat":1}"#, None),
        (r#"{"alg":"RS256","jku":"https://evil.example","x5u":1,"jwk":{},"x5c":null}"#, None),
        (r#"{"alg":"RS256","alg":"RS256"}"#, Some("token_malformed")),
        (r#"{"alg":"RS256","crit":["exp"]}"#, Some("token_malformed")),
        (r#"{"alg":"RS256","crit":null}"#, Some("token_malformed")),
        (r#"{"alg":"RS256","kid":1}"#, Some("token_malformed")),
        (r#"{"alg":"RS256","typ":"jwt"}"#, Some("token_type")),
        (r#"{"alg":"RS256","typ":"JOSE"}"#, Some("token_type")),
        (r#"{"alg":"RS256","typ":null}"#, Some("token_type")),
        (r#"{"alg":"RS256","typ":"at+jwt"}"#, Some("token_category")),
    ] {
        assert_eq!(under(header).await, expected, "{header}");
    }
    let long = json!({"alg": "RS256", "kid": "k".repeat(257)}).to_string();
    assert_eq!(under(&long).await, Some("token_key_unknown"));
}

#[tokio::test]
async fn trap_39_no_other_category_passes() {
    for category in ["cl_B7d4PD222AAA", "cl_B7d4PD333AAA", "cl_I7d4PD111III", "", "other"] {
        let header = json!({"alg": "RS256", "cat": category}).to_string();
        assert_eq!(under(&header).await, Some("token_category"), "{category}");
    }
    assert_eq!(under(r#"{"alg":"RS256","cat":null}"#).await, Some("token_category"));
}

#[test]
fn codes_are_a_closed_set() {
    let codes = "session_missing token_malformed token_algorithm token_key_unknown token_signature \
        token_type token_category token_subject token_issuer token_party token_expired \
        token_not_yet_valid token_issued_in_the_future session_pending keys_unavailable";
    assert_eq!(SessionError::VARIANTS.join(" "), codes);
    assert_eq!(SessionError::SessionMissing.code(), "session_missing");
}
