//! Whole HTTP requests, signed and laid out one after another in memory before the clock starts.

use std::time::Duration;

use crate::id::ksuid;
use crate::options::{Options, Target};
use crate::payload;
use crate::plan::Plan;
use crate::rng::Rng;
use crate::signature::Signer;
use crate::user::User;

/// All requests of a run in one buffer; `ends[i]` is where request `i` ends.
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    body_bytes: usize,
}

impl Requests {
    /// Builds the warm-up and the counted requests, signed at `now` (since the Unix epoch). Message ids are taken from
    /// the clock as well as from the seed, so that a repeated run is not a run of duplicates.
    pub(crate) fn build(options: &Options, signer: &Signer, now: Duration) -> Self {
        let plan = Plan::new(options, now.as_millis() as u64);
        let mut message_ids = Rng::new(options.seed ^ now.as_nanos() as u64);
        let mut requests = Self { bytes: Vec::new(), ends: Vec::new(), body_bytes: 0 };
        for index in 0..(options.warmup + options.events) as u64 {
            let (number, change) = plan.event(index);
            let body = payload::body(&User::number(number), change);
            let message_id = ksuid("msg_", now.as_secs(), message_ids.next_u128());
            requests.push(&options.target, signer, &message_id, now.as_secs(), &body);
        }
        requests
    }

    fn push(&mut self, target: &Target, signer: &Signer, id: &str, timestamp: u64, body: &[u8]) {
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nuser-agent: Svix-Webhooks/1.84.0\r\naccept: */*\r\n\
             content-type: application/json\r\nsvix-id: {id}\r\nsvix-timestamp: {timestamp}\r\n\
             svix-signature: {}\r\ncontent-length: {}\r\n\r\n",
            target.path,
            target.authority,
            signer.sign(id, timestamp, body),
            body.len()
        );
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(body);
        self.ends.push(self.bytes.len());
        self.body_bytes += body.len();
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub(crate) fn mean_body_bytes(&self) -> usize {
        self.body_bytes / self.len().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_complete_and_stands_alone() {
        let signer = Signer::new("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let requests = Requests::build(
            &Options { events: 3, ..Options::default() },
            &signer,
            Duration::from_secs(1_800_000_000),
        );
        assert_eq!(requests.len(), 3);
        let text = std::str::from_utf8(requests.get(1)).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /webhooks/clerk HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n"));
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
    }
}
