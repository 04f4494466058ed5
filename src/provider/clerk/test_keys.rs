//! What marks the keys of the emulator, so that none of them is ever used for a real instance.
//!
//! Read by configuration and by the publishable key. The emulator's crate has constants of the same
//! value; a test compares them, since the service does not depend on that crate.

/// Part of the emulator's secret key and of its decoded webhook secret.
pub const EMULATOR_MARK: &str = "usersync_emulator";

/// Issuer of the emulator's session tokens, whose private keys are public.
pub const EMULATOR_ISSUER: &str = "https://usersync-emulator.localhost";
