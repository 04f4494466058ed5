//! The service of a demo: on the embedded database of its directory, fed by the emulator.
//!
//! Started and stopped by `demo`. Reads no variable of the process environment.

use super::super::Failure;
use super::super::data_dir::DataDir;
use clerk_emulator::Emulator;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use usersync::app::{App, AppError};
use usersync::config::{Config, ConfigSource, Requirement};
use usersync_demo::ServiceAddress;

pub(super) struct Service {
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), AppError>>,
}

impl Service {
    pub(super) fn start(
        emulator: &Emulator,
        data: &DataDir,
    ) -> Result<(Self, ServiceAddress), Failure> {
        let (config, admin_token) = configuration(emulator, data)?;
        let app = App::build(config)?;
        let origin = format!("http://{}", app.address());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(app.run_until_stopped(async {
            stopped.await.ok();
        }));
        Ok((Self { stop, served }, ServiceAddress { origin, admin_token }))
    }

    pub(super) async fn stop(self) -> Result<(), Failure> {
        self.stop.send(()).ok();
        let ended = self.served.await;
        Ok(ended.map_err(|error| Failure::Message(format!("the service broke: {error}")))??)
    }
}

/// The service's configuration and admin token, which are also written to the env file.
fn configuration(emulator: &Emulator, data: &DataDir) -> Result<(Config, String), Failure> {
    let mut variables = data.variables()?;
    variables
        .title("Secrets and database of `usersync demo`, for --env-file of the other commands.");
    variables.keep_emulator(emulator.credentials(), data);
    let admin_token = variables.keep_admin_token();
    variables.write()?;
    let mut source = ConfigSource::default();
    variables.copy_to(&mut source);
    source.set("USERSYNC_BIND", "127.0.0.1:0".into());
    source.set("USERSYNC_API_BUDGET", "off".into());
    // Only the demo's own reconcile repairs what dropped events left wrong.
    source.set("USERSYNC_WATCH_INTERVAL", "off".into());
    source.set("USERSYNC_RECONCILE_SCHEDULE", "off".into());
    Ok((Config::load(&source, Requirement::SigningSecret)?, admin_token))
}
