//! `POST /webhooks/clerk`: hands over to the front door.

use super::{Problem, State};
use crate::ingest::Unavailable;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;

pub(super) async fn receive(
    state: Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    if !state.phase.is_prepared() {
        state.metrics.unavailable(Unavailable::NotRunning.code());
        return Err(Unavailable::NotRunning.into());
    }
    #[expect(clippy::disallowed_methods, reason = "a request is an edge: here its time is taken")]
    let now_seconds = Timestamp::now().as_second();
    let answer = state.door.receive(&request, payload, now_seconds).await?;
    let mut response =
        if answer.quarantined { HttpResponse::Accepted() } else { HttpResponse::Ok() };
    Ok(response.json(answer))
}
