//! Which addresses a key may be sent to: one rule for configuration and for whoever sends.

use std::net::IpAddr;
use url::{Host, Url};

/// Whether what is said there can be read by nobody else: https, or this very machine. A user name
/// in the address would replace the key.
pub(crate) fn is_safe(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        "https" => bare && url.has_host(),
        "http" => bare && is_loopback(url),
        _ => false,
    }
}

/// Whether a URL's host is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
