//! Why a request is refused before anything of it is stored.
//!
//! Made by this module and the body reader, mapped to a problem by `http`. Operators read the texts
//! in the provider's delivery log, so each says what to do.

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames,
)]
#[strum(serialize_all = "snake_case")]
pub enum Rejection {
    #[error(
        "the header `svix-{0}` (or `webhook-{0}`) is missing; only the provider's signed deliveries are accepted here"
    )]
    MissingHeader(&'static str),
    #[error("the header `svix-{0}` (or `webhook-{0}`) cannot be read")]
    InvalidHeader(&'static str),
    #[error("the timestamp header is not a whole number of seconds")]
    InvalidTimestamp,
    #[error(
        "the delivery was signed more than 300 s ago; if it is fresh, set this machine's clock"
    )]
    TimestampTooOld,
    #[error("the delivery was signed more than 300 s in the future; set this machine's clock")]
    TimestampTooNew,
    #[error(
        "no signature matches; compare CLERK_WEBHOOK_SIGNING_SECRET with the signing secret of this very endpoint and instance, and see that every proxy, gateway and framework on the way passes the raw bytes of the body through"
    )]
    BadSignature,
    #[error(
        "signed with the secret in CLERK_WEBHOOK_SECRET, which CLERK_WEBHOOK_SIGNING_SECRET replaces; put both into CLERK_WEBHOOK_SIGNING_SECRET, separated by a comma, while rotating"
    )]
    InactiveSecret,
    /// The signature is genuine for the same JSON in another form; the text says what happened to it.
    #[error("the body was re-encoded on its way: {0}")]
    BodyReencoded(&'static str),
    #[error("the body is larger than 1 MiB")]
    BodyTooLarge,
    #[error("the body did not arrive within 10 s")]
    BodyTooSlow,
    #[error("the body ended before its announced length")]
    BodyIncomplete,
    /// Too many bytes of unverified bodies are in memory.
    #[error("too many deliveries are being received at this moment; try again")]
    TooManyBodies,
}

impl Rejection {
    /// The closed set of metric labels.
    pub const CODES: &'static [&'static str] = <Self as strum::VariantNames>::VARIANTS;

    /// The `code` of the problem, and the label of the metric.
    pub fn code(self) -> &'static str {
        self.into()
    }
}
