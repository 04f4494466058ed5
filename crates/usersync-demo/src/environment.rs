//! The emulator with heavy faults and the client of the service that is demonstrated.
//!
//! Made and used by [`crate::run()`]. Starts no service: the caller does.

use crate::progress::Phase;
use crate::service_client::ServiceClient;
use crate::{DemoError, ServiceAddress};
use clerk_emulator::{Emulator, EmulatorError, Faults, Retries, Settings};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// How often a state that sends no notification is read.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long a phase may make no progress.
const TIMEOUT: Duration = Duration::from_secs(90);

pub struct Environment {
    pub emulator: Emulator,
    pub(crate) client: ServiceClient,
}

/// Starts an emulator, which posts its events to a port without a listener.
pub(crate) fn start_emulator(seed: u64) -> Result<Emulator, DemoError> {
    let settings = Settings {
        seed,
        faults: Faults::Heavy,
        retries: Retries::short(),
        deliver_to: Some(unused_address().map_err(|error| DemoError(error.to_string()))?),
        ..Settings::default()
    };
    Emulator::start(settings).map_err(|error: EmulatorError| DemoError(error.to_string()))
}

fn unused_address() -> std::io::Result<String> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    Ok(format!("http://{address}/webhooks/clerk"))
}

impl Environment {
    /// Directs the emulator's events to the service and waits until it is ready.
    pub(crate) async fn connect(
        emulator: Emulator,
        service: ServiceAddress,
    ) -> Result<Self, DemoError> {
        emulator.deliver_to(Some(format!("{}/webhooks/clerk", service.origin)));
        let client = ServiceClient::new(service.origin, service.admin_token)?;
        let began = Instant::now();
        while !client.is_ready().await {
            fail_after_timeout(began, "the service was not ready")?;
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(Self { emulator, client })
    }

    pub fn origin(&self) -> &str {
        self.client.origin()
    }

    /// Waits until no event is in flight and no write-back is due.
    pub(crate) async fn wait_until_idle(&self, phase: &Phase) -> Result<(), DemoError> {
        let (mut fewest, mut since, mut was_idle) = (usize::MAX, Instant::now(), false);
        loop {
            let settled = tokio::time::timeout(TIMEOUT, self.emulator.wait_until_idle()).await;
            settled.map_err(|_| DemoError("deliveries were still in flight".into()))?;
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
}

pub(crate) fn fail_after_timeout(began: Instant, what: &str) -> Result<(), DemoError> {
    if began.elapsed() < TIMEOUT {
        return Ok(());
    }
    Err(DemoError(format!("{what} after {} s", TIMEOUT.as_secs())))
}
