//! Session tokens at `GET /v1/me`: which are refused and with which code, how they are sent, by which
//! keys they are checked, and that only they are accepted there, and nowhere else.

mod claims;
mod foreign_credentials;
mod header_and_signature;
mod keys;
mod routes;
mod transport;

use crate::support::{Answer, Engine, PARTY, SessionTokens, Signer, TestApp, user, user_id};

/// Gives the issuer, and the ending of this instance's cookie.
const PUBLISHABLE_KEY: &str = "pk_live_Y2xlcmsuY2xlcmsuZGV2JA";
const ISSUER: &str = "https://clerk.clerk.dev";
const COOKIE_SUFFIX: &str = "1Z8AzTQD";

/// A service that checks by a configured key, and tokens that pass there.
async fn by_pem(engine: Engine, parties: &str) -> (TestApp, SessionTokens) {
    let signer = Signer::new();
    (by_signer(engine, &signer, parties).await, own(&signer))
}

async fn by_signer(engine: Engine, signer: &Signer, parties: &str) -> TestApp {
    let pem = signer.public_pem();
    let variables = [
        ("CLERK_JWT_KEY", pem.as_str()),
        ("CLERK_PUBLISHABLE_KEY", PUBLISHABLE_KEY),
        ("CLERK_AUTHORIZED_PARTIES", parties),
    ];
    let app = TestApp::builder(engine).variables(&variables).start().await;
    assert_eq!(app.send(&user(&user_id(1), 1_000)).await.outcome(), "applied");
    app
}

fn own(signer: &Signer) -> SessionTokens {
    SessionTokens::own(signer, ISSUER, &user_id(1))
}

/// A service that checks by the emulator's key set, and tokens of a user whom it knows.
async fn by_key_set(engine: Engine, parties: &str) -> (TestApp, SessionTokens) {
    let variables = [("CLERK_AUTHORIZED_PARTIES", parties), ("USERSYNC_WRITE_BACK", "off")];
    let app = TestApp::builder(engine).emulated().variables(&variables).start().await;
    let tokens = SessionTokens::of(&app.emulator, &app.sign_up("Ada"));
    app.emulator.wait_until_idle().await;
    (app, tokens)
}

async fn me(app: &TestApp, token: &str) -> Answer {
    app.get_as(token, "/v1/me").await
}

/// What a token is, the token, and the code with which it is refused.
type TokenCase = (&'static str, String, &'static str);

/// Asks with tokens that must be refused, then with one that must not.
async fn assert_refused(app: &TestApp, cases: Vec<TokenCase>, good: &str) {
    for (what, token, code) in cases {
        let answer = me(app, &token).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        assert_eq!(answer.code(), code, "{what}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer", "{what}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
        assert!(token.len() < 20 || !answer.body.to_string().contains(&token), "{what} is quoted");
    }
    let answer = me(app, good).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Likewise where the key is a setting, and where it is fetched.
async fn assert_refused_both_ways(
    engine: Engine,
    cases: impl Fn(&SessionTokens) -> Vec<TokenCase>,
) {
    let (app, tokens) = by_pem(engine, PARTY).await;
    assert_refused(&app, cases(&tokens), &tokens.good()).await;
    let (app, tokens) = by_key_set(engine, PARTY).await;
    assert_refused(&app, cases(&tokens), &tokens.good()).await;
}
