//! Tests of keys from settings and from key sets: which are used, and with which error the others
//! are refused.

use super::{PUBLISHED_JWK, PUBLISHED_PEM, PUBLISHED_TOKEN, by_pem, now};
use crate::provider::clerk::session::PublicKey;
use crate::provider::clerk::session::jwks::read_keys;
use serde_json::{Value, json};

const SMALL_PEM: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC96kONpCHzindfX9zvRjp4t7Y+
n0sLCtqXXuS/JaRZh7vMfADt21pUTlr/sK0bE24cgGTvAMbUESKGM7XeO7miGG25
qJD4oi0i5Rr4sghR3A2THhNCDR8Kro5X6yHKFzn0A3oAEWWbWfljo3jrso0p+z9z
R6uzMGP95zG6E78+6QIDAQAB
-----END PUBLIC KEY-----";

const ELLIPTIC_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEETybDG1N/tRsdbZuUo4nqd2hGO+
opFrLTXjBPZAMOvsN0cyDRgWBr6iv9w3maozS3tv3oGoHsRSBwvL3NNtiw==
-----END PUBLIC KEY-----";

#[tokio::test]
async fn a_key_in_pem_form_is_read_as_settings_hold_it() {
    let bare: String = PUBLISHED_PEM.lines().filter(|line| !line.starts_with('-')).collect();
    let one_line = PUBLISHED_PEM.replace('\n', " ");
    let escaped = PUBLISHED_PEM.replace('\n', "\\n");
    for text in [
        PUBLISHED_PEM.replace('\n', "\r\n"),
        format!("\"{escaped}\""),
        format!("'{}'", PUBLISHED_PEM.replace('\n', "\\r\\n")),
        escaped,
        format!("  {one_line}  "),
        bare.trim_end_matches('=').to_owned(),
        bare,
    ] {
        assert!(by_pem(&text).verify(PUBLISHED_TOKEN, now()).await.is_ok(), "{text}");
    }
}

#[test]
fn what_is_no_public_rsa_key_is_refused_with_what_to_do() {
    for (text, expected) in [
        ("", "empty"),
        ("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", "empty"),
        ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "private key"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n", "private key"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "certificate"),
        ("pk_test_Y2xlcmsuY2xlcmsuZGV2JA", "API key"),
        ("sk_test_Y2xlcmsuY2xlcmsuZGV2JA", "API key"),
        ("not a key!", "PEM form"),
        ("MIIB", "no RSA public key"),
        (ELLIPTIC_PEM, "no RSA public key"),
        (SMALL_PEM, "2048"),
    ] {
        let fault = PublicKey::parse(text).unwrap_err();
        assert!(fault.contains(expected), "{text}: {fault}");
    }
}

/// Whether a set of the published key has a key with members replaced, or `null`: removed.
fn usable(replaced: &Value) -> bool {
    let mut entry: Value = serde_json::from_str(PUBLISHED_JWK).unwrap();
    for (name, value) in replaced.as_object().unwrap() {
        entry.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    entry.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    read_keys(json!({"keys": [entry]}).to_string().as_bytes()).is_some()
}

#[test]
fn only_strong_rsa_keys_for_signatures_are_used() {
    for replaced in [
        json!({}),
        json!({"use": null}),
        json!({"alg": null}),
        json!({"x5c": ["ignored"], "key_ops": ["verify"]}),
        json!({"kid": "k".repeat(256)}),
        json!({"e": "AAEAAQ"}),
        json!({"n": format!("g{}w", "_".repeat(340))}), // 2048 bits
        json!({"e": "Aw=="}),
    ] {
        assert!(usable(&replaced), "{replaced}");
    }
    for replaced in [
        json!({"use": "enc"}),
        json!({"alg": "RS512"}),
        json!({"alg": 1}),
        json!({"kty": "EC"}),
        json!({"kty": null}),
        json!({"kid": null}),
        json!({"kid": "k".repeat(257)}),
        json!({"n": null}),
        json!({"n": ""}),
        json!({"n": "!"}),
        json!({"n": format!("f{}w", "_".repeat(340))}), // 2047 bits
        json!({"n": "_".repeat(1368)}),                 // 8208 bits
        json!({"e": ""}),
        json!({"e": "AA"}),
        json!({"e": "AQ"}),
        json!({"e": "Ag"}),
    ] {
        assert!(!usable(&replaced), "{replaced}");
    }
}

#[test]
fn entries_that_cannot_be_used_do_not_fail_a_set() {
    let elliptic = r#"{"kty":"EC","kid":"e","crv":"P-256","x":"AA","y":"AA"}"#;
    let set = format!(r#"{{"keys":[null,1,"x",[],{{}},{elliptic},{PUBLISHED_JWK}],"more":1}}"#);
    let set = read_keys(set.as_bytes()).unwrap();
    assert!(set.contains_key("ins_2GIoQhbUpy0hX7B2cVkuTMinXoD"));
    assert!(!set.contains_key("e"));
    for none in ["", "null", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, "<html>"] {
        assert!(read_keys(none.as_bytes()).is_none(), "{none}");
    }
    assert!(read_keys(format!(r#"{{"keys":[{elliptic}]}}"#).as_bytes()).is_none());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".*", bytes: Vec<u8>, n in "[A-Za-z0-9_-]*", e in "[A-Za-z0-9_-]*") {
        let _ = PublicKey::parse(&text);
        let _ = read_keys(&bytes);
        let _ = usable(&json!({"n": n, "e": e}));
    }
}
