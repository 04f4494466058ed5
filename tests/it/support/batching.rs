//! Deliveries that are committed together, in a known order.

use super::{Answer, TestApp, WriterLock, message_id, until_true};
use serde_json::Value;

/// Occupies the writer; changes no user.
const PLUG: &str = r#"{"type":"plug"}"#;

impl TestApp {
    /// Sends deliveries such that they come in this order and are committed as one batch.
    pub async fn send_in_one_batch(&self, deliveries: &[(&str, Value)]) -> Vec<Answer> {
        let lock = WriterLock::on(&self.database);
        let batches = self.batches().await;
        let plug = self.spawn(message_id(), PLUG.into());
        self.until_batches(batches + 1).await;
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        for (id, event) in deliveries {
            let body = event.to_string().into_bytes();
            bytes += i64::try_from(body.len()).unwrap();
            waiting.push(self.spawn((*id).to_owned(), body));
            self.until_queued(bytes).await;
        }
        lock.release();
        plug.await.unwrap();
        let mut answers = Vec::new();
        for task in waiting {
            answers.push(task.await.unwrap());
        }
        assert_eq!(self.batches().await, batches + 2, "one batch, and the plug");
        answers
    }

    pub async fn batches(&self) -> i64 {
        self.metric("usersync_batch_size_count").await
    }

    pub async fn until_batches(&self, count: i64) {
        until_true("the writer takes a batch", async || self.batches().await >= count).await;
    }

    async fn until_queued(&self, bytes: i64) {
        until_true("the delivery waits in the queue", async || {
            self.metric("usersync_queue_bytes").await == bytes
        })
        .await;
    }
}
