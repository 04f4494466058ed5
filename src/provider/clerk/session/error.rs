//! Why a session token is refused.
//!
//! Returned by this folder and mapped to an HTTP answer by `http`. The codes are stable; the texts
//! say what to do and never quote the token.

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr, strum::VariantNames, thiserror::Error,
)]
#[strum(serialize_all = "snake_case")]
pub enum SessionError {
    #[error("no session token was sent; send it as `Authorization: Bearer …`")]
    SessionMissing,
    /// It is no JWT, or holds a header or a claim of a wrong shape.
    #[error(
        "the session token cannot be read; send the provider's token unchanged, without quotes or line breaks"
    )]
    TokenMalformed,
    #[error("the token is not signed with RS256; send a session token of the provider")]
    TokenAlgorithm,
    #[error(
        "the token names a key that this instance of the provider does not have; compare the application's publishable key with the one configured here"
    )]
    TokenKeyUnknown,
    #[error(
        "the token's signature does not match; compare the key configured here with the application's instance of the provider"
    )]
    TokenSignature,
    #[error("the token is of another type than JWT; send a session token of the provider")]
    TokenType,
    /// A token of the provider, but none of a session.
    #[error(
        "this is no session token (a JWT template's, a machine's or an OAuth token); send what `getToken()` returns without a template"
    )]
    TokenCategory,
    #[error("the token names no user in `sub`; send a session token of the provider")]
    TokenSubject,
    #[error(
        "the token was issued by another instance of the provider; compare its `iss` with CLERK_ISSUER or CLERK_PUBLISHABLE_KEY"
    )]
    TokenIssuer,
    #[error(
        "the token was made for another origin; its `azp` must be in CLERK_AUTHORIZED_PARTIES exactly, as `https://app.example.com` without a slash at the end"
    )]
    TokenParty,
    #[error("the session token has expired; fetch a fresh one with `getToken()`")]
    TokenExpired,
    #[error("the session token is not valid yet; set this machine's clock")]
    TokenNotYetValid,
    #[error("the session token was issued in the future; set this machine's clock")]
    TokenIssuedInTheFuture,
    #[error("the session is pending; let the user finish signing in first")]
    SessionPending,
    /// No key set was ever loaded, so nothing is known about the token.
    #[error(
        "the provider's session keys could not be loaded; try again, and check CLERK_JWKS_URL and the way out of this machine"
    )]
    KeysUnavailable,
}

impl SessionError {
    pub fn code(self) -> &'static str {
        self.into()
    }
}
