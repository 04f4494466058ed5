//! Log lines on standard error, as text or JSON. Started once by `app`, before anything else runs.

use std::io::IsTerminal as _;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    /// One object per line.
    Json,
}

/// Starts logging the lines that `filter` selects; without a `format`, as text on a terminal and
/// else as JSON. Returns false if logging had started before.
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

/// Libraries log requests and statements, personal data included, at their finer levels: whatever
/// `RUST_LOG` says, only their warnings and errors are logged.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let ours = metadata.target().split("::").next() == Some("usersync");
    ours || *metadata.level() <= Level::WARN
}
