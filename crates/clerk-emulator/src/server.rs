//! Puts an emulator together and lets it listen.

use super::credentials::{credentials, instance_id};
use super::deliveries::Outbox;
use super::instance::{Instance, State};
use super::key::Key;
use super::rate_limits::RateLimits;
use super::rng::SeededRng;
use super::state_file::{self, StateWriter};
use super::{Emulator, EmulatorError, Settings, middleware, routes};
use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use url::Url;

/// How many threads answer.
const WORKERS: usize = 2;

/// How long a graceful stop may take, in seconds.
const SHUTDOWN_SECONDS: u64 = 1;

/// Starts an emulator on the current runtime.
pub(super) fn start(settings: Settings) -> Result<Emulator, EmulatorError> {
    check(&settings)?;
    let kept = settings.state_file.as_deref().map(state_file::read).transpose()?.flatten();
    let key = match &kept {
        Some(kept) => Key::from_text(&kept.private_key)?,
        None => Key::generate()?,
    };
    let (listener, address) = listen(settings.bind)?;
    let (credentials, secret) = credentials(&settings, address, &key)?;
    let outbox = Outbox::open(secret, settings.deliver_to.clone(), settings.retries.clone())
        .map_err(|error| EmulatorError::Keys(error.to_string()))?;
    let rng = SeededRng::new(settings.seed, instance_id(&settings));
    let mut state = State::restored(kept);
    state.faults = settings.faults;
    state.rate_limits = settings.rate_limits.then(RateLimits::default);
    let fresh = state.directory.issued().next().is_none();
    let instance = Arc::new(Instance::new(credentials, rng, key, outbox, state));
    if fresh {
        instance.seed(settings.users);
    }
    let saver = settings.state_file.map(|path| StateWriter::start(path, Arc::clone(&instance)));
    let saver = saver.transpose()?;
    let instance = Data::from(instance);
    let server = serve(listener, address, &instance)?;
    Ok(Emulator { address, instance, server, saver, seed: settings.seed })
}

fn check(settings: &Settings) -> Result<(), EmulatorError> {
    if !settings.bind.ip().is_loopback() {
        return Err(EmulatorError::NotLoopback(settings.bind));
    }
    if let Some(text) = &settings.deliver_to {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        url.ok_or_else(|| EmulatorError::DeliverTo(text.clone()))?;
    }
    tokio::runtime::Handle::try_current().map(drop).map_err(|_| EmulatorError::NoRuntime)
}

/// Listens already, so that the address is known before anything is told of it.
fn listen(bind: SocketAddr) -> Result<(TcpListener, SocketAddr), EmulatorError> {
    let failed = |error| EmulatorError::Bind(bind, error);
    let listener = TcpListener::bind(bind).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn serve(
    listener: TcpListener,
    address: SocketAddr,
    instance: &Data<Instance>,
) -> Result<ServerHandle, EmulatorError> {
    let instance = instance.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(instance.clone())
            .wrap(from_fn(middleware::intercept))
            .configure(routes::routes)
    })
    .workers(WORKERS)
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .listen(listener)
    .map_err(|error| EmulatorError::Bind(address, error))?
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}
