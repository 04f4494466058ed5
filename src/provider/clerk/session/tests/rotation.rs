//! Tests of the key set over HTTP: when it is fetched, and which keys are used while it cannot be.
//! The time is an argument.

use super::signer::{Signer, claims};
use super::{
    JwksAddress, KeySource, PUBLISHED_JWK, SessionError, Sessions, Stub, address, answer, key_set,
    now, settings,
};
use futures_util::future::join_all;
use serde_json::json;
use std::time::{Duration, Instant};

/// Sessions with keys of an address, and the instant at which the test begins.
struct Verifier {
    sessions: Sessions,
    start: Instant,
}

impl Verifier {
    fn at(address: JwksAddress) -> Self {
        let sessions = Sessions::new(settings(KeySource::Jwks(address)));
        Self { sessions, start: Instant::now() }
    }

    /// Verifies a token of `signer` so many seconds after the start. Each is another, so
    /// that none is known already.
    async fn after(&self, seconds: u64, signer: &Signer) -> Result<(), SessionError> {
        let unique = json!(uuid::Uuid::now_v7().to_string());
        let token = signer.token(&claims(&[("jti", unique)]));
        self.token_after(seconds, &token).await
    }

    async fn token_after(&self, seconds: u64, token: &str) -> Result<(), SessionError> {
        let requested_at = self.start + Duration::from_secs(seconds);
        self.sessions.verify_at(token, now(), requested_at).await.map(|_| ())
    }
}

/// A server of the own key, and sessions with its keys.
fn server_and_verifier() -> (Stub, Verifier) {
    let server = Stub::new([key_set(&[&Signer::own().jwk()])]);
    let verifier = Verifier::at(address(&server));
    (server, verifier)
}

const UNKNOWN: Result<(), SessionError> = Err(SessionError::TokenKeyUnknown);

#[tokio::test]
async fn a_hundred_requests_share_one_fetch() {
    let (server, verifier) = server_and_verifier();
    server.hold();
    // The answer is released when all hundred requests wait for it.
    let all = join_all((0..100).map(|_| verifier.after(0, Signer::own())));
    let (verdicts, ()) = tokio::join!(all, async { server.release() });
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn trap_41_unknown_keys_cause_one_fetch_in_thirty_seconds() {
    let (server, verifier) = server_and_verifier();
    assert_eq!(verifier.after(0, Signer::next()).await, UNKNOWN);
    assert_eq!(server.count(), 1, "the set that was fetched for this token counts");
    for _ in 0..20 {
        assert_eq!(verifier.after(1, Signer::next()).await, UNKNOWN);
    }
    assert_eq!(server.count(), 2);
    assert_eq!(verifier.after(30, Signer::next()).await, UNKNOWN);
    assert_eq!(server.count(), 2);
    assert_eq!(verifier.after(35, Signer::next()).await, UNKNOWN);
    assert_eq!(server.count(), 3);
    assert_eq!(verifier.after(36, Signer::own()).await, Ok(()), "known keys are not held up");
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn trap_41_requests_with_a_new_key_wait_for_the_one_fetch() {
    let (server, verifier) = server_and_verifier();
    assert_eq!(verifier.after(0, Signer::own()).await, Ok(()));
    server.set(key_set(&[&Signer::own().jwk(), &Signer::next().jwk()]));
    server.hold();
    let crowd = join_all((0..50).map(|_| verifier.after(10, Signer::next())));
    let (verdicts, ()) = tokio::join!(crowd, async { server.release() });
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn trap_41_a_rotation_is_picked_up() {
    let (server, verifier) = server_and_verifier();
    assert_eq!(verifier.after(0, Signer::own()).await, Ok(()));
    server.set(key_set(&[&Signer::next().jwk()]));
    assert_eq!(verifier.after(10, Signer::own()).await, Ok(()), "the kept set");
    assert_eq!(verifier.after(11, Signer::next()).await, Ok(()), "the new one");
    assert_eq!(verifier.after(12, Signer::own()).await, UNKNOWN, "the old key is gone");
    assert_eq!(server.count(), 2, "no further fetch so soon");
}

#[tokio::test]
async fn a_set_is_kept_for_five_minutes() {
    let (server, verifier) = server_and_verifier();
    for (seconds, requests) in [(0, 1), (299, 1), (305, 2), (600, 2), (610, 3)] {
        assert_eq!(verifier.after(seconds, Signer::own()).await, Ok(()));
        assert_eq!(server.count(), requests, "after {seconds} s");
    }
    server.set(key_set(&[&Signer::next().jwk()]));
    assert_eq!(verifier.after(920, Signer::own()).await, UNKNOWN, "withdrawn");
}

#[tokio::test]
async fn a_refresh_that_fails_keeps_the_old_keys() {
    let (server, verifier) = server_and_verifier();
    assert_eq!(verifier.after(0, Signer::own()).await, Ok(()));
    let failures = [
        (500, String::new()),
        (200, "<html>".to_owned()),
        (200, r#"{"keys":[]}"#.to_owned()),
        (200, " ".repeat(256 * 1024) + &format!("{{\"keys\":[{}]}}", Signer::next().jwk())),
        (302, format!("{{\"keys\":[{}]}}", Signer::next().jwk())),
    ];
    let mut seconds = 400;
    for (requests, (status, body)) in (2..).zip(failures) {
        server.set(answer(status, &body).with("location", "/elsewhere"));
        for pause in [0, 1, 25] {
            assert_eq!(verifier.after(seconds + pause, Signer::own()).await, Ok(()), "{status}");
        }
        assert_eq!(server.count(), requests, "{status}: one attempt in thirty seconds");
        seconds += 40;
    }
    server.set(key_set(&[&Signer::next().jwk()]));
    assert_eq!(verifier.after(seconds, Signer::next()).await, Ok(()), "picked up afterwards");
}

#[tokio::test]
async fn while_no_keys_were_ever_loaded_nothing_is_decided_and_attempts_are_spaced() {
    let (server, verifier) = server_and_verifier();
    server.set(answer(502, ""));
    let crowd = join_all((0..20).map(|_| verifier.after(0, Signer::own())));
    assert!(crowd.await.iter().all(|verdict| *verdict == Err(SessionError::KeysUnavailable)));
    assert_eq!(verifier.after(0, Signer::own()).await, Err(SessionError::KeysUnavailable));
    assert_eq!(server.count(), 1);
    assert_eq!(verifier.after(5, Signer::own()).await, Err(SessionError::KeysUnavailable));
    assert_eq!(server.count(), 2);
    server.set(key_set(&[&Signer::own().jwk()]));
    assert_eq!(verifier.after(10, Signer::own()).await, Ok(()));
}

#[tokio::test]
async fn a_provider_that_is_away_is_no_fault_of_the_token() {
    let closed = JwksAddress { url: "http://127.0.0.1:1/".parse().unwrap(), secret_key: None };
    let verifier = Verifier::at(closed);
    assert_eq!(verifier.after(0, Signer::own()).await, Err(SessionError::KeysUnavailable));
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_cancel_the_fetch() {
    let (server, verifier) = server_and_verifier();
    server.hold();
    tokio::select! {
        verdict = verifier.after(0, Signer::own()) => panic!("answered early: {verdict:?}"),
        () = server.arrival() => {}
    }
    let (verdict, ()) = tokio::join!(verifier.after(0, Signer::own()), async { server.release() });
    assert_eq!(verdict, Ok(()));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn tokens_without_a_usable_key_id_cause_no_fetch() {
    let server = Stub::new([key_set(&[&Signer::own().jwk(), PUBLISHED_JWK])]);
    let verifier = Verifier::at(address(&server));
    let good = claims(&[]).to_string();
    let nameless = Signer::own().sign(r#"{"alg":"RS256"}"#, &good);
    assert_eq!(verifier.token_after(0, &nameless).await, UNKNOWN);
    let long = json!({"alg": "RS256", "kid": "k".repeat(257)}).to_string();
    assert_eq!(verifier.token_after(0, &Signer::own().sign(&long, &good)).await, UNKNOWN);
    let unsigned = json!({"alg": "none", "kid": "x"}).to_string();
    let verdict = verifier.token_after(0, &Signer::own().sign(&unsigned, &good)).await;
    assert_eq!(verdict, Err(SessionError::TokenAlgorithm));
    assert_eq!(server.count(), 0);
    let other = r#"{"alg":"RS256","kid":"ins_2GIoQhbUpy0hX7B2cVkuTMinXoD"}"#;
    let verdict = verifier.token_after(0, &Signer::own().sign(other, &good)).await;
    assert_eq!(verdict, Err(SessionError::TokenSignature), "another key of the same set");
}

#[tokio::test]
async fn the_secret_key_is_sent_only_where_there_is_one() {
    let server = Stub::new([key_set(&[&Signer::own().jwk()])]);
    let public = Verifier::at(address(&server));
    assert_eq!(public.after(0, Signer::own()).await, Ok(()));
    let private =
        Verifier::at(JwksAddress { secret_key: Some("sk_test_1".into()), ..address(&server) });
    assert_eq!(private.after(0, Signer::own()).await, Ok(()));
    let requests = server.requests();
    let sent: Vec<_> = requests.iter().map(|request| request.header("authorization")).collect();
    assert_eq!(sent, [None, Some("Bearer sk_test_1")]);
}
