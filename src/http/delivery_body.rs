//! Reads the raw bytes of a delivery, within limits of size, time and memory.
//!
//! Called by the webhook handler before anything is verified, so any client can make the service
//! read: a body has 1 MiB and 10 s, and all unverified bodies together 64 MiB, counted as their
//! bytes arrive. Announcing a body reserves nothing.

use crate::webhook::Rejection;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The provider's own limit is about a third of it.
const LARGEST_BODY_BYTES: usize = 1024 * 1024;

const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// All unverified bodies together.
const LARGEST_IN_FLIGHT_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of unverified bodies that are in memory now.
#[derive(Debug, Default)]
pub(super) struct InFlight(AtomicUsize);

/// The part of one body; subtracted when dropped.
struct Share<'a> {
    all: &'a InFlight,
    bytes: usize,
}

impl Share<'_> {
    fn add(&mut self, bytes: usize) -> Result<(), Rejection> {
        self.bytes += bytes;
        let total = self.all.0.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total > LARGEST_IN_FLIGHT_BYTES { Err(Rejection::TooManyBodies) } else { Ok(()) }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.all.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Rejects a body whose `Content-Length` is too large, before any of it is read.
pub(super) fn check_length(content_length: Option<&[u8]>) -> Result<(), Rejection> {
    let length = content_length
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(|value| value.parse::<u64>().ok());
    let largest = u64::try_from(LARGEST_BODY_BYTES).unwrap_or(u64::MAX);
    if length.is_some_and(|length| length > largest) {
        return Err(Rejection::BodyTooLarge);
    }
    Ok(())
}

pub(super) async fn read(payload: Payload, in_flight: &InFlight) -> Result<Bytes, Rejection> {
    let share = Share { all: in_flight, bytes: 0 };
    tokio::time::timeout(BODY_TIMEOUT, collect(payload, share))
        .await
        .unwrap_or(Err(Rejection::BodyTooSlow))
}

async fn collect(mut payload: Payload, mut share: Share<'_>) -> Result<Bytes, Rejection> {
    let mut next = async || match payload.next().await {
        Some(Ok(chunk)) => {
            share.add(chunk.len())?;
            let fits = share.bytes <= LARGEST_BODY_BYTES;
            if fits { Ok(Some(chunk)) } else { Err(Rejection::BodyTooLarge) }
        }
        Some(Err(_)) => Err(Rejection::BodyIncomplete),
        None => Ok(None),
    };
    // Nearly every body is one chunk, which is then not copied.
    let Some(first) = next().await? else {
        return Ok(Bytes::new());
    };
    let Some(second) = next().await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::with_capacity(2 * (first.len() + second.len()));
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(chunk) = next().await? {
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}
