//! `/healthz`: the process works. `/readyz`: it can serve requests now. Called by probes, without a
//! token.

use super::{Answer, AppState, Problem};
use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::json;

pub(super) async fn alive(state: Data<AppState>) -> Answer {
    if !state.ingest.is_open() {
        let detail = "the writer has ended; restart the service";
        return Err(Problem::unavailable("not_running", detail));
    }
    Ok(HttpResponse::Ok().json(json!({"status": "alive"})))
}

pub(super) async fn ready(state: Data<AppState>) -> Answer {
    if !state.readiness.is_ready() {
        let detail = "the service is starting (the database is being prepared) or stopping";
        return Err(Problem::unavailable("not_running", detail));
    }
    if !state.ingest.is_writable() {
        let detail = "nothing can be written to the database; the log says why";
        return Err(Problem::unavailable("not_writable", detail));
    }
    state.store.check_writable().await?;
    Ok(HttpResponse::Ok().json(json!({"status": "ready"})))
}
