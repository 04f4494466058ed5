//! Why a request is turned away at the door: nothing of it is stored.
//!
//! Made by the files of this room, mapped to an HTTP answer in `http::problem`, counted by
//! `telemetry::metrics`. The texts are read by whoever looks at the provider's delivery log,
//! so each says what to do.

/// A reason to refuse a request before anything is stored.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Rejection {
    /// One of the three signed headers is absent or blank.
    #[error(
        "the header `svix-{0}` (or `webhook-{0}`) is missing; only the provider's signed deliveries are accepted here"
    )]
    MissingHeader(&'static str),
    /// A signed header holds what no provider sends.
    #[error("the header `svix-{0}` (or `webhook-{0}`) cannot be read")]
    InvalidHeader(&'static str),
    /// The timestamp is no count of seconds.
    #[error("the timestamp header is not a whole number of seconds")]
    InvalidTimestamp,
    /// Signed more than the tolerance ago.
    #[error(
        "the delivery was signed more than 300 s ago; if it is fresh, set this machine's clock"
    )]
    TimestampTooOld,
    /// Signed more than the tolerance ahead.
    #[error("the delivery was signed more than 300 s in the future; set this machine's clock")]
    TimestampTooNew,
    /// No signature matches any active secret.
    #[error(
        "no signature matches; compare CLERK_WEBHOOK_SIGNING_SECRET with the signing secret of this very endpoint and instance"
    )]
    BadSignature,
    /// Signed with a secret that we know but no longer use.
    #[error(
        "signed with the secret in CLERK_WEBHOOK_SECRET, which CLERK_WEBHOOK_SIGNING_SECRET replaces; put both into CLERK_WEBHOOK_SIGNING_SECRET, separated by a comma, while rotating"
    )]
    InactiveSecret,
    /// The signature is genuine for the same JSON written differently.
    #[error(
        "the body was re-encoded on its way (a proxy or framework parsed and re-wrote the JSON); pass the raw bytes through"
    )]
    BodyReencoded,
    /// The body is larger than is accepted.
    #[error("the body is larger than 1 MiB")]
    BodyTooLarge,
    /// The body did not arrive in time.
    #[error("the body did not arrive within 10 s")]
    BodyTooSlow,
    /// The connection broke while the body was read.
    #[error("the body ended before its announced length")]
    BodyIncomplete,
    /// Too many bytes of unverified bodies are being read at this moment.
    #[error("too many deliveries are being received at this moment; try again")]
    TooManyBodies,
}

impl Rejection {
    /// Every code, for the metrics' closed label set.
    pub const CODES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// The stable code in the answer and the metrics.
    pub fn code(self) -> &'static str {
        self.into()
    }
}
