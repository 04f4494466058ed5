//! Finds the session token in the headers of a request.
//!
//! Called by [`super::Sessions::token_of`]. Pure; it does not look into the token.

/// The cookie of applications with one instance.
const PLAIN: &str = "__session";

#[derive(Clone, Debug)]
pub(super) struct CookieNames {
    suffixed: Option<String>,
}

impl CookieNames {
    pub(super) fn new(suffix: Option<&str>) -> Self {
        Self { suffixed: suffix.map(|suffix| format!("{PLAIN}_{suffix}")) }
    }

    /// This instance's own cookie if there is one, since the plain name is shared by all instances
    /// that a browser knows on a domain.
    pub(super) fn find<'a>(&self, headers: impl Iterator<Item = &'a [u8]>) -> Option<String> {
        let mut plain = None;
        for pair in headers.flat_map(|header| header.split(|byte| *byte == b';')) {
            let Some((name, token)) = cookie(pair) else {
                continue;
            };
            if self.suffixed.as_deref() == Some(name) {
                return Some(token.to_owned());
            }
            if name == PLAIN && plain.is_none() {
                plain = Some(token.to_owned());
            }
        }
        plain
    }
}

/// Name and value of a cookie that is not empty.
fn cookie(pair: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
    let value = value.trim();
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    let value = unquoted.unwrap_or(value);
    (!value.is_empty()).then(|| (name.trim(), value))
}

/// The token after `Bearer`; `None` for another scheme.
pub(super) fn bearer(authorization: &[u8]) -> Option<String> {
    let token = authorization.strip_prefix(b"Bearer ")?.trim_ascii();
    // A client that sent a broken token gets its error: no cookie takes its place.
    (!token.is_empty()).then(|| String::from_utf8_lossy(token).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{CookieNames, bearer};

    fn find(suffix: Option<&str>, headers: &[&str]) -> Option<String> {
        CookieNames::new(suffix).find(headers.iter().map(|header| header.as_bytes()))
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
        for other in [&b"Basic abc"[..], b"Bearer ", b"Bearer", b"a.b.c", b"bearer a.b.c", b""] {
            assert_eq!(bearer(other), None);
        }
        assert!(bearer(b"Bearer \xff").is_some());
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(header: Vec<u8>) {
            let _ = CookieNames::new(Some("x")).find([&header[..]].into_iter());
            let _ = bearer(&header);
        }
    }
}
