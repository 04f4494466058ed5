//! Keys from settings: which pass, and what the others are told.

use super::{PUBLISHED_PEM, PUBLISHED_TOKEN, by_pem, now};
use crate::provider::clerk::session::PublicKey;

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
    for (text, told) in [
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
        assert!(fault.contains(told), "{text}: {fault}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".*") {
        let _ = PublicKey::parse(&text);
    }
}
