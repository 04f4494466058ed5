//! Why a session token is refused.
//!
//! Made by the files of this room, mapped to an HTTP answer by whoever asks who somebody
//! is. The codes are stable; the texts say what to do and never quote the token.

/// Why nobody could be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The token is none that counts here.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The keys that would tell have never been loaded: nothing is known about the token.
    #[error(
        "the provider's session keys could not be loaded; try again, and check CLERK_JWKS_URL and the way out of this machine"
    )]
    KeysUnavailable,
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is none.
    #[error("no session token was sent; send it as `Authorization: Bearer …`")]
    Missing,
    /// It is no JWT, or holds a header or a claim of a wrong shape.
    #[error(
        "the session token cannot be read; send the provider's token unchanged, without quotes or line breaks"
    )]
    Malformed,
    /// Signed with anything but RS256.
    #[error("the token is not signed with RS256; send a session token of the provider")]
    Algorithm,
    /// Signed with a key that the provider does not list.
    #[error(
        "the token names a key that this instance of the provider does not have; compare the application's publishable key with the one configured here"
    )]
    KeyUnknown,
    /// The signature does not match.
    #[error(
        "the token's signature does not match; compare the key configured here with the application's instance of the provider"
    )]
    Signature,
    /// The header's `typ` is another than `JWT`.
    #[error("the token is of another type than JWT; send a session token of the provider")]
    Type,
    /// A token of the provider, but none of a session.
    #[error(
        "this is no session token (a JWT template's, a machine's or an OAuth token); send what `getToken()` returns without a template"
    )]
    Category,
    /// It names nobody.
    #[error("the token names no user in `sub`; send a session token of the provider")]
    Subject,
    /// Issued elsewhere.
    #[error(
        "the token was issued by another instance of the provider; compare its `iss` with CLERK_ISSUER or CLERK_PUBLISHABLE_KEY"
    )]
    Issuer,
    /// Made for another origin.
    #[error(
        "the token was made for another origin; its `azp` must be in CLERK_AUTHORIZED_PARTIES exactly, as `https://app.example.com` without a slash at the end"
    )]
    Party,
    /// Its time is over.
    #[error("the session token has expired; fetch a fresh one with `getToken()`")]
    Expired,
    /// Its time has not begun.
    #[error("the session token is not valid yet; set this machine's clock")]
    NotYetValid,
    /// It comes from the future.
    #[error("the session token was issued in the future; set this machine's clock")]
    IssuedInTheFuture,
    /// The session still waits for a task of its user.
    #[error("the session is pending; let the user finish signing in first")]
    Pending,
}

impl TokenError {
    /// Every code, for the metrics' closed label set.
    pub const CODES: [&'static str; 14] = [
        "session_missing",
        "token_malformed",
        "token_algorithm",
        "token_key_unknown",
        "token_signature",
        "token_type",
        "token_category",
        "token_subject",
        "token_issuer",
        "token_party",
        "token_expired",
        "token_not_yet_valid",
        "token_issued_in_the_future",
        "session_pending",
    ];

    /// The stable code in the answer and the metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "session_missing",
            Self::Malformed => "token_malformed",
            Self::Algorithm => "token_algorithm",
            Self::KeyUnknown => "token_key_unknown",
            Self::Signature => "token_signature",
            Self::Type => "token_type",
            Self::Category => "token_category",
            Self::Subject => "token_subject",
            Self::Issuer => "token_issuer",
            Self::Party => "token_party",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::IssuedInTheFuture => "token_issued_in_the_future",
            Self::Pending => "session_pending",
        }
    }
}
