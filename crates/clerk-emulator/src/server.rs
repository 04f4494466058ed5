//! Builds an instance from settings and serves it. Called by `Emulator::start`.

use crate::credentials::{credentials, instance_id};
use crate::deliveries::Outbox;
use crate::directory::Directory;
use crate::generator::GeneratedUsers;
use crate::instance::{Instance, State};
use crate::key::Key;
use crate::rate_limits::RateLimits;
use crate::rng::SeededRng;
use crate::state_file::{self, StateWriter};
use crate::{Emulator, EmulatorError, Settings, middleware, now, routes};
use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use url::Url;

const WORKERS: usize = 2;

/// How long a graceful stop may take.
const SHUTDOWN_SECONDS: u64 = 1;

pub(crate) fn start(settings: Settings) -> Result<Emulator, EmulatorError> {
    check(&settings)?;
    let saved = settings.state_file.as_deref().map(state_file::read).transpose()?.flatten();
    let key = match &saved {
        Some(saved) => Key::from_text(&saved.private_key)?,
        None => Key::generate()?,
    };
    let (listener, address) = listen(settings.bind)?;
    let (credentials, secret) = credentials(&settings, address, &key)?;
    let outbox = Outbox::open(secret, settings.deliver_to.clone(), settings.retries.clone())
        .map_err(|error| EmulatorError::Keys(error.to_string()))?;
    let mut state = match saved {
        // An earlier run without any user is treated like none.
        Some(saved) if !saved.issued.is_empty() => State::restored(saved),
        _ => State::new(generated_users(&settings)),
    };
    state.faults = settings.faults;
    state.rate_limits = settings.rate_limits.then(RateLimits::default);
    let instance = Arc::new(Instance {
        rng: SeededRng::new(settings.seed, instance_id(&settings)),
        credentials,
        key,
        outbox,
        latency: settings.latency,
        changed: Notify::new(),
        state: Mutex::new(state),
    });
    let writer = settings.state_file.map(|path| StateWriter::start(path, Arc::clone(&instance)));
    let writer = writer.transpose()?;
    let instance = Data::from(instance);
    let server = serve(listener, address, &instance)?;
    Ok(Emulator { instance, server, writer, seed: settings.seed })
}

fn generated_users(settings: &Settings) -> Directory {
    let count = u64::try_from(settings.users).unwrap_or(0);
    let first = GeneratedUsers::first_created_before(now(), count);
    let users = GeneratedUsers::new(settings.seed, instance_id(settings), first);
    Directory::of_generated(users, count)
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

/// Binds before the credentials are made, because they contain the address.
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
