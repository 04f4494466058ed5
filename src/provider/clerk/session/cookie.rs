//! Finds the session token in the headers of a request.
//!
//! Called by [`super::Sessions::token_of`]. Pure; it does not look into the token.

use crate::provider::http;

/// The cookie of applications with one instance.
const PLAIN: &str = "__session";

pub(super) fn own_name(suffix: &str) -> String {
    format!("{PLAIN}_{suffix}")
}

/// The token in this instance's own cookie if there is one, since the plain name is shared by all
/// instances that a browser knows on a domain.
pub(super) fn find<'a>(
    own_name: Option<&str>,
    headers: impl Iterator<Item = &'a [u8]>,
) -> Option<String> {
    let mut plain = None;
    for pair in headers.flat_map(|header| header.split(|byte| *byte == b';')) {
        match cookie(pair) {
            Some((name, token)) if own_name == Some(name) => return Some(token.to_owned()),
            Some((PLAIN, token)) if plain.is_none() => plain = Some(token.to_owned()),
            _ => {}
        }
    }
    plain
}

/// Name and value of a cookie that is not empty.
fn cookie(pair: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
    let value = value.trim();
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let value = unquoted.unwrap_or(value);
    (!value.is_empty()).then(|| (name.trim(), value))
}

/// A client that sent a broken token gets its error: no cookie takes its place.
pub(super) fn bearer(authorization: &[u8]) -> Option<String> {
    http::bearer(authorization).map(|token| String::from_utf8_lossy(token).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{bearer, own_name};

    fn find(suffix: Option<&str>, headers: &[&str]) -> Option<String> {
        let own_name = suffix.map(own_name);
        super::find(own_name.as_deref(), headers.iter().map(|header| header.as_bytes()))
    }

    #[test]
    fn the_instances_own_cookie_is_preferred_wherever_it_stands() {
        let headers = ["a=b; __session=plain", "__session_1Z8AzTQD=own; c=d"];
        assert_eq!(find(Some("1Z8AzTQD"), &headers).as_deref(), Some("own"));
        assert_eq!(find(Some("QvfNY2dr"), &headers).as_deref(), Some("plain"));
        assert_eq!(find(None, &headers).as_deref(), Some("plain"));
    }

    #[test]
    fn the_first_cookie_that_is_not_empty_counts() {
        assert_eq!(find(None, &["__session=; __session=a; __session=b"]).as_deref(), Some("a"));
        assert_eq!(find(None, &["__session=\"a\""]).as_deref(), Some("a"));
        assert_eq!(find(Some("x"), &["__session_x=;__session=a"]).as_deref(), Some("a"));
        assert_eq!(find(None, &["x__session=a; __session_=b; __sessio", "=", "__SESSION=c"]), None);
    }

    #[test]
    fn only_bearer_is_about_sessions() {
        assert_eq!(bearer(b"Bearer  a.b.c ").as_deref(), Some("a.b.c"));
        assert_eq!(bearer(b"bearer a.b.c").as_deref(), Some("a.b.c"));
        for other in [&b"Basic abc"[..], b"Bearer ", b"Bearer", b"Bearera.b.c", b"a.b.c", b""] {
            assert_eq!(bearer(other), None);
        }
        assert!(bearer(b"Bearer \xff").is_some());
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(header: Vec<u8>) {
            let _ = super::find(Some("__session_x"), [&header[..]].into_iter());
            let _ = bearer(&header);
        }
    }
}
