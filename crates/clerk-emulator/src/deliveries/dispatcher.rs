//! The dispatcher: one task that decides which message is posted next.
//!
//! Up to eight messages are in flight at once. A message that a fault reorders waits for so many
//! later ones, or half a second; one that failed is delayed and posted again.

use super::{Endpoint, Message, Retries};
use crate::now;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

const MOST_IN_FLIGHT: usize = 8;

/// How long a message is held back if too few later ones come.
const LONGEST_HOLD: Duration = Duration::from_millis(500);

/// How long a receiver may take to answer, as at Svix.
const TIMEOUT: Duration = Duration::from_secs(15);

enum AttemptResult {
    /// A 2xx.
    Acknowledged,
    /// Anything else, with the receiver's `Retry-After`.
    Failed(Option<Duration>),
    /// The endpoint was removed.
    NoAddress,
}

pub(super) struct Dispatcher {
    endpoint: Arc<Endpoint>,
    client: reqwest::Client,
    retries: Retries,
    ready: VecDeque<Message>,
    held_back: Vec<HeldMessage>,
    delayed: BTreeMap<(Instant, u64), Message>,
    delay_count: u64,
    in_flight: JoinSet<(Message, AttemptResult)>,
}

struct HeldMessage {
    message: Message,
    /// The number of the last event that is posted before it.
    behind: u64,
    until: Instant,
}

impl Dispatcher {
    pub(super) fn new(endpoint: Arc<Endpoint>, retries: Retries) -> Result<Self, reqwest::Error> {
        Ok(Self {
            endpoint,
            client: client()?,
            retries,
            ready: VecDeque::new(),
            held_back: Vec::new(),
            delayed: BTreeMap::new(),
            delay_count: 0,
            in_flight: JoinSet::new(),
        })
    }

    /// Runs until the outbox is dropped or aborts the task.
    pub(super) async fn run(mut self, mut incoming: UnboundedReceiver<Message>) {
        loop {
            self.wake(Instant::now());
            self.send_out();
            let next = self.next_wake();
            let sleep = tokio::time::sleep_until(next.unwrap_or_else(Instant::now));
            tokio::select! {
                message = incoming.recv() => match message {
                    Some(message) => self.accept(message),
                    None => return,
                },
                Some(done) = self.in_flight.join_next() => match done {
                    Ok((message, outcome)) => self.finish(message, &outcome),
                    Err(_) => self.abandon(),
                },
                () = sleep, if next.is_some() => {}
            }
        }
    }

    fn accept(&mut self, mut message: Message) {
        let (number, now) = (message.number, Instant::now());
        match (message.behind.take(), message.delay.take()) {
            (Some(overtaking), _) => {
                let behind = number.saturating_add(overtaking);
                self.held_back.push(HeldMessage { message, behind, until: now + LONGEST_HOLD });
            }
            (None, Some(delay)) => self.delay(message, delay),
            (None, None) => self.ready.push_back(message),
        }
        let released = self.held_back.extract_if(.., |held_back| held_back.behind <= number);
        self.ready.extend(released.map(|held_back| held_back.message));
    }

    /// Makes messages ready whose time has come.
    fn wake(&mut self, now: Instant) {
        let released = self.held_back.extract_if(.., |held_back| held_back.until <= now);
        self.ready.extend(released.map(|held_back| held_back.message));
        while let Some(first) = self.delayed.first_entry().filter(|first| first.key().0 <= now) {
            self.ready.push_back(first.remove());
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let held_back = self.held_back.iter().map(|held_back| held_back.until).min();
        let delayed = self.delayed.first_key_value().map(|((time, _), _)| *time);
        held_back.into_iter().chain(delayed).min()
    }

    fn send_out(&mut self) {
        while self.in_flight.len() < MOST_IN_FLIGHT {
            let Some(message) = self.ready.pop_front() else {
                return;
            };
            let (client, endpoint) = (self.client.clone(), Arc::clone(&self.endpoint));
            self.in_flight.spawn(async move {
                let outcome = attempt(&client, &endpoint, &message).await;
                (message, outcome)
            });
        }
    }

    fn finish(&mut self, mut message: Message, outcome: &AttemptResult) {
        let asked = match outcome {
            AttemptResult::Acknowledged => {
                self.endpoint.count(|counts| counts.acknowledged += 1);
                return self.endpoint.settle_one();
            }
            AttemptResult::NoAddress => return self.abandon(),
            AttemptResult::Failed(asked) => *asked,
        };
        message.failures += 1;
        match self.retries.delay(message.failures, asked) {
            Some(delay) => {
                self.endpoint.count(|counts| counts.retried += 1);
                self.delay(message, delay);
            }
            None => self.abandon(),
        }
    }

    fn abandon(&self) {
        self.endpoint.count(|counts| counts.abandoned += 1);
        self.endpoint.settle_one();
    }

    fn delay(&mut self, message: Message, delay: Duration) {
        self.delay_count += 1;
        self.delayed.insert((Instant::now() + delay, self.delay_count), message);
    }
}

/// A client that follows no redirects and ignores proxies of the environment.
fn client() -> Result<reqwest::Client, reqwest::Error> {
    let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
    client.redirect(reqwest::redirect::Policy::none()).build()
}

/// Posts a message. Each attempt has the same id and a signature of its own time.
async fn attempt(
    client: &reqwest::Client,
    endpoint: &Endpoint,
    message: &Message,
) -> AttemptResult {
    let Some(address) = endpoint.address() else {
        return AttemptResult::NoAddress;
    };
    let timestamp = (now() / 1_000).to_string();
    let signature = endpoint.secret.signature(&message.id, &timestamp, &message.body);
    let request = client
        .post(address)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, "Svix-Webhooks/1.0 (usersync-emulator)")
        .header("svix-id", &message.id)
        .header("svix-timestamp", timestamp)
        .header("svix-signature", signature)
        .body(message.body.clone());
    endpoint.count(|counts| counts.sent += 1);
    match request.send().await {
        Err(_) => AttemptResult::Failed(None),
        Ok(response) if response.status().is_success() => AttemptResult::Acknowledged,
        Ok(response) => {
            let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = header.and_then(|text| text.trim().parse().ok());
            AttemptResult::Failed(seconds.map(Duration::from_secs))
        }
    }
}
