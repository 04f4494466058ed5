//! Classifies an answer by its status: success, or an error and whether to retry.
//!
//! Called by [`super::client`] with the status, the headers and the bytes. Pure. Proxies answer too,
//! in HTML or without a body. Of an error's body only the code and the trace id are kept, and only
//! if they have the form of such: messages quote the user.

use super::limits::DEFAULT_RETRY_AFTER;
use crate::domain::Timestamp;
use crate::provider::ApiError;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use std::time::Duration;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct CallError {
    /// The error for the caller if there is no further attempt.
    pub(super) error: ApiError,
    pub(super) retry: Retry,
    /// The provider's `Retry-After`, whatever the status (trap 37).
    pub(super) pause: Option<Duration>,
    /// The provider's id of the request, for its support.
    pub(super) trace: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// Another attempt would have the same result.
    Never,
    /// The same, but the answer was not the API's and proves nothing about its health.
    NotOurs,
    /// The call had no effect, and may succeed in a moment.
    Soon,
    /// The call certainly had no effect, and the provider says when it may have.
    After,
    /// The call certainly had no effect.
    Safe,
    /// The call may have had its effect.
    Ambiguous,
}

impl CallError {
    pub(super) const fn new(error: ApiError, retry: Retry) -> Self {
        Self { error, retry, pause: None, trace: None }
    }

    /// `why` holds no data of a user.
    pub(super) const fn unavailable(why: String, retry: Retry) -> Self {
        let outcome_unknown = false;
        Self::new(
            ApiError::Unavailable { why, retry_after: DEFAULT_RETRY_AFTER, outcome_unknown },
            retry,
        )
    }

    /// An answer that cannot be understood; `why` holds no data of a user.
    pub(super) fn protocol(why: impl Into<String>) -> Self {
        Self::new(ApiError::Protocol(why.into()), Retry::Never)
    }

    pub(super) const fn may_be_repeated(&self, has_effect: bool) -> bool {
        match self.retry {
            Retry::Never | Retry::NotOurs => false,
            Retry::Soon | Retry::After | Retry::Safe => true,
            Retry::Ambiguous => !has_effect,
        }
    }

    /// Something other than the API answered, or nothing was sent.
    pub(super) fn foreign(why: impl Into<String>) -> Self {
        Self { retry: Retry::NotOurs, ..Self::protocol(why) }
    }
}

/// A date in `Retry-After` is measured by `now`.
pub(super) fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<(), CallError> {
    if status.is_success() {
        return Ok(());
    }
    let error_body = ErrorBody::read(headers, body);
    let pause = retry_after(headers, now);
    let mut error = refusal(status, pause, &error_body);
    if let (ApiError::Unavailable { retry_after, .. }, Some(pause)) = (&mut error.error, pause) {
        *retry_after = pause;
    }
    Err(CallError { pause, trace: error_body.trace, ..error })
}

fn refusal(status: StatusCode, pause: Option<Duration>, error_body: &ErrorBody) -> CallError {
    let number = status.as_u16();
    match number {
        401 | 403 => CallError::new(ApiError::Unauthorized(number), Retry::Never),
        // Without the provider's own code it is a proxy's answer, or a wrong address: that must never
        // look like a deleted user.
        404 if error_body.codes.iter().any(|code| code == "resource_not_found") => {
            CallError::new(ApiError::NotFound, Retry::Never)
        }
        404 => {
            CallError::protocol("status 404, but not the provider's; is the API's address right?")
        }
        // "Being modified by another request. Please try again."
        409 if matches!(error_body.code(), "resource_locked" | "conflict") => {
            CallError::unavailable(format!("status 409, {}", error_body.code()), Retry::Soon)
        }
        // Without a time it counts as a failure for the breaker: such come in outages.
        429 => {
            let retry_after = pause.unwrap_or(DEFAULT_RETRY_AFTER);
            let retry = if pause.is_some() { Retry::After } else { Retry::Safe };
            CallError::new(ApiError::RateLimited { retry_after }, retry)
        }
        408 | 500..=599 => CallError::unavailable(format!("status {number}"), Retry::Ambiguous),
        400..=499 => {
            let code = error_body.code().to_owned();
            CallError::new(ApiError::Rejected { status: number, code }, Retry::Never)
        }
        300..=399 => CallError::foreign(format!("a redirect, status {number}: none is followed")),
        _ => CallError::foreign(format!("status {number}")),
    }
}

/// `Retry-After` in seconds, as the provider documents it, or as a date, as proxies may send it.
/// `None` for what cannot be read or is in the past.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        let left_ms = date.as_millisecond().checked_sub(now.as_millis())?;
        Duration::from_millis(u64::try_from(left_ms).ok()?)
    };
    (!pause.is_zero()).then_some(pause)
}

#[derive(Debug, Default)]
struct ErrorBody {
    codes: Vec<String>,
    trace: Option<String>,
}

impl ErrorBody {
    fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let errors = body.get("errors").and_then(Value::as_array);
        let code = |error: &Value| word(error.get("code")?.as_str()?);
        let header = |name: &str| word(headers.get(name)?.to_str().ok()?);
        Self {
            codes: errors.into_iter().flatten().filter_map(code).collect(),
            trace: body
                .get("clerk_trace_id")
                .and_then(|trace| word(trace.as_str()?))
                .or_else(|| header("clerk-trace-id"))
                .or_else(|| header("cf-ray")),
        }
    }

    fn code(&self) -> &str {
        self.codes.first().map_or("no code", String::as_str)
    }
}

/// `text` if it has the form of codes and trace ids, so that it cannot be a user's data.
fn word(text: &str) -> Option<String> {
    let of_a_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    ((1..=64).contains(&text.len()) && text.bytes().all(of_a_word)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{CallError, Retry, classify};
    use crate::domain::Timestamp;
    use crate::provider::ApiError;
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderValue};
    use std::time::Duration;

    fn missed(status: u16, header: Option<(&'static str, &str)>, body: &str) -> CallError {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        // Sat, 01 Aug 2026 12:00:00 GMT
        let now = Timestamp::from_millis(1_785_585_600_000).unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        classify(status, &headers, body.as_bytes(), now).unwrap_err()
    }

    fn errors(code: &str) -> String {
        format!(
            r#"{{"errors":[{{"message":"m","long_message":"No user ada@example.org","code":"{code}"}}],"clerk_trace_id":"t1"}}"#
        )
    }

    #[test]
    fn only_the_providers_own_404_means_that_a_user_does_not_exist() {
        let absent = missed(404, None, &errors("resource_not_found"));
        assert_eq!((&absent.error, absent.retry), (&ApiError::NotFound, Retry::Never));
        assert_eq!(absent.trace.as_deref(), Some("t1"));
        let bodies = ["", "404 page not found", "<html>", "{}", r#"{"errors":[]}"#, "[]", "\"x\""];
        for body in bodies.into_iter().chain([errors("other").as_str()]) {
            assert!(matches!(missed(404, None, body).error, ApiError::Protocol(_)), "{body}");
        }
    }

    #[test]
    fn trap_37_retry_after_is_read_as_seconds_or_as_a_date() {
        let paused = |text| {
            let error = missed(429, Some(("retry-after", text)), "");
            (error.retry, error.pause.map(|pause| pause.as_secs()))
        };
        assert_eq!(paused("7"), (Retry::After, Some(7)));
        assert_eq!(paused("Sat, 01 Aug 2026 12:00:09 GMT"), (Retry::After, Some(9)));
        for nothing in ["0", "-1", "soon", "1.5", "", "Sat, 01 Aug 2026 11:00:00 GMT"] {
            assert_eq!(paused(nothing), (Retry::Safe, None), "{nothing}");
        }
        assert_eq!(missed(429, None, "").retry, Retry::Safe);
    }

    #[test]
    fn trap_37_retry_after_counts_whatever_the_status() {
        for status in [401, 404, 408, 409, 422, 500, 503] {
            let error = missed(status, Some(("retry-after", "7")), "");
            assert_eq!(error.pause, Some(Duration::from_secs(7)), "{status}");
            if let ApiError::Unavailable { retry_after, .. } = error.error {
                assert_eq!(retry_after, Duration::from_secs(7), "{status}");
            }
        }
    }

    #[test]
    fn what_may_be_repeated_depends_on_the_effect() {
        let repeated = |status, code: &str| {
            let error = missed(status, None, &errors(code));
            (error.may_be_repeated(false), error.may_be_repeated(true), error.retry)
        };
        assert_eq!(repeated(500, "internal_clerk_error"), (true, false, Retry::Ambiguous));
        assert_eq!(repeated(429, "too_many_requests"), (true, true, Retry::Safe));
        assert_eq!(repeated(409, "resource_locked"), (true, true, Retry::Soon));
        assert_eq!(repeated(409, "conflict"), (true, true, Retry::Soon));
        assert_eq!(repeated(409, "user_managed_by_scim"), (false, false, Retry::Never));
        for status in [400, 401, 403, 404, 413, 422] {
            assert_eq!(repeated(status, "any"), (false, false, Retry::Never), "{status}");
        }
        assert_eq!(repeated(302, "any"), (false, false, Retry::NotOurs));
    }

    #[test]
    fn an_error_has_the_status_and_the_code_and_nothing_else() {
        let shown = |body: &str| missed(422, None, body).error.to_string();
        let text = shown(&errors("form_param_unknown"));
        assert_eq!(text, "the provider refuses what was sent: status 422, form_param_unknown");
        for body in
            [errors("ada@example.org").as_str(), "<h1>ada</h1>", r#"{"errors":[{"code":1}]}"#]
        {
            assert_eq!(shown(body), "the provider refuses what was sent: status 422, no code");
        }
    }

    #[test]
    fn the_trace_is_taken_from_a_header_where_the_body_has_none() {
        let trace = |header| missed(500, Some(header), "<html>").trace;
        assert_eq!(trace(("cf-ray", "8f1-FRA")).as_deref(), Some("8f1-FRA"));
        assert_eq!(trace(("clerk-trace-id", "a b")), None);
    }
}
