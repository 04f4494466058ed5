//! Where a browser may be redirected after the sign-in sync.
//!
//! Called by `http`. Pure. A target is parsed as browsers parse it and rebuilt from its parts,
//! never passed through, and never derived from `Host`: an attacker who makes a user follow a link
//! to this service must not decide where the user arrives.

use std::sync::LazyLock;
use url::{Origin, Url};

/// Added to a target, so that a browser that returns is recognised.
const MARK: &str = "usersync";

/// Stands in for our origin if none is configured; only paths of it are used.
#[expect(clippy::expect_used, reason = "a constant, which every test of a redirect reads")]
static UNKNOWN_ORIGIN: LazyLock<Url> =
    LazyLock::new(|| Url::parse("http://usersync.invalid").expect("a URL"));

/// By default browsers are redirected to paths of our origin only.
#[derive(Clone, Debug)]
pub struct Redirects {
    base: Url,
    origins: Vec<Origin>,
    sign_in: Url,
}

/// The mark's value on a target, and on the address to return to after signing in.
const SENT_ON: &str = "1";
const SIGNED_IN: &str = "0";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectTarget {
    /// The `Location`, with the mark: a path of our origin, or a URL of an allowed one.
    pub location: String,
    /// Whether the browser was redirected there before.
    pub returned: bool,
    /// Whether it was redirected to the sign-in page before.
    pub asked_to_sign_in: bool,
    url: Url,
}

impl Default for Redirects {
    fn default() -> Self {
        let base = UNKNOWN_ORIGIN.clone();
        Self { sign_in: base.clone(), base, origins: Vec::new() }
    }
}

impl Redirects {
    /// `public` is our origin, `origins` are further ones that are allowed, `sign_in` is a path or
    /// a URL. `None` if it is neither.
    pub fn new(public: Option<Url>, origins: Vec<Origin>, sign_in: &str) -> Option<Self> {
        let base = public.unwrap_or_else(|| UNKNOWN_ORIGIN.clone());
        let below = sign_in.starts_with('/') && !sign_in.starts_with("//");
        let sign_in = if below { base.join(sign_in).ok()? } else { Url::parse(sign_in).ok()? };
        let web = matches!(sign_in.scheme(), "http" | "https");
        web.then_some(Self { base, origins, sign_in })
    }

    /// The requested target, else the referring page, else `/`; `/` also if the target is not
    /// allowed. `own_path` is the path of the sign-in sync.
    pub fn target(
        &self,
        asked: Option<&str>,
        referer: Option<&str>,
        own_path: &str,
    ) -> RedirectTarget {
        let text = asked.or(referer).unwrap_or("/");
        let url = self.parse_allowed(text, own_path).unwrap_or_else(|| self.base.clone());
        let marked = |value| url.query_pairs().any(|pair| pair.0 == MARK && pair.1 == value);
        let (returned, asked_to_sign_in) = (marked(SENT_ON), marked(SIGNED_IN));
        let location = self.location(&mark(&url, SENT_ON));
        RedirectTarget { location, returned, asked_to_sign_in, url }
    }

    /// The sign-in page's address, with `target` to return to. A sign-in page of another origin
    /// gets an absolute URL, if our origin is known.
    pub fn sign_in(&self, target: &RedirectTarget) -> String {
        let target = mark(&target.url, SIGNED_IN);
        let known = self.base.host() != UNKNOWN_ORIGIN.host();
        let is_elsewhere = self.sign_in.origin() != self.base.origin();
        let back = if is_elsewhere && known { target.to_string() } else { self.location(&target) };
        let mut url = self.sign_in.clone();
        url.query_pairs_mut().append_pair("redirect_url", &back);
        self.location(&url)
    }

    /// Parses `text` relative to our origin; `None` if it is not allowed.
    fn parse_allowed(&self, text: &str, own_path: &str) -> Option<Url> {
        // Browsers drop tabs and line breaks, and read a backslash as a slash.
        if text.chars().any(|character| character <= ' ' || "\\\u{7f}".contains(character)) {
            return None;
        }
        // Some parsers take `https:host` as a path, others as a host.
        let (scheme, rest) = text.split_once(':').unwrap_or(("/", ""));
        if !scheme.contains(['/', '?', '#']) && !rest.starts_with("//") {
            return None;
        }
        let url = self.base.join(text).ok()?;
        let origin = url.origin();
        let known = origin == self.base.origin() || self.origins.contains(&origin);
        let plain = url.username().is_empty() && url.password().is_none();
        let path = decode_path(url.path());
        let itself = path.trim_end_matches('/').eq_ignore_ascii_case(own_path);
        let is_sign_in = origin == self.sign_in.origin() && self.is_sign_in(&path);
        (known && plain && is_one_slash(url.path()) && !itself && !is_sign_in).then_some(url)
    }

    /// Whether `path` is the sign-in page, or below it.
    fn is_sign_in(&self, path: &str) -> bool {
        let sign_in = self.sign_in.path().trim_end_matches('/');
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        if sign_in.is_empty() { path == "/" } else { path.strip_prefix(sign_in).is_some_and(below) }
    }

    /// Omits our origin, so that it is right under every name that reaches the service.
    fn location(&self, url: &Url) -> String {
        if url.origin() != self.base.origin() {
            return url.to_string();
        }
        let mut text = url.path().to_owned();
        for (sign, part) in [('?', url.query()), ('#', url.fragment())] {
            if let Some(part) = part {
                text.push(sign);
                text.push_str(part);
            }
        }
        text
    }
}

/// Whether no parser can read the path as `//host`, not even one that decodes it again.
fn is_one_slash(path: &str) -> bool {
    let rest = path.strip_prefix('/').unwrap_or(path).to_ascii_lowercase();
    !["/", "\\", "%2f", "%5c"].iter().any(|trick| rest.starts_with(trick))
}

/// Percent-decoded, as routers compare it.
fn decode_path(path: &str) -> String {
    let pairs = url::form_urlencoded::parse(path.as_bytes());
    pairs.map(|(name, _)| name.into_owned()).next().unwrap_or_default()
}

/// Sets the mark, once.
fn mark(url: &Url, value: &str) -> Url {
    let mut marked = url.clone();
    let others = url.query_pairs().filter(|(name, _)| name != MARK);
    marked.query_pairs_mut().clear().extend_pairs(others).append_pair(MARK, value);
    marked
}

#[cfg(test)]
mod tests {
    use super::Redirects;
    use std::collections::BTreeMap;
    use url::Url;

    const OWN: &str = "/api/clerk/syncUsers";
    const ALLOWED: &str = include_str!("../../fixtures/redirects/allowed.json");
    const TRICKS: &str = include_str!("../../fixtures/redirects/tricks.json");

    fn redirects(public: Option<&str>) -> Redirects {
        let other = Url::parse("https://admin.example.com").unwrap().origin();
        let public = public.map(|url| Url::parse(url).unwrap());
        Redirects::new(public, vec![other], "/sign-in").unwrap()
    }

    fn location(public: Option<&str>, asked: &str) -> String {
        redirects(public).target(Some(asked), None, OWN).location
    }

    #[test]
    fn a_path_of_ours_or_an_allowed_origin_is_gone_to() {
        let public = Some("https://app.example.com");
        let allowed: BTreeMap<String, String> = serde_json::from_str(ALLOWED).unwrap();
        for (asked, expected) in allowed {
            assert_eq!(location(public, &asked), expected, "{asked}");
        }
        assert_eq!(location(None, "/dashboard"), "/dashboard?usersync=1");
    }

    #[test]
    fn no_trick_of_an_open_redirect_leaves_our_origin() {
        for asked in serde_json::from_str::<Vec<String>>(TRICKS).unwrap() {
            for public in [Some("https://app.example.com"), None] {
                assert_eq!(location(public, &asked), "/?usersync=1", "{asked:?}, {public:?}");
            }
        }
    }

    #[test]
    fn the_page_that_the_browser_came_from_counts_only_where_nothing_was_asked() {
        let redirects = redirects(Some("https://app.example.com"));
        let referer = Some("https://app.example.com/notes");
        assert_eq!(redirects.target(None, referer, OWN).location, "/notes?usersync=1");
        assert_eq!(redirects.target(Some("//evil"), referer, OWN).location, "/?usersync=1");
        let foreign = Some("https://evil.example/");
        assert_eq!(redirects.target(None, foreign, OWN).location, "/?usersync=1");
        assert_eq!(redirects.target(None, None, OWN).location, "/?usersync=1");
    }

    #[test]
    fn the_mark_is_set_once_and_seen_when_it_comes_back() {
        let redirects = redirects(None);
        let first = redirects.target(Some("/x?a=1"), None, OWN);
        assert!(!first.returned);
        let second = redirects.target(Some(&first.location), None, OWN);
        assert_eq!((second.location.as_str(), second.returned), ("/x?a=1&usersync=1", true));
    }

    #[test]
    fn signing_in_comes_back_to_the_target_and_may_be_elsewhere() {
        let here = redirects(None);
        let target = here.target(Some("/x?a=1"), None, OWN);
        assert_eq!(here.sign_in(&target), "/sign-in?redirect_url=%2Fx%3Fa%3D1%26usersync%3D0");
        let back = here.target(Some("/x?a=1&usersync=0"), None, OWN);
        assert!(back.asked_to_sign_in && !back.returned);
        let public = Url::parse("https://app.example.com").ok();
        let there = Redirects::new(public, vec![], "https://accounts.example.com/in?a=b").unwrap();
        let target = there.target(Some("/x"), None, OWN);
        let expected = "https://accounts.example.com/in?a=b\
            &redirect_url=https%3A%2F%2Fapp.example.com%2Fx%3Fusersync%3D0";
        assert_eq!(there.sign_in(&target), expected);
        for wrong in ["sign-in", "//evil.example", "javascript:x", ""] {
            assert!(Redirects::new(None, vec![], wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn signing_in_at_the_root_leaves_every_other_page_to_go_to() {
        let redirects = Redirects::new(None, vec![], "/").unwrap();
        assert_eq!(redirects.target(Some("/x"), None, OWN).location, "/x?usersync=1");
    }
}
