//! Errors as answers: `application/problem+json` (RFC 9457), each with a stable `code`.
//!
//! Every module returns its own narrow error; only `http` knows HTTP statuses. A 4xx says what
//! to do. A 5xx never shows internals: [`super::request_id`], which every problem passes on its way
//! out, logs its cause once, with the id of the request.

use super::RETRY_AFTER_SECONDS;
use super::html::page;
use super::webhooks::WebhookError;
use crate::access::AccessError;
use crate::ingest::Unavailable;
use crate::provider::session::SessionError;
use crate::store::StoreError;
use crate::webhook::Rejection;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::borrow::Cow;

/// An error answer, not yet bound to a request id.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    /// For the log only.
    cause: Option<String>,
    allow: Option<&'static str>,
    location: Option<String>,
    /// Rendered as HTML for a browser, not as JSON.
    is_page: bool,
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    request_id: &'a str,
}

impl Problem {
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            cause: None,
            allow: None,
            location: None,
            is_page: false,
        }
    }

    pub fn bad_request(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Adds what the log says and the answer must not.
    #[must_use]
    pub fn because(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }

    pub(super) fn at(self, location: String) -> Self {
        Self { location: Some(location), ..self }
    }

    pub(super) fn allowing(self, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// Renders it as HTML.
    pub(super) fn into_page(self) -> Self {
        Self { is_page: true, ..self }
    }

    /// A 503, with `Retry-After`.
    pub fn unavailable(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let status = match rejection {
            Rejection::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Rejection::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Rejection::TooManyBodies => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, rejection.code(), rejection.to_string())
    }
}

impl From<Unavailable> for Problem {
    fn from(reason: Unavailable) -> Self {
        Self::unavailable(reason.code(), reason.to_string())
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Rejected(rejection) => rejection.into(),
            WebhookError::Unavailable(reason) => reason.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Away(_) | StoreError::Unusable(_) => {
                Self::from(Unavailable::DatabaseAway).because(error.to_string())
            }
            StoreError::Refused(_) => {
                let detail = "an internal error; the log has its cause, under this request id";
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Self::new(status, "internal", detail).because(error.to_string())
            }
        }
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        let status = match error {
            SessionError::KeysUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNAUTHORIZED,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Unauthorized => Self::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "send `Authorization: Bearer …` with a token of USERSYNC_ADMIN_TOKEN or USERSYNC_READ_TOKEN",
            ),
            AccessError::Forbidden => Self::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "a read token reads users only; this needs a token of USERSYNC_ADMIN_TOKEN",
            ),
        }
    }
}

impl Problem {
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    pub(super) fn answer(&self, request_id: &str) -> HttpResponse {
        if self.is_page {
            let text = format!("{} (request {request_id})", self.detail);
            return page(self.status, &text, None);
        }
        let document = ProblemBody {
            r#type: format!("urn:usersync:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            request_id,
        };
        let mut response = HttpResponse::build(self.status);
        response.content_type("application/problem+json");
        response.insert_header((CACHE_CONTROL, "no-store"));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(methods) = self.allow {
            response.insert_header((ALLOW, methods));
        }
        if let Some(location) = &self.location {
            response.insert_header((LOCATION, location.as_str()));
        }
        response.body(serde_json::to_vec(&document).unwrap_or_default())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Replaced by [`super::request_id`] with one that names the request.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status)
    }
}
