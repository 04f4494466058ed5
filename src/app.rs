//! The service as a whole, the same in `main` and in tests.
//!
//! [`App::build`] listens at once, so that probes are answered while the database is still being
//! prepared. [`App::run_until_stopped`] prepares it, serves, and stops in order: readiness,
//! connections, workers, queue.

mod listener;

use crate::config::{Config, MigrationMode};
use crate::domain::{Backoff, JobEnd, JobKind, Outcome, Schedule};
use crate::http::{self, AppState, Readiness, WebhookReceiver};
use crate::ingest::{Ingest, Unavailable, WriterThread};
use crate::provider::clerk::api::{ApiSettings, ClerkApi, InvalidApi};
use crate::provider::session::Sessions;
use crate::provider::{API_OK, ApiError, Budget, Call};
use crate::store::write_backs::{STATES, WriteBackPolicy};
use crate::store::{Clock, Store, StoreError};
use crate::sync::{SharedBudget, SyncService, Unbounded, WRITE_BACK_OUTCOMES};
use crate::telemetry::{LabelWords, Metrics, Throttle, logs};
use crate::webhook::Rejection;
use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig};
use actix_web::{App as Routes, HttpServer};
use listener::NewConnections;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

/// How long open requests may take after stopping began, in seconds.
const DRAIN_SECONDS: u64 = 20;

/// How long workers may take meanwhile, and a little longer.
const WORKERS_STOP: Duration = Duration::from_secs(DRAIN_SECONDS + 1);

/// How long the queue may then take to drain.
const WRITER_DRAIN: Duration = Duration::from_secs(4);

const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// For how long before it closes the service holds new connections back: longer than those take
/// which wait to be accepted, shorter than the second after which a client's system tries again.
const SETTLING: Duration = Duration::from_millis(250);

/// Delays between attempts to prepare a database that is away.
pub const PREPARE_BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(1) };

/// Runs a future on the kind of runtime that the server needs, until it is done. Waits for no
/// blocking call that is still under way, which may be one to a database that hangs: the process
/// ends next, and with it all of them.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let system = actix_web::rt::System::new();
    let output = system.block_on(future);
    std::mem::forget(system);
    output
}

/// Listens, but is not prepared yet.
pub struct App {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    new_connections: NewConnections,
    server: Server,
    metrics_server: Option<Server>,
    state: Data<AppState>,
    ingest: Ingest,
    writer: WriterThread,
    /// `None`: this replica only answers requests.
    workers: Option<Workers>,
    migrate: MigrationMode,
    shutdown_delay: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("cannot listen on {0}: {1}; set {2} to one that is free")]
    Bind(SocketAddr, std::io::Error, &'static str),
    /// The operating system refused a thread or a socket.
    #[error("the service could not run: {0}")]
    Io(#[from] std::io::Error),
    #[error("the provider's API cannot be used: {0}")]
    Api(#[from] InvalidApi),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    pub fn build(config: Config) -> Result<Self, AppError> {
        Self::build_with_clock(config, Clock::default())
    }

    /// Likewise, on a machine with this clock.
    pub fn build_with_clock(config: Config, clock: Clock) -> Result<Self, AppError> {
        let store = Store::new(&config.database).with_clock(clock);
        let metrics = Arc::new(Metrics::new(label_words()));
        let defaults = config.row_defaults();
        let wake = Arc::new(Notify::new());
        let (ingest, writer) =
            Ingest::start(&store, defaults, Arc::clone(&wake), Arc::clone(&metrics))?;
        let sync = sync_service(&config, &store, wake, &metrics)?;
        let workers = sync.clone().filter(|_| config.workers);
        let workers = workers.map(|sync| Workers {
            sync,
            write_back: config.write_back,
            watch_interval: config.watch_interval,
            reconcile_schedule: config.reconcile_schedule,
        });
        let webhooks = WebhookReceiver::new(
            config.signing_secrets,
            config.provider.clone(),
            !config.provider.instances.is_empty(),
            ingest.clone(),
            Arc::clone(&metrics),
        );
        let state = Data::new(AppState {
            webhooks,
            ingest: ingest.clone(),
            store,
            source: defaults.source,
            tokens: config.tokens,
            sessions: config.sessions.map(Sessions::new),
            redirects: config.redirects,
            entitlements: config.provider.entitlements,
            sync,
            metrics,
            shows_metrics: config.metrics_bind.is_none() && config.bind.ip().is_loopback(),
            readiness: Readiness::default(),
        });
        let listen =
            |bind, variable, routes| serve(bind, variable, config.keep_alive, &state, routes);
        let (server, address, new_connections) =
            listen(config.bind, "PORT or USERSYNC_BIND", http::routes)?;
        let metrics_server = config
            .metrics_bind
            .map(|bind| listen(bind, "USERSYNC_METRICS_BIND", http::metrics_routes))
            .transpose()?
            .map(|(server, address, _)| (server, address));
        let (metrics_server, metrics_address) = metrics_server.unzip();
        Ok(Self {
            address,
            metrics_address,
            new_connections,
            server,
            metrics_server,
            state,
            ingest,
            writer,
            workers,
            migrate: config.migrate,
            shutdown_delay: config.shutdown_delay,
        })
    }

    /// The address of the main listener, with the port that the system chose for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// Prepares the database and serves until `shutdown` completes. Then readiness is withdrawn;
    /// after the configured delay, in which load balancers notice, new connections are refused, and
    /// open requests, workers and the queue finish.
    pub async fn run_until_stopped(
        self,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), AppError> {
        let handle = self.server.handle();
        let mut server = tokio::spawn(self.server);
        let metrics_handle = self.metrics_server.as_ref().map(Server::handle);
        let _metrics_server = self.metrics_server.map(tokio::spawn);
        let prepare = prepare(self.state.clone(), self.migrate);
        let (stop_working, stopping) = watch::channel(false);
        let mut working = JoinSet::new();
        let serving = async {
            prepare.await?;
            tracing::info!(address = %self.address, "ready");
            if let Some(workers) = self.workers {
                workers.start(&mut working, &stopping);
            }
            std::future::pending::<Result<(), AppError>>().await
        };
        let result = tokio::select! {
            failed = serving => failed,
            () = shutdown => Ok(()),
            ended = &mut server => ended.map_err(std::io::Error::other)?.map_err(AppError::from),
        };
        self.state.readiness.set_stopping();
        stop_working.send_replace(true);
        if result.is_ok() {
            if !self.shutdown_delay.is_zero() {
                let delay_seconds = self.shutdown_delay.as_secs_f64();
                tracing::info!(delay_seconds, "not ready any more; requests are served meanwhile");
                let settling = SETTLING.min(self.shutdown_delay / 2);
                tokio::time::sleep(self.shutdown_delay.saturating_sub(settling)).await;
                self.new_connections.hold();
                tokio::time::sleep(settling).await;
            }
            tracing::info!("stopping: new connections are refused, open requests are finished");
        }
        let workers_end = tokio::time::Instant::now() + WORKERS_STOP;
        drop(self.new_connections);
        handle.stop(true).await;
        let workers = async { while working.join_next().await.is_some() {} };
        if tokio::time::timeout_at(workers_end, workers).await.is_err() {
            tracing::warn!("a worker did not stop in time; its lease runs out");
        }
        if let Some(handle) = metrics_handle {
            handle.stop(false).await;
        }
        self.ingest.close();
        let drained = tokio::task::spawn_blocking(|| self.writer.join());
        if tokio::time::timeout(WRITER_DRAIN, drained).await.is_err() {
            tracing::error!(
                "the queue could not be drained in time; the provider will send the deliveries again"
            );
        }
        result
    }
}

/// Background work of this replica.
struct Workers {
    sync: Arc<SyncService>,
    write_back: bool,
    watch_interval: Option<Duration>,
    reconcile_schedule: Option<Schedule>,
}

impl Workers {
    fn start(self, working: &mut JoinSet<()>, stopping: &watch::Receiver<bool>) {
        let sync = || Arc::clone(&self.sync);
        if self.write_back {
            working.spawn(sync().run_write_backs(stopping.clone()));
        }
        working.spawn(sync().run_jobs(stopping.clone()));
        if let Some(interval) = self.watch_interval {
            working.spawn(sync().run_watch(interval, stopping.clone()));
        }
        if let Some(schedule) = self.reconcile_schedule {
            working.spawn(sync().run_schedule(schedule, stopping.clone()));
        }
    }
}

/// Starts logging as configured, and logs the configuration's warnings.
pub fn start_logs(config: &Config) {
    if logs::start(config.log_format, &config.log_filter) {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
    }
}

fn label_words() -> LabelWords {
    LabelWords {
        delivery_outcomes: Outcome::WORDS.to_vec(),
        rejections: Rejection::CODES.to_vec(),
        unavailable_reasons: Unavailable::CODES.to_vec(),
        write_back_outcomes: WRITE_BACK_OUTCOMES.to_vec(),
        write_back_states: STATES.to_vec(),
        api_calls: Call::WORDS.to_vec(),
        api_outcomes: [&[API_OK], ApiError::CODES].concat(),
        job_kinds: JobKind::ALL.map(JobKind::as_str).to_vec(),
        job_states: JobEnd::ALL.map(JobEnd::as_str).to_vec(),
    }
}

/// The service that asks the provider; `None` without a key to its API.
pub fn sync_service(
    config: &Config,
    store: &Store,
    wake: Arc<Notify>,
    metrics: &Arc<Metrics>,
) -> Result<Option<Arc<SyncService>>, InvalidApi> {
    let Some(api) = config.api.clone() else {
        return Ok(None);
    };
    let (provider, defaults) = (&config.provider, config.row_defaults());
    let budget: Arc<dyn Budget> = match api.requests_per_10_seconds {
        Some(requests) => Arc::new(SharedBudget::new(store.clone(), defaults.source, requests)),
        None => Arc::new(Unbounded),
    };
    let settings =
        ApiSettings { url: api.url, secret_key: api.secret_key, clerk: provider.clone() };
    let clock = store.clock().clone();
    let clock = Arc::new(move || clock.now());
    let directory = Arc::new(ClerkApi::new(settings, budget, Arc::clone(metrics), clock)?);
    let policy = WriteBackPolicy {
        defaults,
        entitlements: provider.entitlements.clone(),
        names: provider.names.clone(),
    };
    let (store, instances) = (store.clone(), provider.instances.clone());
    let sync = SyncService::new(store, policy, directory, instances, wake, Arc::clone(metrics));
    Ok(Some(Arc::new(sync)))
}

/// Listens on `bind`, the value of `variable`; returns the actual address too.
fn serve(
    bind: SocketAddr,
    variable: &'static str,
    keep_alive: Duration,
    state: &Data<AppState>,
    routes: fn(&mut ServiceConfig),
) -> Result<(Server, SocketAddr, NewConnections), AppError> {
    let failed = |error| AppError::Bind(bind, error, variable);
    let listener = listener::listen(bind).map_err(failed)?;
    let new_connections = NewConnections::of(&listener)?;
    let state = state.clone();
    let server = HttpServer::new(move || {
        Routes::new()
            .app_data(state.clone())
            .wrap(from_fn(http::tag))
            .wrap(from_fn(http::close_while_stopping))
            .configure(routes)
    })
    .disable_signals()
    .shutdown_timeout(DRAIN_SECONDS)
    .client_request_timeout(HEADERS_WITHIN)
    .keep_alive(keep_alive)
    .listen(listener)
    .map_err(failed)?;
    let address = server.addrs().first().copied().unwrap_or(bind);
    Ok((server.run(), address, new_connections))
}

/// Prepares the database, again and again while it is away.
async fn prepare(state: Data<AppState>, mode: MigrationMode) -> Result<(), StoreError> {
    let (mut known, log) = (None, Throttle::default());
    for attempt in 0.. {
        let store = state.store.clone();
        let result = tokio::task::spawn_blocking(move || prepare_once(&store, mode)).await;
        match result.unwrap_or_else(|_| Err(StoreError::Unusable("preparing panicked".into()))) {
            Err(StoreError::Away(why)) => {
                state.readiness.set_prepared(false);
                if known.as_ref() != Some(&why) && log.pass(Instant::now()).is_some() {
                    tracing::error!(
                        "the database is away, deliveries are answered 503 until it is there; \
                         is DATABASE_URL right, and the server running? {why}"
                    );
                    known = Some(why);
                }
            }
            Err(error) => return Err(error),
            Ok(migrations) => {
                if migrations > 0 {
                    tracing::info!(migrations, "the schema is up to date");
                }
                break;
            }
        }
        tokio::time::sleep(PREPARE_BACKOFF.bound(attempt)).await;
    }
    state.readiness.set_prepared(true);
    Ok(())
}

/// Checks the server, and migrates or checks the schema. Returns how many migrations ran. Blocks.
pub fn prepare_once(store: &Store, migrate: MigrationMode) -> Result<usize, StoreError> {
    store.check_server()?;
    let migrated = match migrate {
        // Checking first takes no lock. If the database is away, migrating reports why.
        MigrationMode::Auto => match store.is_current() {
            Ok(true) => 0,
            Err(error @ StoreError::Unusable(_)) => return Err(error),
            _ => store.migrate()?,
        },
        MigrationMode::Check if store.is_current()? => 0,
        MigrationMode::Check => {
            // What is not there at all, or not to be used, is said as that.
            if let Err(error @ StoreError::Unusable(_)) = store.check_schema() {
                return Err(error);
            }
            return Err(StoreError::Unusable(
                "the schema is older than this release; run `usersync migrate`, \
                 or set USERSYNC_MIGRATE=auto"
                    .into(),
            ));
        }
    };
    store.check_schema()?;
    Ok(migrated)
}
