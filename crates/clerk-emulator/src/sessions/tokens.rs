//! The claims of session tokens (version 2) and of template tokens.
//!
//! Called by `Instance::token`, which signs them. Pure.

use super::Session;
use crate::user::User;
use serde_json::{Map, Value, json};

/// In seconds.
const DEFAULT_LIFETIME: i64 = 60;

/// How long before `iat` a token is valid already, in seconds.
const BACKDATED: i64 = 10;

/// The provider's name for session tokens.
const SESSION: &str = "cl_B7d4PD111AAA";

/// The provider's name for template tokens, which prove no session.
const TEMPLATE: &str = "cl_B7d4PD222AAA";

/// What a request asks of a token.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenOptions {
    /// Set for a template token.
    pub template: Option<String>,
    /// In seconds.
    pub lifetime: Option<i64>,
    /// The `azp` claim. The real API has no such parameter: it takes the origin from the browser.
    pub authorized_party: Option<String>,
}

/// Header and claims of a token; `now` is in seconds.
pub(crate) fn token(
    (instance, issuer): (&str, &str),
    session: &Session,
    user: Option<&User>,
    options: &TokenOptions,
    (now, id): (i64, String),
) -> (Value, Value) {
    let mut claims = json!({
        "exp": now + options.lifetime.unwrap_or(DEFAULT_LIFETIME), "iat": now, "nbf": now - BACKDATED,
        "iss": issuer, "jti": id, "sub": session.user_id,
    });
    if let Value::Object(claims) = &mut claims {
        if let Some(party) = &options.authorized_party {
            claims.insert("azp".to_owned(), party.as_str().into());
        }
        if options.template.is_none() {
            claims.extend(session_claims(session, user));
        }
    }
    let category = if options.template.is_some() { TEMPLATE } else { SESSION };
    let header = json!({"alg": "RS256", "cat": category, "kid": instance, "typ": "JWT"});
    (header, claims)
}

/// The claims that only session tokens have, and the custom ones (`dbId`, `role`) of this instance.
fn session_claims(session: &Session, user: Option<&User>) -> Map<String, Value> {
    let word = |key: &str| user.and_then(|user| user.public_metadata.get(key)).cloned();
    let claims = [
        ("sid", session.id.as_str().into()),
        ("sts", "active".into()),
        ("v", 2.into()),
        ("fva", json!([0, -1])),
        ("dbId", word("dbId").unwrap_or_default()),
        ("role", word("role").unwrap_or_default()),
    ];
    claims.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}
