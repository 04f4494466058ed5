//! `GET /api/clerk/syncUsers`: brings the signed-in user's row up to date and redirects the
//! browser.
//!
//! An application sends a browser here when the session token lacks our id. The redirect carries a
//! mark; if the browser returns with it, because its token is up to a minute old, a short page
//! waits until that token has expired, so that there is no redirect loop. An application that
//! always names the same target loses the mark, so a cookie of this route records the redirect too.

use super::html::{PageLink, page};
use super::me::MeResponse;
use super::session::{admit, find, session};
use super::{Answer, AppState, Problem, json_no_store};
use crate::access::RedirectTarget;
use crate::domain::Timestamp;
use crate::provider::session::Session;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, ACCEPT, CACHE_CONTROL, HeaderValue, LOCATION, REFERER, SET_COOKIE,
};
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use std::collections::HashMap;

pub(super) const PATH: &str = "/api/clerk/syncUsers";

/// The cookie that records the last redirect.
const COOKIE: &str = "usersync";

/// Its values: redirected to the target, or to the sign-in page.
const SENT_ON: &str = "on";
const SENT_TO_SIGN_IN: &str = "sign-in";

/// A browser that returns without a session this fast is in a redirect loop.
const SIGN_IN_SECONDS: i64 = 5;

/// What the client can do with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientKind {
    /// Shows pages and follows redirects.
    Browser,
    /// A client that accepts JSON.
    Program,
    /// Any other client, which only follows redirects.
    Other,
}

pub(super) async fn sync_user(state: Data<AppState>, request: HttpRequest) -> Answer {
    let client_kind = client_kind(&request);
    let target = target(&state, &request);
    match answer(&state, &request, client_kind, &target).await {
        Err(problem) if client_kind == ClientKind::Browser => match problem.status() {
            StatusCode::UNAUTHORIZED => Ok(send_to_sign_in(&state, &request, &target)),
            _ => Err(problem.into_page()),
        },
        answer => answer,
    }
}

/// Redirects to the sign-in page, once; then shows a page with the link.
fn send_to_sign_in(
    state: &AppState,
    request: &HttpRequest,
    target: &RedirectTarget,
) -> HttpResponse {
    let sign_in = state.redirects.sign_in(target);
    // An application whose sign-in page redirects back here would loop.
    let was_asked = target.asked_to_sign_in || target.returned;
    if !was_asked && !was_sent(request, SENT_TO_SIGN_IN) {
        return redirect(&sign_in, SENT_TO_SIGN_IN, SIGN_IN_SECONDS);
    }
    let text = "You are not signed in here, or your session has just ended.";
    page(StatusCode::UNAUTHORIZED, text, Some(PageLink { after_seconds: None, location: &sign_in }))
}

async fn answer(
    state: &AppState,
    request: &HttpRequest,
    client_kind: ClientKind,
    target: &RedirectTarget,
) -> Answer {
    let session = session(state, request).await?;
    let before = find(state, &session).await?;
    // The provider may have lifted a ban without an event; a signed deletion is final.
    let is_banned = before.as_ref().is_some_and(|user| user.status() == "banned");
    let refusal = admit(before).err();
    let may_ask = refusal.is_none() || is_banned;
    let Some(sync) = state.sync.as_ref().filter(|_| may_ask) else {
        let detail = "the provider cannot be asked for this user: CLERK_SECRET_KEY is not set";
        return Err(refusal.unwrap_or_else(|| Problem::unavailable("api_not_configured", detail)));
    };
    let asked = sync.sync_at_sign_in(&session.external_id).await;
    let created = asked.map_err(|error| refusal.unwrap_or_else(|| error.into()))?;
    let Some(user) = admit(find(state, &session).await?)? else {
        let detail = "this user's row is being created; try again in a moment";
        return Err(Problem::unavailable("user_not_synced", detail));
    };
    let now = state.machine_now();
    Ok(match client_kind {
        ClientKind::Program => json_no_store(MeResponse::new(&user, &session, created)),
        _ if target.returned || was_sent(request, SENT_ON) => {
            let text = "Your account is ready. This page continues by itself in a moment.";
            let after_seconds = Some(seconds_left(&session, now));
            page(StatusCode::OK, text, Some(PageLink { after_seconds, location: &target.location }))
        }
        _ => redirect(&target.location, SENT_ON, seconds_left(&session, now)),
    })
}

/// Seconds until the session's token has expired, plus one: then the application gets a new token
/// with current claims. A token lives one minute.
fn seconds_left(session: &Session, now: Timestamp) -> i64 {
    (session.expires_at_seconds - now.as_seconds() + 1).clamp(1, 60)
}

/// Redirects, and records it in a cookie for as many seconds.
fn redirect(location: &str, sent: &str, for_seconds: i64) -> HttpResponse {
    let cookie =
        format!("{COOKIE}={sent}; Path={PATH}; Max-Age={for_seconds}; HttpOnly; SameSite=Lax");
    HttpResponse::SeeOther()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((SET_COOKIE, cookie))
        .insert_header((LOCATION, location))
        .finish()
}

fn was_sent(request: &HttpRequest, sent: &str) -> bool {
    let mut cookies = request.headers().get_all(header::COOKIE);
    cookies.any(|value| {
        let pairs = value.to_str().unwrap_or_default().split(';');
        pairs.filter_map(|pair| pair.trim().split_once('=')).any(|pair| pair == (COOKIE, sent))
    })
}

fn client_kind(request: &HttpRequest) -> ClientKind {
    let accepts = |kind: &str| {
        let mut values = request.headers().get_all(ACCEPT);
        values
            .any(|value| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains(kind)))
    };
    if accepts("text/html") {
        ClientKind::Browser
    } else if accepts("application/json") {
        ClientKind::Program
    } else {
        ClientKind::Other
    }
}

fn target(state: &AppState, request: &HttpRequest) -> RedirectTarget {
    let query = Query::<HashMap<String, String>>::from_query(request.query_string());
    let asked = query.ok().and_then(|mut query| query.remove("redirect_url"));
    let referer = request.headers().get(REFERER).map(HeaderValue::to_str);
    let referer = referer.and_then(Result::ok);
    state.redirects.target(asked.as_deref(), referer, PATH)
}
