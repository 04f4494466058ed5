//! Bearer tokens of operators and applications.
//!
//! Called by `http` for every request that needs one. Only digests are kept; a presented token is
//! hashed and compared with each of them in constant time, so that timing reveals neither text nor
//! length.

use crate::provider::http::bearer;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use subtle::ConstantTimeEq as _;

/// In characters: long enough even where the random source was poor.
const SHORTEST_TOKEN: usize = 32;

/// What a request needs and a token allows; the greater one includes the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    ReadUsers,
    Administer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessError {
    /// No token, a wrong one, or none is configured.
    Unauthorized,
    /// A read token, where an admin token is needed.
    Forbidden,
}

/// The name of a token in logs: as configured, else the first eight hex digits of its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenName(pub String);

#[derive(Debug, Default)]
pub struct Tokens {
    known: Vec<AccessToken>,
}

#[derive(Debug)]
struct AccessToken {
    token_name: TokenName,
    digest: [u8; 32],
    access: Access,
}

impl Tokens {
    /// Adds `secret` or `name:secret` as a token with this access, or returns what is wrong with it.
    pub fn add(&mut self, text: &str, access: Access) -> Result<(), &'static str> {
        let (name, secret) = text.split_once(':').unwrap_or(("", text));
        if secret.len() < SHORTEST_TOKEN {
            return Err("is too short: use 32 characters or more, as from `openssl rand -hex 32`");
        }
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("holds characters that a header cannot carry: use `openssl rand -hex 32`");
        }
        let digest: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let mut token_name = name.to_owned();
        if token_name.is_empty() {
            for byte in digest.iter().take(4) {
                // Writing to a string cannot fail.
                write!(token_name, "{byte:02x}").ok();
            }
        }
        self.known.push(AccessToken { token_name: TokenName(token_name), digest, access });
        Ok(())
    }

    /// Checks the value of an `Authorization` header.
    pub fn decide(
        &self,
        authorization: Option<&[u8]>,
        access: Access,
    ) -> Result<&TokenName, AccessError> {
        let presented = authorization.and_then(bearer).ok_or(AccessError::Unauthorized)?;
        let digest: [u8; 32] = Sha256::digest(presented).into();
        let mut found = None;
        for token in &self.known {
            if bool::from(token.digest.ct_eq(&digest)) {
                found = Some(token);
            }
        }
        match found {
            None => Err(AccessError::Unauthorized),
            Some(token) if token.access >= access => Ok(&token.token_name),
            Some(_) => Err(AccessError::Forbidden),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, AccessError, Tokens};

    const ADMIN: &str = "0123456789abcdef0123456789abcdef";
    const READ: &str = "fedcba9876543210fedcba9876543210";

    fn tokens() -> Tokens {
        let mut tokens = Tokens::default();
        tokens.add(&format!("ops:{ADMIN}"), Access::Administer).unwrap();
        tokens.add(READ, Access::ReadUsers).unwrap();
        tokens
    }

    fn decide(header: &str, access: Access) -> Result<String, AccessError> {
        tokens().decide(Some(header.as_bytes()), access).map(|token_name| token_name.0.clone())
    }

    #[test]
    fn an_admin_token_does_everything_and_a_read_token_reads() {
        let (admin, read) = (format!("Bearer {ADMIN}"), format!("Bearer {READ}"));
        assert_eq!(decide(&admin, Access::Administer), Ok("ops".into()));
        assert_eq!(decide(&admin, Access::ReadUsers), Ok("ops".into()));
        assert_eq!(decide(&read, Access::Administer), Err(AccessError::Forbidden));
        assert_eq!(decide(&read, Access::ReadUsers).unwrap().len(), 8);
    }

    #[test]
    fn no_wrong_or_unconfigured_token_is_unauthorized() {
        for header in ["Bearer nope", "Bearer ", ADMIN, "Basic abc", "bearer"] {
            let decided = decide(header, Access::ReadUsers);
            assert_eq!(decided, Err(AccessError::Unauthorized), "{header}");
        }
        assert!(tokens().decide(None, Access::ReadUsers).is_err());
        let closed = Tokens::default();
        assert!(closed.decide(Some(b"Bearer "), Access::ReadUsers).is_err());
    }

    #[test]
    fn short_tokens_are_refused() {
        for short in ["short", "name:123456789abcdef0123456789abcdef"] {
            assert!(Tokens::default().add(short, Access::Administer).is_err(), "{short}");
        }
    }
}
