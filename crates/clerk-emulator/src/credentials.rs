//! Makes the credentials of an instance: those of an earlier run, or new ones derived from the seed.
//!
//! Called by `server`. The keys contain [`MARK`], and the webhook secret contains it in its decoded
//! bytes, so that a service can refuse them in production.

use crate::key::Key;
use crate::rng::SeededRng;
use crate::settings::{Credentials, ISSUER, MARK};
use crate::signing::SigningSecret;
use crate::{EmulatorError, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use std::net::SocketAddr;

/// With the mark a webhook secret has 32 bytes.
const DERIVED_BYTES: usize = 15;

pub(crate) fn credentials(
    settings: &Settings,
    address: SocketAddr,
    key: &Key,
) -> Result<(Credentials, SigningSecret), EmulatorError> {
    let rng = SeededRng::new(settings.seed, &settings.instance_id);
    let previous = settings.credentials.as_ref();
    // Keys without the mark are not taken over.
    let secret_key = previous.map(|keys| keys.secret_key.clone()).filter(|key| key.contains(MARK));
    let secret_key = secret_key
        .unwrap_or_else(|| format!("sk_test_{MARK}_{}", rng.letters("secret key", 0, 24)));
    let marked = |secret: &String| {
        SigningSecret::parse(secret).is_some_and(|secret| secret.holds(MARK.as_bytes()))
    };
    let webhook_secret = previous.map(|keys| keys.webhook_secret.clone()).filter(marked);
    let webhook_secret = webhook_secret.unwrap_or_else(|| new_webhook_secret(&rng));
    let signing = SigningSecret::parse(&webhook_secret)
        .ok_or_else(|| EmulatorError::Keys("the webhook secret is invalid".to_owned()))?;
    let host = ISSUER.trim_start_matches("https://");
    let credentials = Credentials {
        api_url: format!("http://{address}"),
        secret_key,
        publishable_key: format!("pk_test_{}", STANDARD_NO_PAD.encode(format!("{host}$"))),
        jwt_key: key.public_pem().to_owned(),
        webhook_secret,
        instance_id: instance_id(settings).to_owned(),
        issuer: ISSUER.to_owned(),
    };
    Ok((credentials, signing))
}

/// The instance id of an earlier run's credentials, else that of the settings.
pub(crate) fn instance_id(settings: &Settings) -> &str {
    let previous = settings.credentials.as_ref().map(|keys| keys.instance_id.as_str());
    previous.filter(|id| !id.is_empty()).unwrap_or(&settings.instance_id)
}

fn new_webhook_secret(rng: &SeededRng) -> String {
    let derived = rng.letters("webhook secret", 0, DERIVED_BYTES);
    format!("whsec_{}", STANDARD.encode(format!("{MARK}{derived}")))
}
