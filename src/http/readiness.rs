//! Whether requests can be served: not before the database is prepared, and not while stopping.
//!
//! `app` says it; probes, deliveries and [`super::closing`] ask. Decides nothing itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::watch;

#[derive(Debug, Default)]
pub struct Readiness {
    /// Whether the database is prepared; `None` until the first attempt has ended.
    prepared: watch::Sender<Option<bool>>,
    stopping: AtomicBool,
}

impl Readiness {
    /// Says how an attempt to prepare the database ended.
    pub fn set_prepared(&self, prepared: bool) {
        self.prepared.send_replace(Some(prepared));
    }

    pub fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Release);
        // Nobody prepares it any more.
        self.prepared.send_modify(|prepared| *prepared = prepared.or(Some(false)));
    }

    fn is_prepared(&self) -> bool {
        *self.prepared.borrow() == Some(true)
    }

    /// Whether the database is prepared. Waits for the end of the first attempt, so that a replica
    /// that was just started turns no request away which a load balancer already sends it.
    pub async fn is_prepared_within(&self, wait: Duration) -> bool {
        if self.is_prepared() {
            return true;
        }
        let mut prepared = self.prepared.subscribe();
        tokio::time::timeout(wait, prepared.wait_for(Option::is_some)).await.ok();
        self.is_prepared()
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// What `/readyz` answers: a load balancer may send requests here.
    pub fn is_ready(&self) -> bool {
        self.is_prepared() && !self.is_stopping()
    }
}
