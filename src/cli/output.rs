//! Prints a subcommand's results on standard output and its messages on standard error. Called by
//! every subcommand; logs do not come here.

use std::io::Write as _;

/// Ignores errors: a closed pipe must not make the command fail.
pub(super) fn line(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

pub(super) fn error(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}
