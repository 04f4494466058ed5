//! The binary: parses the command line and runs the subcommand. Everything else is in `cli` and the
//! library.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os())
}
