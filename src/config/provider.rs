//! Variables of the provider: its API, write-back, background work, and redirects of browsers.
//!
//! Called by [`super::Config::load`]. Keys of the emulator are public, so they are refused wherever
//! a real provider is configured.

use super::loader::Loader;
use crate::access::Redirects;
use crate::domain::schedule::parse_interval;
use crate::domain::{MetadataNames, Schedule};
use crate::provider::clerk::test_keys;
use crate::provider::http::{is_loopback, is_safe};
use crate::webhook::SigningSecrets;
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::LazyLock;
use std::time::Duration;
use url::Url;

/// How to reach the provider's API, and how many requests it may get.
#[derive(Clone, Debug)]
pub struct ProviderApi {
    /// May have a path prefix.
    pub url: Url,
    pub secret_key: SecretString,
    /// Requests in 10 s, over all replicas; `None`: no limit.
    pub requests_per_10_seconds: Option<u32>,
}

impl ProviderApi {
    pub fn is_emulator(&self) -> bool {
        self.secret_key.expose_secret().contains(test_keys::MARK) && is_loopback(&self.url)
    }

    /// Whether it is a production instance.
    pub fn is_live(&self) -> bool {
        self.secret_key.expose_secret().starts_with("sk_live_")
    }
}

/// Half of the provider's limit in 10 s for production; the application has the other (trap 37).
const LIVE_BUDGET: u32 = 500;

/// The same for a development instance.
const TEST_BUDGET: u32 = 50;

#[expect(clippy::expect_used, reason = "a constant, which every test of the configuration reads")]
static DEFAULT_API: LazyLock<Url> =
    LazyLock::new(|| Url::parse("https://api.clerk.com").expect("a URL"));

impl Loader<'_> {
    pub(super) fn provider_api(&mut self) -> Option<ProviderApi> {
        let key = self.text("CLERK_SECRET_KEY");
        let url = self.api_url();
        let test = key.as_ref().is_some_and(|key| key.starts_with("sk_test_"));
        if key.as_ref().is_some_and(|key| !test && !key.starts_with("sk_live_")) {
            self.problem(
                "CLERK_SECRET_KEY",
                "does not start with `sk_live_` or `sk_test_`; copy the secret key from the API keys page of the provider's dashboard",
            );
        }
        if key.as_ref().is_some_and(|key| key.contains(test_keys::MARK)) && !is_loopback(&url) {
            self.emulators("CLERK_SECRET_KEY");
        }
        let default = if test { TEST_BUDGET } else { LIVE_BUDGET };
        let requests_per_10_seconds = self.budget(&url, default);
        key.map(|key| ProviderApi { url, secret_key: key.into(), requests_per_10_seconds })
    }

    pub(super) fn refuse_emulators_secret(&mut self, secrets: &SigningSecrets) {
        let emulators =
            secrets.active.iter().any(|secret| secret.contains(test_keys::MARK.as_bytes()));
        if emulators && !is_loopback(&self.api_address()) {
            self.emulators("CLERK_WEBHOOK_SIGNING_SECRET");
        }
    }

    pub(super) fn emulators(&mut self, name: &str) {
        self.problem(
            name,
            "is a key of the emulator, which is public; set the real one, or CLERK_API_URL to the emulator's address on this machine",
        );
    }

    /// The configured address, or the default if it is wrong.
    pub(super) fn api_url(&mut self) -> Url {
        let problem =
            "is no URL with https (http only on a loopback address), as in `https://api.clerk.com`";
        let url = self.parse("CLERK_API_URL", parse_api, problem);
        url.unwrap_or_else(|| DEFAULT_API.clone())
    }

    /// The same, without reporting the problem again.
    pub(super) fn api_address(&mut self) -> Url {
        let text = self.text("CLERK_API_URL");
        text.and_then(|text| parse_api(&text)).unwrap_or_else(|| DEFAULT_API.clone())
    }

    fn budget(&mut self, url: &Url, default: u32) -> Option<u32> {
        match self.text("USERSYNC_API_BUDGET").as_deref() {
            None => Some(default),
            Some(text) if is_off(text) && is_loopback(url) => None,
            Some(text) if is_off(text) => {
                self.problem(
                    "USERSYNC_API_BUDGET",
                    "can be `off` only where CLERK_API_URL is a loopback address; write a number",
                );
                None
            }
            Some(_) => {
                let limit = |text: &str| {
                    text.parse().ok().filter(|requests| (1..=10_000).contains(requests))
                };
                self.parse("USERSYNC_API_BUDGET", limit, "is not a number from 1 to 10000")
            }
        }
    }

    /// Needs an API to write to.
    pub(super) fn write_back(&mut self, api: Option<&ProviderApi>) -> bool {
        let wanted = self.choice("USERSYNC_WRITE_BACK", api.is_some(), ON_OFF);
        if wanted && api.is_none() {
            self.problem(
                "USERSYNC_WRITE_BACK",
                "is `on`, but there is no CLERK_SECRET_KEY to write with; set it, or turn this off",
            );
        }
        wanted
    }

    pub(super) fn watch_interval(&mut self) -> Option<Duration> {
        self.unless_off("USERSYNC_WATCH_INTERVAL", "60s", parse_interval, AN_INTERVAL)
    }

    pub(super) fn reconcile_schedule(&mut self) -> Option<Schedule> {
        self.unless_off("USERSYNC_RECONCILE_SCHEDULE", "daily", Schedule::parse, A_SCHEDULE)
    }

    fn unless_off<T>(
        &mut self,
        variable: &str,
        default: &str,
        parse: impl Fn(&str) -> Option<T>,
        problem: &'static str,
    ) -> Option<T> {
        let text = self.text(variable).unwrap_or_else(|| default.to_owned());
        if is_off(&text) {
            return None;
        }
        let parsed = parse(&text);
        if parsed.is_none() {
            self.problem(variable, problem);
        }
        parsed
    }

    /// The names must differ from each other.
    pub(super) fn metadata_names(&mut self) -> MetadataNames {
        let default = MetadataNames::default();
        let names = MetadataNames {
            id: self.metadata_name("USERSYNC_METADATA_ID", default.id),
            role: self.metadata_name("USERSYNC_METADATA_ROLE", default.role),
            plan: self.metadata_name("USERSYNC_METADATA_PLAN", default.plan),
        };
        if names.id == names.role || names.id == names.plan || names.role == names.plan {
            self.problem(
                "USERSYNC_METADATA_ID",
                "and USERSYNC_METADATA_ROLE and USERSYNC_METADATA_PLAN must be three different names",
            );
        }
        names
    }

    fn metadata_name(&mut self, variable: &str, default: String) -> String {
        let name = self.text(variable).unwrap_or(default);
        let word = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if !(1..=64).contains(&name.len()) || !name.bytes().all(word) {
            self.problem(variable, "is not 1 to 64 letters, digits, `.`, `_` or `-`");
        }
        name
    }

    pub(super) fn redirects(&mut self) -> Redirects {
        let public = self.parse("USERSYNC_PUBLIC_URL", origin, AN_ORIGIN);
        let mut origins = Vec::new();
        for text in self.list("USERSYNC_REDIRECT_ORIGINS") {
            match origin(&text) {
                Some(url) => origins.push(url.origin()),
                None => self.problem("USERSYNC_REDIRECT_ORIGINS", AN_ORIGIN),
            }
        }
        let sign_in = self.text("USERSYNC_SIGN_IN_URL").unwrap_or_else(|| "/sign-in".into());
        Redirects::new(public, origins, &sign_in).unwrap_or_else(|| {
            self.problem("USERSYNC_SIGN_IN_URL", "is neither a path, as in `/sign-in`, nor a URL");
            Redirects::default()
        })
    }
}

/// The address in front of `/v1`, which may have a path.
fn parse_api(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(is_safe)?;
    (url.query().is_none() && url.fragment().is_none()).then_some(url)
}

const AN_INTERVAL: &str = "is neither `off` nor an interval, as in `30s`, `5m` or `1h`";
const A_SCHEDULE: &str = "is neither `off` nor `daily`, an interval, as in `6h` or `7d`, or a time of the day in UTC, as in `03:30`";

const OFF: &str = "off";

/// What writers of YAML 1.1 make of `off` where it is not quoted.
const FALSE: &str = "false";

pub(super) const ON_OFF: &[(&str, bool)] =
    &[("on", true), (OFF, false), ("true", true), (FALSE, false)];

pub(super) const AN_ORIGIN: &str = "is not an origin, as in `https://app.example.com`: scheme and host, a port if it needs one, and nothing after it";

fn is_off(text: &str) -> bool {
    [OFF, FALSE].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A URL that is an origin and nothing else.
pub(super) fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https");
    (web && url.origin().ascii_serialization() == text).then_some(url)
}
