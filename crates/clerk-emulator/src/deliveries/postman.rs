//! The postman: one task that alone decides what goes out next.
//!
//! Up to eight parcels are under way at once. What a fault holds back goes behind so many
//! later ones, or after a moment; what failed is put off and comes again.

use super::attempt::{self, Outcome};
use super::{Desk, Parcel, Retries};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many deliveries run at once.
const AT_ONCE: usize = 8;

/// How long a parcel is held back at most, where too few later ones come.
const HELD_AT_MOST: Duration = Duration::from_millis(500);

pub(super) struct Postman {
    desk: Arc<Desk>,
    client: reqwest::Client,
    retries: Retries,
    ready: VecDeque<Parcel>,
    held: Vec<Held>,
    later: BTreeMap<(Instant, u64), Parcel>,
    put_off: u64,
    under_way: JoinSet<(Parcel, Outcome)>,
}

struct Held {
    parcel: Parcel,
    /// The number of the event behind which it goes.
    behind: u64,
    until: Instant,
}

impl Postman {
    pub(super) fn new(desk: Arc<Desk>, retries: Retries) -> Result<Self, reqwest::Error> {
        Ok(Self {
            desk,
            client: attempt::client()?,
            retries,
            ready: VecDeque::new(),
            held: Vec::new(),
            later: BTreeMap::new(),
            put_off: 0,
            under_way: JoinSet::new(),
        })
    }

    /// Works until the office is closed.
    pub(super) async fn work(mut self, mut incoming: UnboundedReceiver<Parcel>) {
        loop {
            self.wake(Instant::now());
            self.send_out();
            let next = self.next_wake();
            let sleep = tokio::time::sleep_until(next.unwrap_or_else(Instant::now));
            tokio::select! {
                parcel = incoming.recv() => match parcel {
                    Some(parcel) => self.accept(parcel),
                    None => return,
                },
                Some(done) = self.under_way.join_next() => match done {
                    Ok((parcel, outcome)) => self.settle(parcel, &outcome),
                    Err(_) => self.give_up(),
                },
                () = sleep, if next.is_some() => {}
            }
        }
    }

    fn accept(&mut self, mut parcel: Parcel) {
        let (number, now) = (parcel.number, Instant::now());
        match (parcel.behind.take(), parcel.delay.take()) {
            (Some(overtaking), _) => {
                let behind = number.saturating_add(overtaking);
                self.held.push(Held { parcel, behind, until: now + HELD_AT_MOST });
            }
            (None, Some(delay)) => self.put_off(parcel, delay),
            (None, None) => self.ready.push_back(parcel),
        }
        let released = self.held.extract_if(.., |held| held.behind <= number);
        self.ready.extend(released.map(|held| held.parcel));
    }

    /// Makes ready what has waited long enough.
    fn wake(&mut self, now: Instant) {
        let released = self.held.extract_if(.., |held| held.until <= now);
        self.ready.extend(released.map(|held| held.parcel));
        while let Some(first) = self.later.first_entry().filter(|first| first.key().0 <= now) {
            self.ready.push_back(first.remove());
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let held = self.held.iter().map(|held| held.until).min();
        let later = self.later.first_key_value().map(|((time, _), _)| *time);
        held.into_iter().chain(later).min()
    }

    fn send_out(&mut self) {
        while self.under_way.len() < AT_ONCE {
            let Some(parcel) = self.ready.pop_front() else {
                return;
            };
            let (client, desk) = (self.client.clone(), Arc::clone(&self.desk));
            self.under_way.spawn(async move {
                let outcome = attempt::attempt(&client, &desk, &parcel).await;
                (parcel, outcome)
            });
        }
    }

    fn settle(&mut self, mut parcel: Parcel, outcome: &Outcome) {
        let asked = match outcome {
            Outcome::Acknowledged => {
                self.desk.count(|counts| counts.acknowledged += 1);
                return self.desk.done();
            }
            Outcome::NoAddress => return self.give_up(),
            Outcome::Failed(asked) => *asked,
        };
        parcel.failures += 1;
        match self.retries.delay(parcel.failures, asked) {
            Some(delay) => {
                self.desk.count(|counts| counts.retried += 1);
                self.put_off(parcel, delay);
            }
            None => self.give_up(),
        }
    }

    fn give_up(&self) {
        self.desk.count(|counts| counts.abandoned += 1);
        self.desk.done();
    }

    fn put_off(&mut self, parcel: Parcel, delay: Duration) {
        self.put_off += 1;
        self.later.insert((Instant::now() + delay, self.put_off), parcel);
    }
}
