//! Waits for SIGINT or SIGTERM. Called by every subcommand that serves; a second signal ends the
//! process at once.

use tokio::signal::unix::{SignalKind, signal};

/// Completes at the first SIGTERM or SIGINT; a second one then exits the process.
pub(super) async fn requested() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without signal handlers only SIGKILL stops the process, which is safe.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(130);
    });
}
