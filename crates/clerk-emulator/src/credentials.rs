//! Makes the credentials of an instance: kept ones, or new ones derived from the seed.
//!
//! Every one of them says what it is, so that a service refuses it in earnest: the keys hold
//! `usersync_emulator`, the webhook secret holds it in its decoded bytes.

use super::key::Key;
use super::rng::SeededRng;
use super::settings::{Credentials, ISSUER, MARK};
use super::signing::SigningSecret;
use super::{EmulatorError, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::net::SocketAddr;

/// How many bytes of a webhook secret are derived: with the mark it has 32.
const DERIVED_BYTES: usize = 15;

/// The credentials, and the webhook secret ready for signing.
pub(super) fn credentials(
    settings: &Settings,
    address: SocketAddr,
    key: &Key,
) -> Result<(Credentials, SigningSecret), EmulatorError> {
    let rng = SeededRng::new(settings.seed, &settings.instance_id);
    let kept = settings.credentials.as_ref();
    // What does not say what it is, is not taken over.
    let held = kept.map(|kept| kept.secret_key.clone()).filter(|key| key.contains(MARK));
    let secret_key = held.unwrap_or_else(|| secret_key(&rng));
    let marked = |secret: &String| {
        SigningSecret::parse(secret).is_some_and(|secret| secret.holds(MARK.as_bytes()))
    };
    let held = kept.map(|kept| kept.webhook_secret.clone()).filter(marked);
    let webhook_secret = held.unwrap_or_else(|| webhook_secret(&rng));
    let signing = SigningSecret::parse(&webhook_secret)
        .ok_or_else(|| EmulatorError::Keys("the webhook secret is none".to_owned()))?;
    let credentials = Credentials {
        api_url: format!("http://{address}"),
        secret_key,
        publishable_key: publishable_key(),
        jwt_key: key.public_pem().to_owned(),
        webhook_secret,
        instance_id: instance_id(settings).to_owned(),
        issuer: ISSUER.to_owned(),
    };
    Ok((credentials, signing))
}

/// The instance of kept credentials goes before the one of the settings.
pub(super) fn instance_id(settings: &Settings) -> &str {
    let kept = settings.credentials.as_ref().map(|kept| kept.instance_id.as_str());
    kept.filter(|id| !id.is_empty()).unwrap_or(&settings.instance_id)
}

fn secret_key(rng: &SeededRng) -> String {
    format!("sk_test_{MARK}_{}", rng.draw("secret key", 0).letters(24))
}

fn webhook_secret(rng: &SeededRng) -> String {
    let derived = rng.draw("webhook secret", 0).bytes().into_iter().take(DERIVED_BYTES);
    let bytes: Vec<u8> = MARK.bytes().chain(derived).collect();
    format!("whsec_{}", STANDARD.encode(bytes))
}

fn publishable_key() -> String {
    let host = ISSUER.trim_start_matches("https://");
    format!("pk_test_{}", STANDARD_NO_PAD.encode(format!("{host}$")))
}
