//! Claims that the right key signed, and that are refused all the same.

use super::{TokenCase, assert_refused_both_ways, by_pem, by_signer, me, own};
use crate::support::{PARTY, SessionTokens, Signer, now_seconds};
use serde_json::{Value, json};

/// Tokens with one claim changed, all refused for the same reason.
fn changed(
    tokens: &SessionTokens,
    name: &'static str,
    values: &[Value],
    code: &'static str,
) -> Vec<TokenCase> {
    let mut cases: Vec<TokenCase> =
        values.iter().map(|value| (name, tokens.with(name, value.clone()), code)).collect();
    cases.push((name, tokens.with(name, json!({"a": [name]})), code));
    cases
}

fn times(tokens: &SessionTokens) -> Vec<TokenCase> {
    let now = now_seconds();
    vec![
        ("expired", tokens.with("exp", now - 3600), "token_expired"),
        ("expired before the leeway", tokens.with("exp", now - 6), "token_expired"),
        ("expired in 1970", tokens.with("exp", 0), "token_expired"),
        ("not yet valid", tokens.with("nbf", now + 3600), "token_not_yet_valid"),
        ("valid in half a minute", tokens.with("nbf", now + 30), "token_not_yet_valid"),
        ("issued in the future", tokens.with("iat", now + 3600), "token_issued_in_the_future"),
        ("issued in half a minute", tokens.with("iat", now + 30), "token_issued_in_the_future"),
        ("endless", tokens.without("exp"), "token_malformed"),
        ("of a null end", tokens.with("exp", Value::Null), "token_malformed"),
        ("of an end as text", tokens.with("exp", (now + 60).to_string()), "token_malformed"),
        ("of a broken end", tokens.with("exp", 4_102_444_800.5), "token_malformed"),
        ("of a beginning as text", tokens.with("nbf", "now"), "token_malformed"),
        ("of a making as list", tokens.with("iat", json!([now])), "token_malformed"),
    ]
}

both_engines! {
    async fn trap_39_a_token_counts_in_its_time_only(engine) {
        assert_refused_both_ways(engine, times).await;
    }

    async fn trap_39_the_leeway_is_five_seconds_and_no_minute(engine) {
        let (app, tokens) = by_pem(engine, PARTY).await;
        let now = now_seconds();
        for (what, token) in [
            ("expired a second ago", tokens.with("exp", now - 1)),
            ("valid in four seconds", tokens.with("nbf", now + 4)),
            ("issued in four seconds", tokens.with("iat", now + 4)),
        ] {
            let answer = me(&app, &token).await;
            assert_eq!(answer.status, 200, "{what}: {answer:?}");
        }
    }

    async fn trap_40_the_party_is_compared_letter_for_letter(engine) {
        assert_refused_both_ways(engine, |tokens| {
            let others = [
                json!(format!("{PARTY}/")),
                json!(format!("{PARTY}:443")),
                json!(PARTY.to_uppercase()),
                json!(PARTY.replace("https", "http")),
                json!(format!(" {PARTY}")),
                json!(format!("{PARTY}.evil.example")),
                json!("https://evil.example"),
                json!("null"),
                json!(""),
                json!([PARTY]),
                Value::Null,
            ];
            let mut cases = changed(tokens, "azp", &others, "token_party");
            cases.push(("no party", tokens.without("azp"), "token_party"));
            cases
        })
        .await;
    }

    async fn trap_40_any_of_several_parties_passes_and_without_configured_ones_all_do(engine) {
        let signer = Signer::new();
        let other = "http://localhost:3000";
        let several = by_signer(engine, &signer, &format!("{PARTY}, {other}")).await;
        for party in [PARTY, other] {
            assert_eq!(me(&several, &own(&signer).with("azp", party)).await.status, 200, "{party}");
        }
        let third = me(&several, &own(&signer).with("azp", "http://localhost:3001")).await;
        third.assert_problem(401, "token_party");
        several.stop().await;
        let any = by_signer(engine, &signer, "").await;
        let tokens = own(&signer);
        for token in [tokens.with("azp", "https://evil.example"), tokens.without("azp"), tokens.with("azp", Value::Null)] {
            assert_eq!(me(&any, &token).await.status, 200);
        }
        assert_eq!(me(&any, &tokens.with("azp", 1)).await.code(), "token_party");
        any.stop().await;
    }

    async fn trap_39_a_token_of_another_issuer_is_refused(engine) {
        assert_refused_both_ways(engine, |tokens| {
            let issuer = tokens.claims()["iss"].as_str().unwrap().to_owned();
            let others = [
                json!(format!("{issuer}/")),
                json!(issuer.to_uppercase()),
                json!(issuer.replace("https", "http")),
                json!(format!("{issuer}.evil.example")),
                json!("https://clerk.evil.example"),
                json!(""),
                json!([issuer]),
                Value::Null,
            ];
            let mut cases = changed(tokens, "iss", &others, "token_issuer");
            cases.push(("no issuer", tokens.without("iss"), "token_issuer"));
            cases
        })
        .await;
    }

    async fn a_token_names_a_user_and_a_session(engine) {
        assert_refused_both_ways(engine, |tokens| {
            let nobody = [json!(""), json!(1), json!("user_\0"), json!("u".repeat(256)), Value::Null];
            let mut cases = changed(tokens, "sub", &nobody, "token_subject");
            cases.extend(changed(tokens, "sid", &nobody, "token_category"));
            cases.push(("nobody's", tokens.without("sub"), "token_subject"));
            cases.push(("no session's", tokens.without("sid"), "token_category"));
            cases.push(("a machine's", tokens.with("sub", "mch_1"), "token_category"));
            cases
        })
        .await;
    }

    async fn trap_42_a_pending_session_has_not_signed_in(engine) {
        assert_refused_both_ways(engine, |tokens| {
            let others = ["pending", "ended", "revoked", "Active", ""].map(Value::from);
            changed(tokens, "sts", &others, "session_pending")
        })
        .await;
    }

    async fn optional_claims_may_be_null_or_missing(engine) {
        let (app, tokens) = by_pem(engine, PARTY).await;
        for name in ["nbf", "iat", "sts", "act", "pla", "v"] {
            for token in [tokens.with(name, Value::Null), tokens.without(name)] {
                let answer = me(&app, &token).await;
                assert_eq!(answer.status, 200, "{name}: {answer:?}");
            }
        }
    }
}
