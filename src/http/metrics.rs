//! `/metrics`: `OpenMetrics` text for Prometheus, on the main listener or one of its own. Reads
//! from the database what no process counts.

use super::{Answer, AppState, fallback};
use crate::domain::Timestamp;
use crate::sync::jobs::DriftReport;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// On the main listener: only if that is loopback, and only for requests that no proxy forwarded.
pub(super) async fn public(state: Data<AppState>, request: HttpRequest) -> Answer {
    let forwarded = request
        .headers()
        .keys()
        .any(|name| name.as_str() == "forwarded" || name.as_str().starts_with("x-forwarded-"));
    if state.shows_metrics && !forwarded {
        Ok(show(state).await)
    } else {
        fallback::route_not_found().await
    }
}

/// On the listener of `USERSYNC_METRICS_BIND`.
pub(super) async fn show(state: Data<AppState>) -> HttpResponse {
    let (deliveries, bytes) = state.ingest.waiting();
    state.metrics.set_queue(deliveries, bytes);
    // Gauges of the database are read now; while it is away they keep their last values.
    if let Ok(bytes) = state.store.quarantined_bytes().await {
        state.metrics.set_quarantine_bytes(bytes);
    }
    if let Ok(counted) = state.store.count_write_backs(state.source).await {
        state.metrics.set_write_backs_waiting(&counted);
    }
    if let Ok(Some((job, report))) = DriftReport::last(&state.store, state.source).await {
        let reported_at = job.finished_at.map_or(0, Timestamp::as_seconds);
        let counts = report.counts().into_iter().map(|(kind, count)| (kind.as_str(), count));
        state.metrics.set_drift(reported_at, counts);
    }
    HttpResponse::Ok().content_type(OPENMETRICS).body(state.metrics.render())
}
