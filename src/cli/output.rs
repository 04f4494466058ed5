//! What is printed for whoever ran the command. Logs go elsewhere.

use std::io::Write as _;

/// A line on standard output. A reader that went away is no reason to fail.
pub(super) fn line(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// A line on standard error.
pub(super) fn error(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
