//! Verifies the session token of a request and finds the user's row.
//!
//! Called by `me` and `sign_in_sync`. The row is read for every request: a token says who the user
//! was when it was signed, the table says whether the user is banned or deleted now.

use super::{AppState, Problem};
use crate::provider::ApiError;
use crate::provider::session::{Session, SessionError};
use crate::store::UserRecord;
use crate::sync::SyncError;
use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, COOKIE, HeaderValue};
use actix_web::http::{Method, StatusCode};

/// Cookies count only for requests that change nothing.
pub(super) async fn session(state: &AppState, request: &HttpRequest) -> Result<Session, Problem> {
    let Some(sessions) = &state.sessions else {
        let detail = "session tokens cannot be checked here; set CLERK_PUBLISHABLE_KEY, or CLERK_JWT_KEY and CLERK_ISSUER";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "sessions_not_configured", detail));
    };
    let headers = request.headers();
    let authorization = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let cookies = headers.get_all(COOKIE).map(HeaderValue::as_bytes);
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let token =
        sessions.token_of(authorization, cookies, is_read).ok_or(SessionError::SessionMissing)?;
    let session = sessions.verify(&token, state.machine_now()).await?;
    if let Some(actor) = &session.impersonated_by {
        tracing::info!(user.external_id = session.external_id, actor, "an impersonated session");
    }
    Ok(session)
}

/// The row of the session's user, and whether this request created it. A missing row is fetched
/// from the provider first.
pub(super) async fn user_of(
    state: &AppState,
    session: &Session,
) -> Result<(UserRecord, bool), Problem> {
    let imported = match admit(find(state, session).await?)? {
        Some(user) if user.is_imported() && state.sync.is_some() => Some(user),
        Some(user) => return Ok((user, false)),
        None => None,
    };
    let Some(sync) = &state.sync else {
        let detail = "this user has no row yet, and without CLERK_SECRET_KEY the provider cannot be asked; the row comes with the user's first event";
        return Err(not_synced(detail));
    };
    let created = match (sync.fetch_missing(&session.external_id).await, imported) {
        // An imported row is better than an error.
        (Err(SyncError::Api(error)), Some(user)) if error != ApiError::NotFound => {
            return Ok((user, false));
        }
        (fetched, _) => fetched?,
    };
    match admit(find(state, session).await?)? {
        Some(user) => Ok((user, created)),
        None => Err(not_synced("this user's row is being created; try again in a moment")),
    }
}

pub(super) async fn find(
    state: &AppState,
    session: &Session,
) -> Result<Option<UserRecord>, Problem> {
    Ok(state.store.find_external(state.source, session.external_id.clone()).await?)
}

/// The user, unless deleted or banned; `None` if there is no row, or an absence emptied it.
pub(super) fn admit(found: Option<UserRecord>) -> Result<Option<UserRecord>, Problem> {
    let refused = |code, detail| Err(Problem::new(StatusCode::FORBIDDEN, code, detail));
    let Some(user) = found else {
        return Ok(None);
    };
    match user.deletion_kind() {
        Some("signed") => refused("user_deleted", "this user is deleted"),
        Some(_) => Ok(None),
        None if user.status() == "banned" => refused("user_banned", "this user is banned"),
        None => Ok(Some(user)),
    }
}

fn not_synced(detail: &'static str) -> Problem {
    Problem::unavailable("user_not_synced", detail)
}

impl From<SyncError> for Problem {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Api(ApiError::NotFound) => Self::new(
                StatusCode::FORBIDDEN,
                "user_unknown",
                "the session is valid, but the provider does not know this user",
            ),
            SyncError::Store(error) => error.into(),
            SyncError::Api(error) => not_synced(
                "this user's row cannot be updated now, because the provider could not be asked; try again",
            )
            .because(format!("the provider could not be asked for a user: {error}")),
            error @ (SyncError::WrongInstance { .. } | SyncError::LeaseLost | SyncError::Blocked(_)) => {
                not_synced("this user's row cannot be updated now; the log says why")
                    .because(error.to_string())
            }
        }
    }
}
