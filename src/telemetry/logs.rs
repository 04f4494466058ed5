//! Log lines: on standard error, as text for people or JSON for machines.

use std::io::IsTerminal as _;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: an object a line.
    Json,
}

/// Starts logging what `filter` lets through, in text on a terminal and else in JSON where no `format` is
/// given. Returns whether it did: a second call in one process changes nothing.
pub fn start(format: Option<LogFormat>, filter: &str) -> bool {
    let filter: Targets = filter.parse().unwrap_or_default();
    let filter = filter.and(filter_fn(may_be_logged));
    let terminal = std::io::stderr().is_terminal();
    let format = format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry();
    let started = match format {
        LogFormat::Text => registry.with(lines.with_ansi(terminal).with_filter(filter)).try_init(),
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_filter(filter)).try_init()
        }
    };
    started.is_ok()
}

/// Libraries print requests and statements at their finer levels, personal data included:
/// whatever `RUST_LOG` says, nothing below a warning is taken from them.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target().split("::").next() == Some("usersync");
    ours || *metadata.level() <= Level::WARN
}
