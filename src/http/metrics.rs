//! `/metrics`: `OpenMetrics` text for Prometheus, on the main listener or one of its own. Reads
//! from the database what no process counts.

use super::{Answer, AppState, fallback};
use crate::domain::Timestamp;
use crate::sync::jobs::DriftReport;
use actix_web::http::header::HeaderName;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use std::time::Duration;

/// Prometheus gives up after ten seconds by default, and health checks often after two.
const DATABASE_WITHIN: Duration = Duration::from_millis(1_500);

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// On the main listener: only if that is loopback, and only for requests that no proxy forwarded.
pub(super) async fn public(state: Data<AppState>, request: HttpRequest) -> Answer {
    let forwarded = request.headers().keys().map(HeaderName::as_str).any(|name| {
        ["forwarded", "via", "x-real-ip"].contains(&name) || name.starts_with("x-forwarded-")
    });
    if state.shows_metrics && !forwarded {
        Ok(show(state).await)
    } else {
        fallback::route_not_found(request).await
    }
}

/// What no process counts is read from the database now.
async fn read_gauges(state: &AppState) {
    let (store, source) = (&state.store, state.source);
    let (bytes, counted, drift) = tokio::join!(
        store.quarantined_bytes(),
        store.count_write_backs(source),
        DriftReport::last(store, source)
    );
    if let Ok(bytes) = bytes {
        state.metrics.set_quarantine_bytes(bytes);
    }
    if let Ok(counted) = counted {
        state.metrics.set_write_backs_waiting(&counted);
    }
    if let Ok(Some((job, report))) = drift {
        let reported_at = job.finished_at.map_or(0, Timestamp::as_seconds);
        let counts = report.counts().into_iter().map(|(kind, count)| (kind.as_str(), count));
        state.metrics.set_drift(reported_at, counts);
    }
}

/// On the listener of `USERSYNC_METRICS_BIND`.
pub(super) async fn show(state: Data<AppState>) -> HttpResponse {
    let (deliveries, bytes) = state.ingest.waiting();
    state.metrics.set_queue(deliveries, bytes);
    state.metrics.set_wal_dirty(state.store.wal_dirty_for());
    // While the database is away or hangs, its gauges keep their last values.
    tokio::time::timeout(DATABASE_WITHIN, read_gauges(&state)).await.ok();
    HttpResponse::Ok().content_type(OPENMETRICS).body(state.metrics.render())
}
