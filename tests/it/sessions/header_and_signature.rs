//! What is no session token of this instance: by its header, its signature, or altogether.

use super::{
    TokenCase, assert_refused, assert_refused_both_ways, by_key_set, by_pem, by_signer, own,
};
use crate::support::{Answer, PARTY, SessionTokens, Signer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn parts(token: &str) -> [String; 3] {
    token.split('.').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap()
}

fn tampered(tokens: &SessionTokens) -> Vec<TokenCase> {
    let [header, payload, signature] = parts(&tokens.good());
    let mut claims = tokens.claims();
    claims["sub"] = "user_somebody_else".into();
    let other_payload = part(&claims);
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let mut other_signature = signature.clone();
    other_signature.replace_range(..1, first);
    let [_, _, of_another] = parts(&tokens.with("sub", "user_somebody_else"));
    let other_header = part(&json!({"alg": "RS256", "kid": tokens.header()["kid"]}));
    vec![
        ("payload", format!("{header}.{other_payload}.{signature}"), "token_signature"),
        ("signature", format!("{header}.{payload}.{other_signature}"), "token_signature"),
        ("signature of another", format!("{header}.{payload}.{of_another}"), "token_signature"),
        ("no signature", format!("{header}.{payload}."), "token_signature"),
        ("short signature", format!("{header}.{payload}.AAAA"), "token_signature"),
        ("header", format!("{other_header}.{payload}.{signature}"), "token_signature"),
    ]
}

fn garbage(tokens: &SessionTokens) -> Vec<TokenCase> {
    let good = tokens.good();
    let [header, payload, signature] = parts(&good);
    let list = part(&json!(["RS256"]));
    let twice = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","alg":"RS256"}"#);
    [
        "a".to_owned(),
        "a.b".to_owned(),
        "a.b.c".to_owned(),
        "..".to_owned(),
        "null".to_owned(),
        "undefined".to_owned(),
        "{}".to_owned(),
        "e30.e30.e30.e30".to_owned(),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!("\"{good}\""),
        format!("Bearer {good}"),
        format!("{good} {good}"),
        format!("{header}.{payload}"),
        format!("{list}.{payload}.{signature}"),
        format!("{twice}.{payload}.{signature}"),
        format!("{header}.{payload}.not*base64"),
        tokens.sign(&tokens.header(), &json!([1])),
        tokens.sign(&tokens.header(), &Value::Null),
        format!("{good}{}", "A".repeat(17_000)),
    ]
    .map(|token| ("garbage", token, "token_malformed"))
    .to_vec()
}

both_engines! {
    async fn trap_39_no_algorithm_but_rs256_passes(engine) {
        assert_refused_both_ways(engine, |tokens| {
            let none = format!("{}.{}.", part(&json!({"alg": "none"})), part(&tokens.claims()));
            let mut cases = vec![("alg none", none, "token_algorithm")];
            for alg in ["none", "None", "HS256", "RS384", "RS512", "PS256", "ES256", "rs256", ""] {
                cases.push(("named otherwise", tokens.headed("alg", alg), "token_algorithm"));
            }
            cases.push(("named null", tokens.headed("alg", Value::Null), "token_algorithm"));
            cases.push(("named by a list", tokens.headed("alg", json!(["RS256"])), "token_algorithm"));
            cases
        })
        .await;
    }

    async fn trap_39_the_public_key_is_no_secret_and_a_longer_digest_no_rs256(engine) {
        let signer = Signer::new();
        let app = by_signer(engine, &signer, PARTY).await;
        let (tokens, pem) = (own(&signer), signer.public_pem());
        let claims = tokens.claims();
        let header = |alg: &str| json!({"alg": alg, "typ": "JWT", "kid": "ins_own"});
        let trimmed = pem.trim_end();
        assert_refused(&app, vec![
            ("HS256", Signer::sign_with_secret(&pem, &header("HS256"), &claims), "token_algorithm"),
            ("HS256, trimmed", Signer::sign_with_secret(trimmed, &header("HS256"), &claims), "token_algorithm"),
            ("HS256 as RS256", Signer::sign_with_secret(&pem, &header("RS256"), &claims), "token_signature"),
            ("RS512", signer.sign_by(Algorithm::RS512, &header("RS512"), &claims), "token_algorithm"),
            ("RS512 as RS256", signer.sign_by(Algorithm::RS512, &header("RS256"), &claims), "token_signature"),
            ("PS256 as RS256", signer.sign_by(Algorithm::PS256, &header("RS256"), &claims), "token_signature"),
        ], &tokens.good())
        .await;
    }

    async fn trap_39_only_tokens_of_the_session_category_pass(engine) {
        assert_refused_both_ways(engine, |tokens| vec![
            ("of a template", tokens.headed("cat", "cl_B7d4PD222AAA"), "token_category"),
            ("of a machine", tokens.headed("cat", "cl_B7d4PD333AAA"), "token_category"),
            ("to be ignored", tokens.headed("cat", "cl_I7d4PD111III"), "token_category"),
            ("of a new category", tokens.headed("cat", "other"), "token_category"),
            ("of a null category", tokens.headed("cat", Value::Null), "token_category"),
            ("of OAuth", tokens.headed("typ", "at+jwt"), "token_category"),
            ("of another type", tokens.headed("typ", "JOSE"), "token_type"),
            ("with a critical field", tokens.headed("crit", json!(["exp"])), "token_malformed"),
        ])
        .await;
    }

    async fn trap_39_a_token_that_the_provider_makes_of_a_template_is_no_session(engine) {
        let (app, user) = by_key_set(engine, "").await;
        let credentials = app.emulator.credentials();
        let ask = async |path: &str, body: Value| {
            let request = app.http.post(format!("{}/v1{path}", credentials.api_url));
            let request = request.bearer_auth(&credentials.secret_key).body(body.to_string());
            Answer::of(request.send().await.unwrap()).await.body
        };
        let session = ask("/sessions", json!({"user_id": user.subject})).await;
        let tokens = format!("/sessions/{}/tokens", session["id"].as_str().unwrap());
        let of_template = ask(&format!("{tokens}/supabase"), json!({})).await;
        let of_session = ask(&tokens, json!({})).await;
        let jwt = |token: &Value| token["jwt"].as_str().unwrap().to_owned();
        let case = ("of a template", jwt(&of_template), "token_category");
        assert_refused(&app, vec![case], &jwt(&of_session)).await;
    }

    async fn what_was_tampered_with_is_refused(engine) {
        assert_refused_both_ways(engine, tampered).await;
    }

    async fn a_pile_of_garbage_is_refused(engine) {
        assert_refused_both_ways(engine, garbage).await;
    }

    async fn what_no_header_should_hold_is_refused(engine) {
        let (app, tokens) = by_pem(engine, PARTY).await;
        let good = tokens.good();
        let ask = async |values: &[&[u8]]| {
            let mut request = app.http.get(format!("{}/v1/me", app.origin));
            for value in values {
                request = request.header("authorization", HeaderValue::from_bytes(value).unwrap());
            }
            let answer = Answer::of(request.send().await.unwrap()).await;
            (answer.status.as_u16(), answer.code().to_owned())
        };
        let refused = |code: &str| (401, code.to_owned());
        for missing in [&b""[..], b"Bearer", b"Bearer ", b"Basic YTpi", b"Token x", good.as_bytes()] {
            assert_eq!(ask(&[missing]).await, refused("session_missing"));
        }
        assert_eq!(ask(&[b"bearer a.b.c"]).await, refused("token_malformed"));
        assert_eq!(ask(&[]).await, refused("session_missing"));
        assert_eq!(ask(&[b"Bearer \xff\xfe"]).await, refused("token_malformed"));
        let bearer = format!("Bearer {good}");
        assert_eq!(ask(&[b"Bearer a.b.c", bearer.as_bytes()]).await, refused("token_malformed"));
    }
}
