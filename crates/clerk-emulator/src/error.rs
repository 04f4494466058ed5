//! Errors of the Backend API, with the provider's bodies letter for letter.
//!
//! Returned by every route and by `middleware`; no other file knows their shape.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {long_message}")]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    long_message: Cow<'static, str>,
    parameter: Option<String>,
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    errors: [ErrorEntry<'a>; 1],
    clerk_trace_id: String,
}

#[derive(Serialize)]
struct ErrorEntry<'a> {
    message: &'a str,
    long_message: &'a str,
    code: &'a str,
    meta: Map<String, Value>,
}

impl ApiError {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        message: &'static str,
        long_message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let long_message = long_message.into();
        Self { status, code, message, long_message, parameter: None, retry_after: None }
    }

    pub(crate) fn no_user(id: &str) -> Self {
        Self::not_found(format!("No user was found with id {id}"))
    }

    pub(crate) fn not_found(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "resource_not_found", "not found", what)
    }

    pub(crate) fn parameter(code: &'static str, message: &'static str, name: &str) -> Self {
        let long = format!("{name} {message}");
        let error = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message, long);
        Self { parameter: Some(name.to_owned()), ..error }
    }

    pub(crate) fn unknown(name: &str) -> Self {
        let message = "is not a valid parameter for this request.";
        Self::parameter("form_param_unknown", message, name)
    }

    pub(crate) fn invalid(name: &str, message: &'static str) -> Self {
        Self::parameter("form_param_value_invalid", message, name)
    }

    pub(crate) fn identifier_exists(name: &str) -> Self {
        let message = "is taken. Please try another.";
        Self::parameter("form_identifier_exists", message, name)
    }

    /// 429; `retry_after` is in seconds.
    pub(crate) fn too_many(retry_after: Option<u64>) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let long = "Too many requests, please try again later.";
        let error = Self::new(status, "too_many_requests", "too many requests", long);
        Self { retry_after, ..error }
    }

    pub(crate) fn unavailable() -> Self {
        let long = "The service is temporarily unavailable. Please try again later.";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "service_unavailable", "service unavailable", long)
    }

    pub(crate) fn wrong_key() -> Self {
        let long = "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.";
        Self::new(StatusCode::UNAUTHORIZED, "clerk_key_invalid", long, long)
    }

    pub(crate) fn no_key() -> Self {
        let long = "A valid secret key must be given as a bearer token.";
        let status = StatusCode::UNAUTHORIZED;
        Self::new(status, "authentication_invalid", "Invalid authentication", long)
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::to_value(self.document()).unwrap_or_else(|_| json!({"errors": []}))
    }

    fn document(&self) -> ErrorBody<'_> {
        let parameter = self.parameter.iter();
        let meta = parameter.map(|name| ("param_name".to_owned(), name.as_str().into())).collect();
        ErrorBody {
            errors: [ErrorEntry {
                message: self.message,
                long_message: &self.long_message,
                code: self.code,
                meta,
            }],
            clerk_trace_id: Uuid::new_v4().simple().to_string(),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        let body = serde_json::to_vec(&self.document()).unwrap_or_default();
        // The official client parses the body only if the content type is exactly this.
        response.insert_header((CONTENT_TYPE, "application/json")).body(body)
    }
}
