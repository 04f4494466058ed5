//! Tests of claims that are signed by the test key: which are accepted, and which refused with
//! which code.

use super::signer::{Signer, claims};
use super::{
    ISSUER, KeySource, PARTY, PublicKey, SessionError, SessionSettings, Sessions, by_own_key,
    fault, now, settings,
};
use serde_json::{Value, json};

/// The code with which claims are refused, if they are.
async fn code(claims: &Value) -> Option<&'static str> {
    let fault = fault(&by_own_key(), &Signer::own().token(claims)).await;
    fault.map(SessionError::code)
}

/// Checks that each of these values of a claim has this code.
async fn expect(name: &str, values: &Value, expected: Option<&str>) {
    for value in values.as_array().unwrap() {
        let code = code(&claims(&[(name, value.clone())])).await;
        assert_eq!(code, expected, "{name}: {value}");
    }
}

fn with_parties(parties: &[&str]) -> Sessions {
    let key = PublicKey::parse(&Signer::own().public_pem()).unwrap();
    let authorized_parties = parties.iter().map(|party| (*party).to_owned()).collect();
    Sessions::new(SessionSettings { authorized_parties, ..settings(KeySource::Pem(key)) })
}

#[tokio::test]
async fn trap_39_only_tokens_of_sessions_pass() {
    let broken = json!([null, "", 1, [], "a\0b", "s".repeat(256)]);
    expect("sid", &broken, Some("token_category")).await;
    expect("sub", &json!(["mch_1"]), Some("token_category")).await;
}

#[tokio::test]
async fn a_token_names_a_user() {
    let broken = json!([null, "", 1, {}, "user_\0", "u".repeat(256)]);
    expect("sub", &broken, Some("token_subject")).await;
    expect("sub", &json!(["u".repeat(255)]), None).await;
}

#[tokio::test]
async fn trap_39_the_issuer_is_compared_exactly_and_the_audience_not() {
    let (slash, upper) = (format!("{ISSUER}/"), ISSUER.to_uppercase());
    let others = json!([slash, upper, "https://clerk.evil.example", "", [ISSUER], null]);
    expect("iss", &others, Some("token_issuer")).await;
    expect("aud", &json!(["x", ["x", "y"], 1, null]), None).await;
}

#[tokio::test]
async fn trap_40_the_party_is_compared_exactly() {
    let (slash, port) = (format!("{PARTY}/"), format!("{PARTY}:443"));
    let (upper, plain) = (PARTY.to_uppercase(), PARTY.replace("https", "http"));
    let others = json!([slash, port, upper, plain, "https://evil.example", "", [PARTY], null]);
    expect("azp", &others, Some("token_party")).await;
}

#[tokio::test]
async fn trap_40_without_configured_parties_any_or_none_passes() {
    let any = with_parties(&[]);
    for party in [json!("https://anybody.example"), Value::Null] {
        let token = Signer::own().token(&claims(&[("azp", party)]));
        assert_eq!(fault(&any, &token).await, None);
    }
    let broken = Signer::own().token(&claims(&[("azp", json!(1))]));
    assert_eq!(fault(&any, &broken).await, Some(SessionError::TokenParty));
}

#[tokio::test]
async fn trap_42_only_an_active_session_passes() {
    // An old token has no status.
    expect("sts", &json!(["active", null]), None).await;
    expect("sts", &json!(["pending", "ended", "", 1, {}]), Some("session_pending")).await;
}

#[tokio::test]
async fn trap_42_tokens_of_both_versions_pass() {
    let old = claims(&[
        ("v", Value::Null),
        ("sts", Value::Null),
        ("org_id", json!("org_1")),
        ("org_role", json!("org:admin")),
    ]);
    assert_eq!(code(&old).await, None);
    let new = claims(&[("o", json!({"id": "org_1", "rol": "admin", "per": "read", "fpm": "3"}))]);
    assert_eq!(code(&new).await, None);
}

#[tokio::test]
async fn claims_that_are_named_twice_or_of_a_wrong_type_are_refused() {
    let sign = |claims: &str| Signer::own().sign(r#"{"alg":"RS256"}"#, claims);
    let good = claims(&[]).to_string();
    let inside = good.strip_prefix('{').unwrap();
    assert_eq!(fault(&by_own_key(), &sign(&format!("{{{inside}"))).await, None);
    for twice in [
        r#""sub":"user_1""#,
        r#""s\u0075b":"user_2""#,
        r#""exp":1"#,
        r#""iss":null"#,
        r#""act":{"sub":"a"},"act":{"sub":"b"}"#,
        r#""act":{"sub":"a","sub":"b"}"#,
    ] {
        let token = sign(&format!("{{{twice},{inside}"));
        assert_eq!(
            fault(&by_own_key(), &token).await,
            Some(SessionError::TokenMalformed),
            "{twice}"
        );
    }
    for broken in ["null", "[]", "\"x\"", "1", "", "{", "{}x"] {
        let fault = fault(&by_own_key(), &sign(broken)).await;
        assert_eq!(fault, Some(SessionError::TokenMalformed), "{broken}");
    }
    expect("act", &json!(["x", ["x"], {}, {"sub": 1}, {"sub": ""}]), Some("token_malformed")).await;
    // It says nothing about who the user is.
    expect("pla", &json!([["u:pro"]]), None).await;
}

/// The code where one claim is there as `null`.
async fn with_null(name: &str, parties: &[&str]) -> Option<&'static str> {
    let mut claims = claims(&[]);
    claims[name] = Value::Null;
    let token = Signer::own().token(&claims);
    fault(&with_parties(parties), &token).await.map(SessionError::code)
}

#[tokio::test]
async fn a_claim_that_is_null_counts_as_absent() {
    for optional in ["nbf", "iat", "sts", "act", "pla", "v", "aud"] {
        assert_eq!(with_null(optional, &[PARTY]).await, None, "{optional}");
    }
    assert_eq!(with_null("azp", &[]).await, None);
    assert_eq!(with_null("azp", &[PARTY]).await, Some("token_party"));
    for (required, code) in [
        ("exp", "token_malformed"),
        ("sub", "token_subject"),
        ("iss", "token_issuer"),
        ("sid", "token_category"),
    ] {
        assert_eq!(with_null(required, &[PARTY]).await, Some(code), "{required}");
    }
}

#[tokio::test]
async fn an_impersonator_and_a_plan_are_kept() {
    let session = async |name: &str, value: Value| {
        let token = Signer::own().token(&claims(&[(name, value)]));
        by_own_key().verify(&token, now()).await.unwrap()
    };
    let actor = json!({"iss": "x", "sid": "sess_2", "sub": "user_2"});
    assert_eq!(session("act", actor).await.impersonated_by.as_deref(), Some("user_2"));
    for (claim, plan) in [
        ("u:pro", Some("pro")),
        ("o:team", None),
        ("o:team,u:pro", Some("pro")),
        ("uo:pro", Some("pro")),
        ("u:", None),
        ("u:a b", None),
        ("pro", None),
        ("", None),
    ] {
        assert_eq!(session("pla", json!(claim)).await.plan_claim.as_deref(), plan, "{claim}");
    }
}
