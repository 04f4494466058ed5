//! Signals: the first one asks to stop, the second one stops.

use tokio::signal::unix::{SignalKind, signal};

/// Completes at the first SIGTERM or SIGINT; from then on a second one ends the process
/// at once.
pub(super) async fn requested() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without signals only a kill stops the process, which it survives.
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
