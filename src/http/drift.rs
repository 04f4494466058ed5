//! `GET /v1/drift`: the last report of differences between the table and the provider. An admin
//! token is required; looking for drift is a job.

use super::authorization::require;
use super::{Answer, AppState, Problem, json_no_store};
use crate::access::Access;
use crate::domain::Timestamp;
use crate::store::jobs::JobRecord;
use crate::sync::jobs::DriftReport;
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use serde::Serialize;

#[derive(Serialize)]
struct DriftResponse {
    job_id: String,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    #[serde(flatten)]
    report: DriftReport,
}

pub(super) async fn show(state: Data<AppState>, request: HttpRequest) -> Answer {
    require(&state, &request, Access::Administer)?;
    let Some((job, report)) = DriftReport::last(&state.store, state.source).await? else {
        let detail = "there is no drift report yet; POST /v1/jobs with `{\"kind\":\"drift\"}`, or run `usersync drift`";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no_drift_report", detail));
    };
    let JobRecord { id: job_id, started_at, finished_at, .. } = job;
    Ok(json_no_store(DriftResponse { job_id, started_at, finished_at, report }))
}
