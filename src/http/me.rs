//! `GET /v1/me`: the row of the signed-in user, for an application's backend or browser. A session
//! token is required; [`super::session`] checks it.

use super::session::{session, user_of};
use super::{Answer, AppState, json_no_store};
use crate::domain::Timestamp;
use crate::provider::session::Session;
use crate::store::UserRecord;
use actix_web::HttpRequest;
use actix_web::web::Data;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct MeResponse {
    user: MeUser,
    external_id: String,
    session_id: String,
    expires_at: Option<Timestamp>,
    /// Whether this request created the row.
    created: bool,
}

#[derive(Serialize)]
struct MeUser {
    id: String,
    email: Option<String>,
    name: Option<String>,
    image: Option<String>,
    plan: Option<String>,
    role: Option<String>,
}

impl MeResponse {
    pub(super) fn new(user: &UserRecord, session: &Session, created: bool) -> Self {
        let user = MeUser {
            id: user.id().to_owned(),
            email: user.email.clone(),
            name: user.name.clone(),
            image: user.image_url.clone(),
            plan: user.plan.clone(),
            role: user.role.clone(),
        };
        Self {
            user,
            external_id: session.external_id.clone(),
            session_id: session.session_id.clone(),
            expires_at: Timestamp::from_millis(session.expires_at_seconds.saturating_mul(1000)),
            created,
        }
    }
}

pub(super) async fn show(state: Data<AppState>, request: HttpRequest) -> Answer {
    let session = session(&state, &request).await?;
    let (user, created) = user_of(&state, &session).await?;
    Ok(json_no_store(MeResponse::new(&user, &session, created)))
}
