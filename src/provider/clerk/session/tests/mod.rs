//! Tests of session-token verification: Clerk's published example token, forged and expired ones,
//! and fetching keys over HTTP.

mod arbitrary;
mod bad_tokens;
mod claims;
mod keys;
mod rotation;
mod signer;
mod times;

use super::{JwksAddress, KeySource, PublicKey, Session, SessionError, SessionSettings, Sessions};
use crate::domain::Timestamp;
use crate::provider::clerk::tests::stub::{Answer, Stub, answer};
use signer::Signer;

const ISSUER: &str = "https://clerk.inspired.puma-74.lcl.dev";
const PARTY: &str = "https://accounts.inspired.puma-74.lcl.dev";
const NOW_SECONDS: i64 = 1_666_648_250;

const PUBLISHED_JWK: &str = r#"{"use":"sig","kty":"RSA","kid":"ins_2GIoQhbUpy0hX7B2cVkuTMinXoD","alg":"RS256","e":"AQAB","n":"qYy3MY8fOneEyzNDu9lp6iGXKkNUF-u_dUnrlkadZYyB35efzKFJEr9fftmWv5PUj1uRHTQ3bh6X1cceOYsIjy008dHWZJsKhGOxgdTjeK91rjaklxt7tyFXEiKHIOr1LSgKzopClOfCIjxK_oPUOf38pVh7WnekcSBQmU5fqA-EzKMi6k9VwvbzqKlZM4XQsiFyn28d9VubJWjTU8nNot0n1NE-9k6TxM8nglM4RwkBH4Ni4B0LhKKOOV-AG8tBNiZVil415dpBldmJ_j0wk7Ad4VFi9en3Z17oCKr-K-zuT7vKMKSb1548dk0vnmi0vj2QGXSo-61wM5yQWpk6sQ"}"#;

const PUBLISHED_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqYy3MY8fOneEyzNDu9lp
6iGXKkNUF+u/dUnrlkadZYyB35efzKFJEr9fftmWv5PUj1uRHTQ3bh6X1cceOYsI
jy008dHWZJsKhGOxgdTjeK91rjaklxt7tyFXEiKHIOr1LSgKzopClOfCIjxK/oPU
Of38pVh7WnekcSBQmU5fqA+EzKMi6k9VwvbzqKlZM4XQsiFyn28d9VubJWjTU8nN
ot0n1NE+9k6TxM8nglM4RwkBH4Ni4B0LhKKOOV+AG8tBNiZVil415dpBldmJ/j0w
k7Ad4VFi9en3Z17oCKr+K+zuT7vKMKSb1548dk0vnmi0vj2QGXSo+61wM5yQWpk6
sQIDAQAB
-----END PUBLIC KEY-----
";

const PUBLISHED_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6Imluc18yR0lvUWhiVXB5MGhYN0IyY1ZrdVRNaW5Yb0QiLCJ0eXAiOiJKV1QifQ.eyJhenAiOiJodHRwczovL2FjY291bnRzLmluc3BpcmVkLnB1bWEtNzQubGNsLmRldiIsImV4cCI6MTY2NjY0ODMxMCwiaWF0IjoxNjY2NjQ4MjUwLCJpc3MiOiJodHRwczovL2NsZXJrLmluc3BpcmVkLnB1bWEtNzQubGNsLmRldiIsIm5iZiI6MTY2NjY0ODI0MCwic2lkIjoic2Vzc18yR2JEQjRlbk5kQ2E1dlMxenBDM1h6Zzl0SzkiLCJzdWIiOiJ1c2VyXzJHSXBYT0VwVnlKdzUxcmtabjlLbW5jNlN4ciJ9.j3rB92k32WqbQDkFB093H4GoQsBVLH4HLGF6ObcwUaVGiHC8SEu6T31FuPf257SL8A5sSGtWWM1fqhQpdLohgZb_hbJswGBuYI-Clxl9BtpIRHbWFZkLBIj8yS9W9aVtD3fWBbF6PHx7BY1udio-rbGWg1YAOZNtVcxF02p-MvX-8XIK92Vwu3Un5zyfCoVIg__qo3Xntzw3tznsZ4XDe212c6kVz1R_L1d5DKjeWXpjUPAS_zFeZSIJEQLf4JNr4JCY38tfdnc3ajfDA3p36saf1XwmTdWXQKCXi75c2TJAXROs3Pgqr5Kw_5clygoFuxN5OEMhFWFSnvIBdi3M6w";

fn now() -> Timestamp {
    Timestamp::from_millis(NOW_SECONDS * 1000).unwrap()
}

fn settings(keys: KeySource) -> SessionSettings {
    SessionSettings {
        keys,
        issuer: ISSUER.to_owned(),
        authorized_parties: vec![PARTY.to_owned()],
        cookie_suffix: Some("1Z8AzTQD".to_owned()),
    }
}

fn key_set(entries: &[&str]) -> Answer {
    answer(200, &format!("{{\"keys\":[{}]}}", entries.join(",")))
}

fn address(server: &Stub) -> JwksAddress {
    JwksAddress { url: format!("{}/v1/jwks", server.url).parse().unwrap(), secret_key: None }
}

fn by_pem(pem: &str) -> Sessions {
    Sessions::new(settings(KeySource::Pem(PublicKey::parse(pem).unwrap())))
}

fn by_own_key() -> Sessions {
    by_pem(&Signer::own().public_pem())
}

async fn fault(sessions: &Sessions, token: &str) -> Option<SessionError> {
    sessions.verify(token, now()).await.err()
}

fn published_session() -> Session {
    Session {
        external_id: "user_2GIpXOEpVyJw51rkZn9Kmnc6Sxr".into(),
        session_id: "sess_2GbDB4enNdCa5vS1zpC3Xzg9tK9".into(),
        expires_at_seconds: 1_666_648_310,
        issued_at_seconds: Some(1_666_648_250),
        impersonated_by: None,
        plan_claim: None,
    }
}

#[tokio::test]
async fn the_published_token_passes_by_pem_and_by_a_key_set() {
    let server = Stub::new([key_set(&[PUBLISHED_JWK])]);
    let by_key_set = Sessions::new(settings(KeySource::Jwks(address(&server))));
    for (keys, sessions) in [("PEM", by_pem(PUBLISHED_PEM)), ("a key set", by_key_set)] {
        for time in ["first", "again"] {
            let verdict = sessions.verify(PUBLISHED_TOKEN, now()).await;
            assert_eq!(verdict, Ok(published_session()), "{keys}, {time}");
        }
    }
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn the_published_token_is_refused_with_any_character_changed() {
    let sessions = by_pem(PUBLISHED_PEM);
    for (place, character) in PUBLISHED_TOKEN.char_indices() {
        let other = if character == 'A' { "B" } else { "A" };
        let mut token = PUBLISHED_TOKEN.to_owned();
        token.replace_range(place..=place, other);
        assert!(sessions.verify(&token, now()).await.is_err(), "character {place}");
    }
    for end in 0..PUBLISHED_TOKEN.len() {
        let token = PUBLISHED_TOKEN.get(..end).unwrap();
        assert!(sessions.verify(token, now()).await.is_err(), "cut at {end}");
    }
}

#[tokio::test]
async fn tampering_with_a_part_is_a_matter_of_the_signature() {
    let sessions = by_pem(PUBLISHED_PEM);
    let [header, claims, signature] =
        PUBLISHED_TOKEN.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other_header = signer::part(r#"{"alg":"RS256","typ":"JWT","kid":"other"}"#);
    let other_claims = signer::part(r#"{"sub":"user_other"}"#);
    let other_signature = format!("AAAA{}", signature.get(4..).unwrap());
    for token in [
        format!("{other_header}.{claims}.{signature}"),
        format!("{header}.{other_claims}.{signature}"),
        format!("{header}.{claims}.{other_signature}"),
        format!("{header}.{claims}."),
    ] {
        assert_eq!(fault(&sessions, &token).await, Some(SessionError::TokenSignature), "{token}");
    }
    let foreign = Signer::own().token(&signer::claims(&[]));
    assert_eq!(fault(&sessions, &foreign).await, Some(SessionError::TokenSignature));
}

#[tokio::test]
async fn a_token_is_taken_from_where_it_may_be() {
    let sessions = by_pem(PUBLISHED_PEM);
    let cookies = || [&b"__session=plain; __session_1Z8AzTQD=own"[..]].into_iter();
    let bearer = Some(&b"Bearer sent"[..]);
    assert_eq!(sessions.token_of(bearer, cookies(), true).as_deref(), Some("sent"));
    assert_eq!(sessions.token_of(bearer, cookies(), false).as_deref(), Some("sent"));
    assert_eq!(sessions.token_of(None, cookies(), true).as_deref(), Some("own"));
    assert_eq!(sessions.token_of(None, cookies(), false), None);
    let basic = Some(&b"Basic abc"[..]);
    assert_eq!(sessions.token_of(basic, cookies(), true).as_deref(), Some("own"));
    assert_eq!(fault(&sessions, "").await, Some(SessionError::SessionMissing));
}

#[test]
fn sessions_are_shared_by_all_requests() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&by_own_key());
}

#[test]
fn the_secret_key_is_never_printed() {
    let address = JwksAddress {
        url: "https://api.clerk.com/v1/jwks".parse().unwrap(),
        secret_key: Some("sk_test_secret".into()),
    };
    let settings = settings(KeySource::Jwks(address));
    assert!(!format!("{settings:?}").contains("sk_test_secret"));
    assert!(!format!("{:?}", Sessions::new(settings)).contains("sk_test_secret"));
}
