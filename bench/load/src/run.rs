//! The timed part: every connection takes the next request, sends it, waits for the answer and takes another,
//! until the requests or the time are used up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connection::Connection;
use crate::options::Options;
use crate::request::Requests;

/// A sender gives up on an answer after so long, as Svix does.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// A request whose connection breaks is sent again so many times in all.
const ATTEMPTS: usize = 3;

/// What was counted, by one connection or by all.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) latencies_us: Vec<u32>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// 2xx answers whose outcome is not `applied`.
    pub(crate) not_applied: u64,
    /// Connections that broke or were closed while a request was in flight.
    pub(crate) broken: u64,
    /// Requests that never got an answer.
    pub(crate) unanswered: u64,
}

pub(crate) struct Measured {
    pub(crate) tally: Tally,
    pub(crate) elapsed: Duration,
    /// How many requests of the warm-up were answered; they are in no other number.
    pub(crate) warmup_events: usize,
}

/// What the connections share: the requests and which comes next.
struct Phase {
    requests: Arc<Requests>,
    next: AtomicUsize,
    end: usize,
    deadline: Instant,
}

/// Runs the warm-up, for as long as the counted part at most, then the counted requests on the same connections.
pub(crate) async fn run(options: &Options, requests: Requests) -> Result<Measured, String> {
    let connections = open(options).await?;
    let limit = Duration::from_secs_f64(options.seconds);
    let requests = Arc::new(requests);
    let warmup = phase(&requests, 0, options.warmup, limit);
    let (connections, warmup) = run_phase(connections, warmup).await?;
    let started = Instant::now();
    let counted = phase(&requests, options.warmup, requests.len(), limit);
    let (_, tally) = run_phase(connections, counted).await?;
    Ok(Measured { tally, elapsed: started.elapsed(), warmup_events: warmup.latencies_us.len() })
}

async fn open(options: &Options) -> Result<Vec<Connection>, String> {
    let mut connections = Vec::with_capacity(options.connections);
    for _ in 0..options.connections {
        let mut connection = Connection::new(options.target.authority.clone());
        let opened = connection.open().await;
        opened
            .map_err(|error| format!("cannot connect to {}: {error}", options.target.authority))?;
        connections.push(connection);
    }
    Ok(connections)
}

fn phase(requests: &Arc<Requests>, start: usize, end: usize, limit: Duration) -> Arc<Phase> {
    Arc::new(Phase {
        requests: Arc::clone(requests),
        next: AtomicUsize::new(start),
        end,
        deadline: Instant::now() + limit,
    })
}

async fn run_phase(
    connections: Vec<Connection>,
    phase: Arc<Phase>,
) -> Result<(Vec<Connection>, Tally), String> {
    let mut workers = JoinSet::new();
    for connection in connections {
        workers.spawn(drive(connection, Arc::clone(&phase)));
    }
    let mut connections = Vec::new();
    let mut sum = Tally::default();
    while let Some(finished) = workers.join_next().await {
        let (connection, tally) =
            finished.map_err(|error| format!("a connection's task failed: {error}"))?;
        connections.push(connection);
        sum.add(tally);
    }
    Ok((connections, sum))
}

async fn drive(mut connection: Connection, phase: Arc<Phase>) -> (Connection, Tally) {
    let mut tally = Tally::default();
    loop {
        let started = Instant::now();
        let index = phase.next.fetch_add(1, Ordering::Relaxed);
        if index >= phase.end || started >= phase.deadline {
            return (connection, tally);
        }
        tally.deliver(&mut connection, phase.requests.get(index), started).await;
    }
}

impl Tally {
    async fn deliver(&mut self, connection: &mut Connection, request: &[u8], started: Instant) {
        for _ in 0..ATTEMPTS {
            if let Ok(Ok(answer)) = timeout(ANSWER_LIMIT, connection.exchange(request)).await {
                self.latencies_us
                    .push(started.elapsed().as_micros().try_into().unwrap_or(u32::MAX));
                *self.statuses.entry(answer.status).or_default() += 1;
                self.not_applied += u64::from(is_success(answer.status) && !answer.applied);
                return;
            }
            self.broken += 1;
        }
        self.unanswered += 1;
    }

    fn add(&mut self, other: Self) {
        self.latencies_us.extend(other.latencies_us);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.not_applied += other.not_applied;
        self.broken += other.broken;
        self.unanswered += other.unanswered;
    }
}

pub(crate) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}
