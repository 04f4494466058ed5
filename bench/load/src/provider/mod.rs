//! `usersync-load provider`: a provider's API that answers at once, for measuring what reads it.
//!
//! It lists any number of users, none of whom it holds: user number N follows from N alone, as everywhere in this
//! program. The path of a request through the files: `connection` reads it as `request` says where it ends, `api`
//! answers it, `query` says which users are asked for, `crowd` who they are, `template` writes them down, and `asked`
//! keeps count. It asks for no key, since what it gives away is invented.

mod api;
mod asked;
mod connection;
mod crowd;
mod options;
mod query;
mod request;
mod template;

use std::io;
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::api::Api;
pub(crate) use self::options::{HELP, Options};

/// Says what it is, because a service takes such a key from a loopback address only.
const SECRET_KEY: &str = "sk_test_usersync_emulator_benchprovider0000000000";

/// Answers until it is told to stop, then tells what it was asked.
pub(crate) fn serve(options: &Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the runtime: {error}"))?;
    let api = Arc::new(Api::new(options));
    runtime
        .block_on(listen(options, &api))
        .map_err(|error| format!("cannot listen on {}: {error}", options.bind))?;
    println!("{}", api.asked().json());
    Ok(())
}

async fn listen(options: &Options, api: &Arc<Api>) -> io::Result<()> {
    let listener = TcpListener::bind(options.bind).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let api_url = format!("http://{}", listener.local_addr()?);
    println!("{}", json!({ "api_url": api_url, "secret_key": SECRET_KEY }));
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                tokio::spawn(connection::serve(stream, Arc::clone(api), options.delay));
            }
        }
    }
}
