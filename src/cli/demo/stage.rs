//! The stage: a service on an embedded database, and an emulator that does everything wrong.
//!
//! Set up by `demo`, and used by its acts. The service is the same as anywhere; nothing of the
//! environment is looked at.

use super::super::Failure;
use super::super::data_dir::DataDir;
use super::caller::Caller;
use super::progress::Phase;
use clerk_emulator::{Emulator, EmulatorError, Faults, Retries, Settings};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use usersync::app::{App, AppError};
use usersync::config::{Config, ConfigSource, Requirement};

/// How long to wait between two looks at what tells nobody when it happens.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long something may make no progress before it is given up.
const PATIENCE: Duration = Duration::from_secs(90);

/// An emulator whose events nobody takes yet.
pub(super) struct Backstage {
    pub(super) emulator: Emulator,
}

/// Both, and the service is ready.
pub(super) struct Stage {
    pub(super) emulator: Emulator,
    pub(super) caller: Caller,
    service: Service,
}

/// The service at work, and how to stop it.
struct Service {
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), AppError>>,
}

impl Backstage {
    /// Starts the emulator, which posts its events to where nobody listens.
    pub(super) fn open(seed: u64) -> Result<Self, Failure> {
        let settings = Settings {
            seed,
            faults: Faults::Heavy,
            retries: Retries::short(),
            deliver_to: Some(nobody().map_err(|error| Failure::Message(error.to_string()))?),
            ..Settings::default()
        };
        let told = |error: EmulatorError| Failure::Message(error.to_string());
        Ok(Self { emulator: Emulator::start(settings).map_err(told)? })
    }

    /// Starts the service, lets events go there, and waits until it is ready.
    pub(super) async fn raise(self, data: &DataDir) -> Result<Stage, Failure> {
        let (config, admin_token) = configuration(&self.emulator, data)?;
        let app = App::build(config)?;
        let origin = format!("http://{}", app.address());
        self.emulator.deliver_to(Some(format!("{origin}/webhooks/clerk")));
        let caller = Caller::new(origin, admin_token)?;
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(app.run_until_stopped(async {
            stopped.await.ok();
        }));
        let began = Instant::now();
        while !caller.is_ready().await {
            give_up_after(began, "the service was not ready")?;
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let service = Service { stop, served };
        Ok(Stage { emulator: self.emulator, caller, service })
    }
}

/// An address where nobody listens, for now.
fn nobody() -> std::io::Result<String> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    Ok(format!("http://{address}/webhooks/clerk"))
}

impl Stage {
    /// Waits until no event is under way and no write-back is due.
    pub(super) async fn quiet(&self, phase: &Phase) -> Result<(), Failure> {
        let (mut fewest, mut since, mut calm) = (usize::MAX, Instant::now(), false);
        loop {
            let settled = tokio::time::timeout(PATIENCE, self.emulator.wait_until_idle()).await;
            settled.map_err(|_| Failure::Message("deliveries were still under way".into()))?;
            let due = self.caller.due_write_backs().await?;
            phase.left(due);
            // The last write-backs caused events, which may make others due.
            if due == 0 && std::mem::replace(&mut calm, true) {
                return Ok(());
            }
            if due < fewest {
                (fewest, since) = (due, Instant::now());
            }
            if due > 0 {
                calm = false;
                give_up_after(since, "write-backs were still due")?;
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    /// Stops the service, then the emulator.
    pub(super) async fn clear(self) -> Result<(), Failure> {
        let Service { stop, served } = self.service;
        stop.send(()).ok();
        served.await.map_err(|error| Failure::Message(format!("the service broke: {error}")))??;
        self.emulator.stop().await;
        Ok(())
    }
}

pub(super) fn give_up_after(began: Instant, what: &str) -> Result<(), Failure> {
    if began.elapsed() < PATIENCE {
        return Ok(());
    }
    Err(Failure::Message(format!("{what} after {} s", PATIENCE.as_secs())))
}

/// The service's configuration, and its operator's token; both are kept for `--keep`.
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
    // What is lost is to be seen to be lost, until the reconcile comes.
    source.set("USERSYNC_WATCH_INTERVAL", "off".into());
    source.set("USERSYNC_RECONCILE_SCHEDULE", "off".into());
    Ok((Config::load(&source, Requirement::SigningSecret)?, admin_token))
}
