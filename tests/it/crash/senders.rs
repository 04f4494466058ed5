//! Many senders at once; each repeats an event until it is acknowledged, as the provider does.

use super::plan::{Message, Plan};
use crate::support::TestClient;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long one attempt may take; the service promises an answer within ten seconds.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(15);

const EVENT_WITHIN: Duration = Duration::from_secs(120);

const BACKOFF: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    Nothing,
    Refusals,
    /// A 503, or a connection that breaks or cannot be made.
    Connections,
}

pub struct Senders {
    tasks: JoinSet<usize>,
    acknowledged: UnboundedReceiver<()>,
}

struct Work {
    plan: Arc<Plan>,
    next: AtomicUsize,
    sender: TestClient,
    tolerance: Tolerance,
}

impl Senders {
    pub fn start(
        count: usize,
        plan: &Arc<Plan>,
        sender: &TestClient,
        tolerance: Tolerance,
    ) -> Self {
        let work = Arc::new(Work {
            plan: Arc::clone(plan),
            next: AtomicUsize::new(0),
            sender: sender.clone(),
            tolerance,
        });
        let (tell, acknowledged) = unbounded_channel();
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            tasks.spawn(run(Arc::clone(&work), tell.clone()));
        }
        Self { tasks, acknowledged }
    }

    /// Waits for the next acknowledgement; false once all senders are done.
    pub async fn acknowledged(&mut self) -> bool {
        self.acknowledged.recv().await.is_some()
    }

    pub async fn failed_attempts(self) -> usize {
        self.tasks.join_all().await.into_iter().sum()
    }
}

async fn run(work: Arc<Work>, tell: UnboundedSender<()>) -> usize {
    let mut failed = 0;
    while let Some(message) = work.next() {
        failed += work.deliver(message).await;
        tell.send(()).unwrap();
    }
    failed
}

impl Work {
    fn next(&self) -> Option<&Message> {
        let place = self.next.fetch_add(1, Ordering::Relaxed);
        self.plan.messages.get(place)
    }

    /// Posts a message until it is acknowledged; returns how many attempts failed.
    async fn deliver(&self, message: &Message) -> usize {
        let started = Instant::now();
        let mut failed = 0;
        while !self.attempt(message).await {
            failed += 1;
            let id = &message.id;
            assert!(started.elapsed() < EVENT_WITHIN, "{id} failed {failed} times");
            sleep(BACKOFF).await;
        }
        failed
    }

    /// Whether the message is acknowledged now; panics at a failure that is not tolerated.
    async fn attempt(&self, message: &Message) -> bool {
        let post = self.sender.try_send(&message.id, message.body.clone());
        let answer = timeout(ATTEMPT_WITHIN, post).await.expect("an answer in time");
        let tolerated = match &answer {
            Ok(answer) if answer.status == 200 => return true,
            Ok(answer) => answer.status == 503 && self.tolerance != Tolerance::Nothing,
            Err(_) => self.tolerance == Tolerance::Connections,
        };
        assert!(tolerated, "{answer:?}");
        false
    }
}
