//! A short HTML page for browsers: one sentence and a link. Used by the sign-in sync and by
//! problems that a browser shows.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER,
};

/// The link below the sentence.
#[derive(Clone, Copy)]
pub(super) struct PageLink<'a> {
    /// The browser follows it after this time; `None`: the user clicks.
    pub(super) after_seconds: Option<i64>,
    pub(super) location: &'a str,
}

pub(super) fn page(status: StatusCode, text: &str, link_to: Option<PageLink<'_>>) -> HttpResponse {
    let (mut refresh, mut link) = (String::new(), String::new());
    if let Some(PageLink { after_seconds, location }) = link_to {
        let location = escape(location);
        let word = if after_seconds.is_some() { "Continue now" } else { "Sign in" };
        link = format!("<p><a href=\"{location}\">{word}</a></p>");
        if let Some(seconds) = after_seconds {
            refresh = format!("<meta http-equiv=\"refresh\" content=\"{seconds};url={location}\">");
        }
    }
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">{refresh}\
         <title>One moment</title></head><body><p>{}</p>{link}</body></html>",
        escape(text)
    );
    let mut response = HttpResponse::build(status);
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"))
        .insert_header((REFERRER_POLICY, "no-referrer"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.insert_header((RETRY_AFTER, super::RETRY_AFTER_SECONDS));
    }
    response.body(body)
}

/// Escapes text for element content and quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_breaks_out_of_an_attribute() {
        assert_eq!(escape("/a?b=c&d='\"><x>"), "/a?b=c&amp;d=&#39;&quot;&gt;&lt;x&gt;");
    }
}
