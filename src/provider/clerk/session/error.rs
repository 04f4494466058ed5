//! Why a session token is refused.
//!
//! Returned by this folder and mapped to an HTTP answer by `http`. The codes are stable; the texts
//! say what to do and never quote the token.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No key set was ever loaded, so nothing is known about the token.
    #[error(
        "the provider's session keys could not be loaded; try again, and check CLERK_JWKS_URL and the way out of this machine"
    )]
    KeysUnavailable,
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantNames, thiserror::Error,
)]
pub enum TokenError {
    #[strum(serialize = "session_missing")]
    #[error("no session token was sent; send it as `Authorization: Bearer …`")]
    Missing,
    /// It is no JWT, or holds a header or a claim of a wrong shape.
    #[strum(serialize = "token_malformed")]
    #[error(
        "the session token cannot be read; send the provider's token unchanged, without quotes or line breaks"
    )]
    Malformed,
    #[strum(serialize = "token_algorithm")]
    #[error("the token is not signed with RS256; send a session token of the provider")]
    Algorithm,
    /// Signed with a key that the provider does not list.
    #[strum(serialize = "token_key_unknown")]
    #[error(
        "the token names a key that this instance of the provider does not have; compare the application's publishable key with the one configured here"
    )]
    KeyUnknown,
    #[strum(serialize = "token_signature")]
    #[error(
        "the token's signature does not match; compare the key configured here with the application's instance of the provider"
    )]
    Signature,
    /// The header's `typ` is another than `JWT`.
    #[strum(serialize = "token_type")]
    #[error("the token is of another type than JWT; send a session token of the provider")]
    Type,
    /// A token of the provider, but none of a session.
    #[strum(serialize = "token_category")]
    #[error(
        "this is no session token (a JWT template's, a machine's or an OAuth token); send what `getToken()` returns without a template"
    )]
    Category,
    #[strum(serialize = "token_subject")]
    #[error("the token names no user in `sub`; send a session token of the provider")]
    Subject,
    #[strum(serialize = "token_issuer")]
    #[error(
        "the token was issued by another instance of the provider; compare its `iss` with CLERK_ISSUER or CLERK_PUBLISHABLE_KEY"
    )]
    Issuer,
    /// Made for another origin (`azp`).
    #[strum(serialize = "token_party")]
    #[error(
        "the token was made for another origin; its `azp` must be in CLERK_AUTHORIZED_PARTIES exactly, as `https://app.example.com` without a slash at the end"
    )]
    Party,
    #[strum(serialize = "token_expired")]
    #[error("the session token has expired; fetch a fresh one with `getToken()`")]
    Expired,
    #[strum(serialize = "token_not_yet_valid")]
    #[error("the session token is not valid yet; set this machine's clock")]
    NotYetValid,
    #[strum(serialize = "token_issued_in_the_future")]
    #[error("the session token was issued in the future; set this machine's clock")]
    IssuedInTheFuture,
    /// The user has not finished signing in.
    #[strum(serialize = "session_pending")]
    #[error("the session is pending; let the user finish signing in first")]
    Pending,
}

impl TokenError {
    /// The stable code in the answer.
    pub fn code(self) -> &'static str {
        self.into()
    }
}
