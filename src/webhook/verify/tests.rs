//! Tests of verification: the published vectors of Standard Webhooks and Svix, and altered ones.

use super::{Verified, verify};
use crate::webhook::headers::SignedHeaders;
use crate::webhook::{Rejection, SigningSecret, SigningSecrets};
use bytes::Bytes;

const SECRET_1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const SECRET_2: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const ID_1: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const ID_2: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const GOOD_1: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const BODY_1: &[u8] = br#"{"test": 2432232314}"#;

fn secrets(active: &[&str], inactive: &[&str]) -> SigningSecrets {
    let parse =
        |texts: &[&str]| texts.iter().map(|text| SigningSecret::parse(text).unwrap()).collect();
    SigningSecrets::new(parse(active), parse(inactive))
}

fn headers(id: &str, timestamp: &str, signatures: &str) -> SignedHeaders {
    SignedHeaders { id: id.into(), timestamp: timestamp.into(), signatures: signatures.into() }
}

fn check(
    secret: &str,
    (id, timestamp): (&str, &str),
    body: impl Into<Bytes>,
    signatures: &str,
) -> Result<Verified, Rejection> {
    verify(headers(id, timestamp, signatures), body.into(), &secrets(&[secret], &[]))
}

const MESSAGE_1: (&str, &str) = (ID_1, "1614265330");

#[test]
fn published_vectors_pass() {
    let vectors = [
        (SECRET_1, MESSAGE_1, BODY_1.to_vec(), GOOD_1),
        (
            SECRET_2,
            (ID_2, "1649367553"),
            br#"{"email":"test@example.com","username":"test_user"}"#.to_vec(),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            SECRET_1,
            MESSAGE_1,
            vec![b'a'; 1_048_576],
            "v1,txpEUxqWZJ5nteTnymUVa+7C4NHpBeXJ6CsBAW0c3/A=",
        ),
        (
            SECRET_1,
            MESSAGE_1,
            vec![b'a'; 262_144],
            "v1,Mw4Pe2WgApuT7NSqnSq0PQPV9gbLdggCl9B865x5Xh0=",
        ),
        (
            SECRET_1,
            MESSAGE_1,
            vec![b'a'; 262_143],
            "v1,NTItnqyWMoFhk2Bbe5V/BMdcFRWgcSQaTgqLHX7FC7c=",
        ),
    ];
    for (secret, message, body, signature) in vectors {
        assert!(check(secret, message, body, signature).is_ok(), "{signature}");
    }
}

#[test]
fn vectors_over_a_deletion_and_an_empty_body_pass() {
    let deletion = r#"{"data":{"deleted":true,"id":"user_29w83sxmDNGwOuEthce5gg56FcC","object":"user"},"event_attributes":{"http_request":{"client_ip":"203.0.113.7","user_agent":"curl/8.5.0"}},"instance_id":"ins_29w7fakeInstanceId00000000","object":"event","timestamp":1654012700123,"type":"user.deleted"}"#;
    let message = (ID_1, "1654012700");
    assert!(
        check(SECRET_1, message, deletion, "v1,SrDqvFuMlI/KMS3nPTuFbhWo1ppEXzseojszNCnJejM=")
            .is_ok()
    );
    assert!(
        check(SECRET_1, message, "", "v1,51wnWkGlMvebOQ/LE5moSvqimZRAHot7impUJp+H0co=").is_ok()
    );
}

#[test]
fn trap_1_a_reserialised_body_fails_and_is_told_apart() {
    let message = (ID_1, "1654012700");
    let raw = r#"{"data":{"first_name":"A\u003cB","id":"user_1","last_name":"Zoë"},"type":"user.updated"}"#;
    let rewritten =
        r#"{"data":{"first_name":"A<B","id":"user_1","last_name":"Zoë"},"type":"user.updated"}"#;
    let good = "v1,3EeuSNTlH1O2ItljyO51EgplfwKPeeWX1FOpTdzJd+U=";
    assert!(check(SECRET_1, message, raw, good).is_ok());
    assert_eq!(check(SECRET_1, message, rewritten, good).unwrap_err().code(), "body_reencoded");

    let compact = r#"{"a":"b \" c","d":[1,2]}"#;
    let pretty = "{\n  \"a\": \"b \\\" c\",\n  \"d\": [1, 2]\n}\n";
    let secret = SigningSecret::parse(SECRET_1).unwrap();
    let good = secret.signature(ID_1, "1654012700", compact.as_bytes());
    assert_eq!(check(SECRET_1, message, pretty, &good).unwrap_err().code(), "body_reencoded");
}

#[test]
fn negative_vectors_fail() {
    for signatures in [
        "v1,R3PTzyfHASBKHH98a7yexTwaJ4yNIcGhFQc1yuN+BPU=",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLawdd",
        "v1,dawfeoifkpqwoekfpqoekf",
        "v1,",
        "v1,g0hM9SsE",
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1,tFtCZ5RDCPxzWQRWXWPgrCgE2frDBe9gjpbWQxnVfsQ= v1,Mm7xgUVICxZfQ3bgf0h0Dof65L/IFx+PnZvnDWPCX6Q= v1,9DfC1c3eeOrXB6w/5dIDydLNQaEyww5KalE5jLBZucE=",
    ] {
        let verdict = check(SECRET_1, MESSAGE_1, BODY_1, signatures);
        assert_eq!(verdict.unwrap_err(), Rejection::BadSignature, "{signatures}");
    }
    let other_time = check(SECRET_1, (ID_1, "1614265331"), BODY_1, GOOD_1);
    assert_eq!(other_time.unwrap_err(), Rejection::BadSignature);
    let other_id = check(SECRET_1, (ID_2, "1614265330"), BODY_1, GOOD_1);
    assert_eq!(other_id.unwrap_err(), Rejection::BadSignature);
    let other_secret = check(SECRET_2, MESSAGE_1, BODY_1, GOOD_1);
    assert_eq!(other_secret.unwrap_err(), Rejection::BadSignature);
}

#[test]
fn trap_3_any_v1_entry_among_many_passes() {
    let wrong = "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
    let many = format!("v1,{wrong} v2,{wrong} {GOOD_1} v1,{wrong}");
    assert!(check(SECRET_1, MESSAGE_1, BODY_1, &many).is_ok());
    let asymmetric = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
    assert!(check(SECRET_1, MESSAGE_1, BODY_1, &format!("{asymmetric} {GOOD_1}")).is_ok());
    assert!(check(SECRET_1, MESSAGE_1, BODY_1, asymmetric).is_err());
}

#[test]
fn only_the_first_sixteen_signatures_are_tried() {
    let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= ";
    assert!(check(SECRET_1, MESSAGE_1, BODY_1, &(wrong.repeat(15) + GOOD_1)).is_ok());
    assert!(check(SECRET_1, MESSAGE_1, BODY_1, &(wrong.repeat(16) + GOOD_1)).is_err());
}

#[test]
fn any_active_secret_passes_and_an_inactive_one_is_named() {
    let both = secrets(&[SECRET_2, SECRET_1], &[]);
    assert!(verify(headers(ID_1, "1614265330", GOOD_1), BODY_1.into(), &both).is_ok());
    let replaced = secrets(&[SECRET_2], &[SECRET_1]);
    let verdict = verify(headers(ID_1, "1614265330", GOOD_1), BODY_1.into(), &replaced);
    assert_eq!(verdict.unwrap_err(), Rejection::InactiveSecret);
    let same = secrets(&[SECRET_1], &[SECRET_1]);
    assert!(same.inactive.is_empty());
}

#[test]
fn no_body_is_diagnosed_without_a_signature_that_could_match() {
    let gzip = [0x1f, 0x8b, 8, 0];
    let verdict = |signatures| check(SECRET_1, MESSAGE_1, gzip.to_vec(), signatures).unwrap_err();
    assert_eq!(verdict(GOOD_1).code(), "body_reencoded");
    assert_eq!(verdict("v1,g0hM9SsE"), Rejection::BadSignature);
}

#[test]
fn only_bodies_up_to_16_kib_are_diagnosed() {
    let secret = SigningSecret::parse(SECRET_1).unwrap();
    for (length, code) in [(16_000, "body_reencoded"), (17_000, "bad_signature")] {
        let signed = format!("[\"{}\"]", "a".repeat(length));
        let good = secret.signature(ID_1, "1654012700", signed.as_bytes());
        let changed = signed.replace('[', "[ ");
        let verdict = check(SECRET_1, (ID_1, "1654012700"), changed, &good);
        assert_eq!(verdict.unwrap_err().code(), code, "{length}");
    }
}

proptest::proptest! {
    #[test]
    fn no_header_and_no_body_makes_it_panic(signatures in ".*", body: Vec<u8>) {
        let _ = check(SECRET_1, MESSAGE_1, body, &signatures);
    }
}
