//! The demo's environment: an emulator with heavy faults and a service on an embedded database.
//!
//! Started and stopped by `demo`. Reads no variable of the process environment.

use super::super::Failure;
use super::super::data_dir::DataDir;
use super::progress::Phase;
use super::service_client::ServiceClient;
use clerk_emulator::{Emulator, EmulatorError, Faults, Retries, Settings};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use usersync::app::{App, AppError};
use usersync::config::{Config, ConfigSource, Requirement};

/// How often a state that sends no notification is read.
pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long a phase may make no progress.
const TIMEOUT: Duration = Duration::from_secs(90);

pub(super) struct Environment {
    pub(super) emulator: Emulator,
    pub(super) client: ServiceClient,
    service: Service,
}

struct Service {
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), AppError>>,
}

/// Starts an emulator, which posts its events to a port without a listener.
pub(super) fn start_emulator(seed: u64) -> Result<Emulator, Failure> {
    let settings = Settings {
        seed,
        faults: Faults::Heavy,
        retries: Retries::short(),
        deliver_to: Some(unused_address().map_err(|error| Failure::Message(error.to_string()))?),
        ..Settings::default()
    };
    Emulator::start(settings).map_err(|error: EmulatorError| Failure::Message(error.to_string()))
}

fn unused_address() -> std::io::Result<String> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    Ok(format!("http://{address}/webhooks/clerk"))
}

impl Environment {
    /// Starts the service, directs the emulator's events to it and waits until it is ready.
    pub(super) async fn start(emulator: Emulator, data: &DataDir) -> Result<Self, Failure> {
        let (config, admin_token) = configuration(&emulator, data)?;
        let app = App::build(config)?;
        let origin = format!("http://{}", app.address());
        emulator.deliver_to(Some(format!("{origin}/webhooks/clerk")));
        let client = ServiceClient::new(origin, admin_token)?;
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(app.run_until_stopped(async {
            stopped.await.ok();
        }));
        let began = Instant::now();
        while !client.is_ready().await {
            fail_after_timeout(began, "the service was not ready")?;
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        let service = Service { stop, served };
        Ok(Self { emulator, client, service })
    }

    /// Waits until no event is in flight and no write-back is due.
    pub(super) async fn wait_until_idle(&self, phase: &Phase) -> Result<(), Failure> {
        let (mut fewest, mut since, mut was_idle) = (usize::MAX, Instant::now(), false);
        loop {
            let settled = tokio::time::timeout(TIMEOUT, self.emulator.wait_until_idle()).await;
            settled.map_err(|_| Failure::Message("deliveries were still in flight".into()))?;
            let due = self.client.due_write_backs().await?;
            phase.left(due);
            // The last write-backs caused events, which may make others due.
            if due == 0 && std::mem::replace(&mut was_idle, true) {
                return Ok(());
            }
            if due < fewest {
                (fewest, since) = (due, Instant::now());
            }
            if due > 0 {
                was_idle = false;
                fail_after_timeout(since, "write-backs were still due")?;
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
    }

    /// Stops the service, then the emulator.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        let Service { stop, served } = self.service;
        stop.send(()).ok();
        served.await.map_err(|error| Failure::Message(format!("the service broke: {error}")))??;
        self.emulator.stop().await;
        Ok(())
    }
}

pub(super) fn fail_after_timeout(began: Instant, what: &str) -> Result<(), Failure> {
    if began.elapsed() < TIMEOUT {
        return Ok(());
    }
    Err(Failure::Message(format!("{what} after {} s", TIMEOUT.as_secs())))
}

/// The service's configuration and admin token, which are also written to the env file.
fn configuration(emulator: &Emulator, data: &DataDir) -> Result<(Config, String), Failure> {
    let keys = emulator.credentials();
    let mut variables = data.variables()?;
    variables
        .title("Secrets and database of `usersync demo`, for --env-file of the other commands.");
    variables.set("CLERK_WEBHOOK_SIGNING_SECRET", &keys.webhook_secret);
    variables.set("CLERK_SECRET_KEY", &keys.secret_key);
    variables.set("CLERK_API_URL", &keys.api_url);
    variables.set("CLERK_PUBLISHABLE_KEY", &keys.publishable_key);
    variables.set("DATABASE_URL", &data.database_url());
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
