//! PEM as it arrives in settings: quoted, on one line, or without its first and last line.
//!
//! Called by `keys`. Pure; knows the armour, not what is inside.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What opens and closes the lines around the base64.
const DASHES: &str = "-----";

/// The bytes of a public key in PEM form, or what is wrong with the text.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    if text.contains("PRIVATE KEY") {
        return Err("is a private key, which belongs nowhere near here: copy the PEM public key");
    }
    if text.contains("BEGIN CERTIFICATE") {
        return Err("is a certificate: copy the PEM public key from the dashboard");
    }
    if text.trim_start().starts_with("pk_") || text.trim_start().starts_with("sk_") {
        return Err("is an API key: copy the PEM public key from the dashboard");
    }
    // Env files hold line breaks as two characters, and quotes that somebody forgot.
    let unescaped = text.replace("\\r", "").replace("\\n", "\n");
    let unquoted = unescaped.trim().trim_matches(['"', '\'']);
    let encoded: String = unquoted
        .split(DASHES)
        .filter(|piece| !piece.starts_with("BEGIN ") && !piece.starts_with("END "))
        .flat_map(str::chars)
        .filter(|character| !character.is_whitespace())
        .collect();
    if encoded.is_empty() {
        return Err("is empty: copy the PEM public key from the dashboard's page of API keys");
    }
    STANDARD_NO_PAD
        .decode(encoded.trim_end_matches('='))
        .map_err(|_| "is not a key in PEM form: copy it whole, from BEGIN PUBLIC KEY to its end")
}
