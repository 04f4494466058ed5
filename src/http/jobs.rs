//! `/v1/jobs`: an operator starts, lists, shows and cancels jobs. An admin token is required; the
//! work itself is done by `sync`.

use super::authorization::require;
use super::pagination::{ListPage, PageRequest, query_pairs};
use super::{Answer, AppState, Problem, body, json_no_store, storable};
use crate::access::Access;
use crate::domain::JobKind;
use crate::store::jobs::JobRequest;
use crate::sync::jobs::JobView;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartJobBody {
    kind: JobKind,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    allow_mass_delete: bool,
}

/// Answers 202 with the new job, or 409 with the address of the active one.
pub(super) async fn start(state: Data<AppState>, request: HttpRequest, payload: Payload) -> Answer {
    let token_name = require(&state, &request, Access::Administer)?;
    let body: StartJobBody =
        serde_json::from_slice(&body::read(payload).await?).map_err(|_| invalid())?;
    let StartJobBody { kind, dry_run, allow_mass_delete } = body;
    if allow_mass_delete && kind != JobKind::Reconcile {
        return Err(invalid());
    }
    let sync = state.sync()?;
    // A drift job never changes anything.
    let dry_run = dry_run || kind == JobKind::Drift;
    let asked = JobRequest { kind, dry_run, allow_mass_delete };
    let (job, is_new) = sync.enqueue_job(asked).await?;
    tracing::info!(
        token = token_name.0,
        job = job.id,
        kind = kind.as_str(),
        is_new,
        "a job was requested"
    );
    let location = format!("/v1/jobs/{}", job.id);
    if is_new {
        return Ok(HttpResponse::Accepted()
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((LOCATION, location))
            .json(JobView::of(&job, state.store.now())));
    }
    let detail = format!("a {} is active already: GET {location} shows it", kind.as_str());
    Err(Problem::new(StatusCode::CONFLICT, "job_active", detail).at(location))
}

pub(super) async fn show(state: Data<AppState>, request: HttpRequest, id: Path<String>) -> Answer {
    require(&state, &request, Access::Administer)?;
    let id = storable(id).ok_or_else(not_found)?;
    let job = state.store.find_job(id).await?.ok_or_else(not_found)?;
    Ok(json_no_store(JobView::of(&job, state.store.now())))
}

/// Newest first.
pub(super) async fn list(state: Data<AppState>, request: HttpRequest) -> Answer {
    require(&state, &request, Access::Administer)?;
    let pairs = query_pairs(request.query_string(), &["limit", "cursor"])?;
    let PageRequest { limit, after } = PageRequest::parse(&pairs)?;
    let jobs = state.store.list_jobs(state.source, after, limit + 1).await?;
    let views = jobs.iter().map(|job| JobView::of(job, state.store.now())).collect();
    Ok(json_no_store(ListPage::new(views, limit, |job: &JobView| &job.id)))
}

/// A job that has ended is returned unchanged.
pub(super) async fn cancel(
    state: Data<AppState>,
    request: HttpRequest,
    id: Path<String>,
) -> Answer {
    let token_name = require(&state, &request, Access::Administer)?;
    let id = storable(id).ok_or_else(not_found)?;
    let job = state.store.cancel_job(id).await?.ok_or_else(not_found)?;
    tracing::info!(token = token_name.0, job = job.id, state = job.state, "a job was cancelled");
    Ok(json_no_store(JobView::of(&job, state.store.now())))
}

fn not_found() -> Problem {
    let detail = "no job has this id; GET /v1/jobs lists all";
    Problem::new(StatusCode::NOT_FOUND, "job_not_found", detail)
}

fn invalid() -> Problem {
    let detail = "send `{\"kind\":\"backfill\"}`, `reconcile` or `drift`, with `\"dry_run\":true` to change nothing; a reconcile takes `\"allow_mass_delete\":true` too";
    Problem::bad_request("invalid_body", detail)
}
