//! What a token says: the claims of a session token of version 2, and of a template token.
//!
//! Called by `instance`. Pure: the key signs elsewhere.

use super::Session;
use crate::user::User;
use serde_json::{Map, Value, json};

/// How long a token is good for unless asked otherwise, in seconds.
pub(crate) const LIFETIME: i64 = 60;

/// How far before its making a token is good already, in seconds.
const BACKDATED: i64 = 10;

/// The provider's name for session tokens.
const SESSION: &str = "cl_B7d4PD111AAA";

/// The provider's name for tokens of templates, which prove no session.
const TEMPLATE: &str = "cl_B7d4PD222AAA";

/// What is asked for with a token.
#[derive(Clone, Debug, Default)]
pub(crate) struct TokenOptions {
    /// The template, where it is to be a template token.
    pub template: Option<String>,
    /// The lifetime in seconds.
    pub lifetime: Option<i64>,
    /// The origin to put into the token. The provider's own API knows no such parameter: its
    /// tokens get the origin from the browser.
    pub authorized_party: Option<String>,
}

/// Header and claims of a token that is made at `now`, in seconds.
pub(crate) fn token(
    (instance, issuer): (&str, &str),
    session: &Session,
    user: Option<&User>,
    asked: &TokenOptions,
    (now, id): (i64, String),
) -> (Value, Value) {
    let mut claims = json!({
        "exp": now + asked.lifetime.unwrap_or(LIFETIME), "iat": now, "nbf": now - BACKDATED,
        "iss": issuer, "jti": id, "sub": session.user_id,
    });
    if let Value::Object(claims) = &mut claims {
        if let Some(party) = &asked.authorized_party {
            claims.insert("azp".to_owned(), party.as_str().into());
        }
        if asked.template.is_none() {
            claims.extend(session_claims(session, user));
        }
    }
    let category = if asked.template.is_some() { TEMPLATE } else { SESSION };
    let header = json!({"alg": "RS256", "cat": category, "kid": instance, "typ": "JWT"});
    (header, claims)
}

/// What only session tokens have, with the claims of our own that an instance is set up to add.
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
