//! Several services on one database, all in this process.

use super::{Sender, TestDatabase, configuration, until};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use usersync::app::{App, AppError};

/// How long a replica may take to be ready on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

pub struct Replica {
    pub sender: Sender,
    pub origin: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), AppError>>,
}

impl Replica {
    /// Starts replicas at the same moment, so that all of them find an empty database, and
    /// waits until all are ready.
    pub async fn start_many(count: usize, database: &TestDatabase) -> Vec<Self> {
        Self::start_many_with(count, database, &[]).await
    }

    /// Likewise, with these variables besides.
    pub async fn start_many_with(
        count: usize,
        database: &TestDatabase,
        variables: &[(&str, &str)],
    ) -> Vec<Self> {
        let replicas: Vec<Self> = (0..count).map(|_| Self::launch(database, variables)).collect();
        for replica in &replicas {
            replica.until_ready().await;
        }
        replicas
    }

    /// Starts one replica with these variables besides, and waits until it is ready.
    pub async fn start_with(database: &TestDatabase, variables: &[(&str, &str)]) -> Self {
        let replica = Self::launch(database, variables);
        replica.until_ready().await;
        replica
    }

    fn launch(database: &TestDatabase, variables: &[(&str, &str)]) -> Self {
        let app = App::build(configuration(database, variables)).unwrap();
        let origin = format!("http://{}", app.address());
        let sender =
            Sender { client: reqwest::Client::new(), url: format!("{origin}/webhooks/clerk") };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(app.run_until_stopped(async {
            stopped.await.ok();
        }));
        Self { sender, origin, stop, task }
    }

    async fn until_ready(&self) {
        let url = format!("{}/readyz", self.origin);
        until("a replica is ready", READY_WITHIN, async || {
            let answer = self.sender.client.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Stops the replica as a signal would.
    pub async fn stop(self) {
        drop(self.sender);
        self.stop.send(()).ok();
        self.task.await.unwrap().unwrap();
    }
}
