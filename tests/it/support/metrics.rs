//! What the metrics say.

use super::TestApp;

impl TestApp {
    /// The whole part of a sample, named with its labels as the text writes them.
    pub async fn metric(&self, sample: &str) -> i64 {
        let text = self.metrics().await;
        let mut lines = text.lines();
        let value = lines.find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no sample {sample} in\n{text}"));
        value.split('.').next().unwrap().parse().unwrap()
    }
}
