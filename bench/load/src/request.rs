//! Whole HTTP requests, signed and laid out one after another in memory before the clock starts.
//!
//! Made by `main`, sent by `run`. Users and the form of events are those of the emulator.

use std::time::Duration;

use clerk_emulator::{GeneratedUsers, INSTANCE, SigningSecret, event_body};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::options::{Options, Target};
use crate::plan::{Change, Plan};

/// User 0 signed up at this time (2024-01-01), each next one a second later.
const FIRST_SIGN_UP_MS: i64 = 1_704_067_200_000;

/// All requests of a run in one buffer; `ends[i]` is where request `i` ends.
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    body_bytes: usize,
}

impl Requests {
    /// Builds the warm-up and the counted requests, signed at `now` (since the Unix epoch). Message ids are taken from
    /// the clock as well as from the seed, so that a repeated run is not a run of duplicates.
    pub(crate) fn build(options: &Options, secret: &SigningSecret, now: Duration) -> Self {
        // Not from `options.seed`: a later run must know the users of an earlier one.
        let users = GeneratedUsers::new(1, INSTANCE, FIRST_SIGN_UP_MS);
        let plan = Plan::new(options, now.as_millis() as u64);
        let mut rng = Rng::with_seed(options.seed ^ now.as_nanos() as u64);
        let mut requests = Self { bytes: Vec::new(), ends: Vec::new(), body_bytes: 0 };
        for index in 0..(options.warmup + options.events) as u64 {
            let (number, change) = plan.event(index);
            let body = body(users.to_value(number), change);
            let id = message_id(now.as_secs(), &mut rng);
            requests.push(&options.target, secret, &id, now.as_secs(), &body);
        }
        requests
    }

    fn push(
        &mut self,
        target: &Target,
        secret: &SigningSecret,
        id: &str,
        timestamp: u64,
        body: &[u8],
    ) {
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\nuser-agent: Svix-Webhooks/1.84.0\r\naccept: */*\r\n\
             content-type: application/json\r\nsvix-id: {id}\r\nsvix-timestamp: {timestamp}\r\n\
             svix-signature: {}\r\ncontent-length: {}\r\n\r\n",
            target.path,
            target.authority,
            secret.signature(id, &timestamp.to_string(), body),
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

/// Sorts by time and is random within a second, as Svix's ids do and are: that shapes the index of a real table.
fn message_id(unix_seconds: u64, rng: &mut Rng) -> String {
    let random: String = (0..19).map(|_| rng.alphanumeric()).collect();
    format!("msg_{unix_seconds:08x}{random}")
}

/// The body of the event: the full user object after the change, about 2 KB.
fn body(mut user: Value, change: Change) -> Vec<u8> {
    let kind = match change {
        Change::Created => "user.created",
        Change::Updated { at_ms, round } => {
            user["updated_at"] = at_ms.into();
            user["last_active_at"] = (at_ms - 250).into();
            user["last_sign_in_at"] = (at_ms - 250).into();
            user["public_metadata"] = json!({"onboarded": true, "role": "user", "visits": round});
            "user.updated"
        }
    };
    let timestamp_ms = user["updated_at"].as_i64().unwrap_or_default() + 18;
    event_body(kind, &user, INSTANCE, timestamp_ms).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Mix;

    fn requests(mix: Mix) -> Requests {
        let secret = SigningSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let options = Options { events: 500, mix, ..Options::default() };
        Requests::build(&options, &secret, Duration::from_secs(1_800_000_000))
    }

    #[test]
    fn a_request_is_complete_and_stands_alone() {
        let requests = requests(Mix::Created);
        assert_eq!(requests.len(), 500);
        let text = std::str::from_utf8(requests.get(1)).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /webhooks/clerk HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n"));
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
    }

    #[test]
    fn bodies_are_full_events_of_about_two_kilobytes() {
        for (mix, kind) in [(Mix::Created, "user.created"), (Mix::Updated, "user.updated")] {
            let requests = requests(mix);
            let mean = requests.mean_body_bytes();
            assert!((1_800..2_600).contains(&mean), "{mean}");
            let text = std::str::from_utf8(requests.get(0)).unwrap();
            let event: Value =
                serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
            assert_eq!(event["type"], kind);
            let primary = &event["data"]["primary_email_address_id"];
            assert_eq!(&event["data"]["email_addresses"][0]["id"], primary);
        }
    }
}
