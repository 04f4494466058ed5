//! Recognises the emulator's keys, which are public, so that they are refused for a real instance.
//!
//! Called by configuration and by the publishable key. The emulator's crate has constants of the
//! same value, which a test compares: the service does not depend on that crate.

/// Part of the emulator's API keys and of the bytes of its webhook secret.
pub const MARK: &str = "usersync_emulator";

/// Issuer of the emulator's session tokens, whose private keys are public.
pub const ISSUER: &str = "https://usersync-emulator.localhost";

#[cfg(test)]
mod tests {
    #[test]
    fn the_marks_are_those_of_the_emulator() {
        assert_eq!(super::MARK, clerk_emulator::MARK);
        assert_eq!(super::ISSUER, clerk_emulator::ISSUER);
    }
}
