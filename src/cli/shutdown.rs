//! Waits for SIGINT or SIGTERM. Called by every subcommand that serves; a second signal ends the
//! process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Exit status after a second signal, as of a program that SIGINT ends.
const INTERRUPTED: i32 = 130;

/// Completes at the first SIGTERM or SIGINT; a second one then exits the process, whatever the
/// service waits for.
pub(super) async fn requested() {
    let (first, waiting) = oneshot::channel();
    let watch = || watch(first);
    if std::thread::Builder::new().name("usersync-signals".into()).spawn(watch).is_err()
        || waiting.await.is_err()
    {
        // Without signal handlers only SIGKILL stops the process, which is safe.
        std::future::pending::<()>().await;
    }
}

/// On a thread and a runtime of its own, which nothing blocks and which ends with the process.
fn watch(first: oneshot::Sender<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
        return;
    };
    runtime.block_on(async {
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return;
        };
        either(&mut terminate, &mut interrupt).await;
        first.send(()).ok();
        either(&mut terminate, &mut interrupt).await;
        std::process::exit(INTERRUPTED);
    });
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
