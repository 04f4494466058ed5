//! What every request that carries a key has in common: where it may go, how much is read, and how
//! the key is written.
//!
//! Called by the clients in the provider's folder, by configuration for addresses, and where requests
//! to us carry a token. It builds no request and decides about no repeat.

use reqwest::{Client, ClientBuilder, Response, redirect};
use std::error::Error;
use url::{Host, Url};

/// Whether only the addressee can read what is sent there: https, or http within this machine. A
/// user name in the address would replace the key.
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
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A client that sends a key to the host of `url` and to no other: it follows no redirect, and no
/// proxy of the environment sees what plain HTTP carries.
pub(super) fn client_for(url: &Url) -> ClientBuilder {
    let builder = Client::builder().redirect(redirect::Policy::none());
    if url.scheme() == "http" { builder.no_proxy() } else { builder }
}

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    #[error("an answer of more than {0} bytes")]
    TooLarge(usize),
    #[error("the connection broke")]
    Broken(#[from] reqwest::Error),
}

/// Reads no more than `limit` bytes, whatever the answer says of its length. What came before an
/// error is returned beside it.
pub(super) async fn read_body(
    response: &mut Response,
    limit: usize,
) -> (Vec<u8>, Result<(), BodyError>) {
    let mut body = Vec::new();
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > limit {
        return (body, Err(BodyError::TooLarge(limit)));
    }
    body.reserve(announced);
    loop {
        match response.chunk().await {
            Ok(None) => return (body, Ok(())),
            Ok(Some(chunk)) if chunk.len() > limit - body.len() => {
                return (body, Err(BodyError::TooLarge(limit)));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Err(error) => return (body, Err(error.into())),
        }
    }
}

/// The system's or TLS's own words. The outer errors show the address, whose path names the user
/// and whose query may hold a secret.
pub(super) fn innermost_cause(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.last().map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// The token of an `Authorization` header after `Bearer`, in whatever case the client writes that;
/// `None` for another scheme, or without a token.
pub(crate) fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(b"Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}
