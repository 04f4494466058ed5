//! Adds up a run and prints it, for people or as one line of JSON.

use serde_json::{Value, json};

use crate::options::Options;
use crate::run::{Measured, is_success};

pub(crate) struct Report {
    measured: Measured,
    /// Ascending.
    latencies_us: Vec<u32>,
    mean_body_bytes: usize,
}

impl Report {
    pub(crate) fn new(mut measured: Measured, mean_body_bytes: usize) -> Self {
        let mut latencies_us = std::mem::take(&mut measured.tally.latencies_us);
        latencies_us.sort_unstable();
        Self { measured, latencies_us, mean_body_bytes }
    }

    /// Whether any event was answered with anything but 2xx, or not at all.
    pub(crate) fn has_errors(&self) -> bool {
        let tally = &self.measured.tally;
        tally.unanswered > 0 || tally.statuses.keys().any(|&status| !is_success(status))
    }

    pub(crate) fn json(&self, options: &Options) -> Value {
        let tally = &self.measured.tally;
        json!({
            "mix": options.mix.to_string(),
            "connections": options.connections,
            "users": options.users,
            "events": self.events(),
            "seconds": round(self.seconds()),
            "rate": round(self.rate()),
            "p50_ms": self.percentile(0.5),
            "p90_ms": self.percentile(0.9),
            "p99_ms": self.percentile(0.99),
            "p999_ms": self.percentile(0.999),
            "max_ms": self.percentile(1.0),
            "statuses": tally.statuses,
            "not_applied": tally.not_applied,
            "broken_connections": tally.broken,
            "unanswered": tally.unanswered,
            "warmup_events": self.measured.warmup_events,
            "mean_body_bytes": self.mean_body_bytes,
        })
    }

    pub(crate) fn text(&self, options: &Options) -> String {
        let tally = &self.measured.tally;
        let [p50, p90, p99, p999, max] = [0.5, 0.9, 0.99, 0.999, 1.0].map(|at| self.percentile(at));
        let statuses: Vec<String> =
            tally.statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
        format!(
            "{} events of {} bytes ({}) over {} connections in {:.2} s\n\
             rate      {:.0} events/s\n\
             latency   p50 {p50:.3}  p90 {p90:.3}  p99 {p99:.3}  p99.9 {p999:.3}  max {max:.3} ms\n\
             answers   {}; not applied: {}; unanswered: {}; broken connections: {}\n",
            self.events(),
            self.mean_body_bytes,
            options.mix,
            options.connections,
            self.seconds(),
            self.rate(),
            statuses.join(", "),
            tally.not_applied,
            tally.unanswered,
            tally.broken,
        )
    }

    fn events(&self) -> usize {
        self.latencies_us.len()
    }

    fn seconds(&self) -> f64 {
        self.measured.elapsed.as_secs_f64()
    }

    fn rate(&self) -> f64 {
        self.events() as f64 / self.seconds()
    }

    /// In milliseconds, by nearest rank; 0 when nothing was answered.
    fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.latencies_us.len() as f64).ceil() as usize;
        let microseconds = self.latencies_us.get(rank.saturating_sub(1)).copied().unwrap_or(0);
        f64::from(microseconds) / 1000.0
    }
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Tally;
    use std::time::Duration;

    fn report(latencies_us: Vec<u32>, status: u16) -> Report {
        let statuses = [(status, latencies_us.len() as u64)].into();
        let tally = Tally { latencies_us, statuses, ..Tally::default() };
        Report::new(Measured { tally, elapsed: Duration::from_secs(2), warmup_events: 0 }, 2000)
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let report = report((1..=100).rev().map(|ms| ms * 1000).collect(), 200);
        let line = report.json(&Options::default());
        assert_eq!(
            (&line["p50_ms"], &line["p99_ms"], &line["max_ms"]),
            (&json!(50.0), &json!(99.0), &json!(100.0))
        );
        assert_eq!(line["rate"], 50.0);
        assert!(!report.has_errors());
    }

    #[test]
    fn anything_but_2xx_is_an_error() {
        assert!(report(vec![1], 503).has_errors());
        assert!(!report(vec![], 202).has_errors());
    }
}
