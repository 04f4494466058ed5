//! Healing: what was dropped is fetched, as an operator would have it done.
//!
//! Called by `demo` when everything that was not dropped has arrived. Every id that the provider
//! ever issued is resynced, a hundred at a time, and again where its API failed. Users whom the
//! brake on deletions holds back are left to the provider's dashboard: it replays what was lost.

use super::super::Failure;
use super::caller::unexpected;
use super::progress::Phase;
use super::stage::Stage;
use futures_util::StreamExt as _;
use reqwest::StatusCode;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// How many users one request may name.
const GROUP: usize = 100;

/// How many requests are made at once.
const GROUPS_AT_ONCE: usize = 4;

/// How long to wait before those are asked for again who could not be fetched.
const PAUSE: Duration = Duration::from_millis(300);

/// How many times in a row nobody at all may be fetched.
const MOST_VAIN_ROUNDS: u32 = 60;

/// What healing came to, in users.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Healed {
    /// Whose row was made.
    pub(super) created: usize,
    /// Whose row was changed.
    pub(super) updated: usize,
    /// Whose row was emptied.
    pub(super) emptied: usize,
    /// Who were asked for again, because the provider's API failed.
    pub(super) asked_again: usize,
    /// Who are gone, but more of them than the brake lets go in a day.
    pub(super) held_back: usize,
    /// Events that the provider was asked to send after all, for those held back.
    pub(super) redelivered: usize,
}

pub(super) async fn heal(stage: &Stage, phase: &Phase) -> Result<Healed, Failure> {
    let mut healed = Healed::default();
    let (mut wanted, mut vain) = (stage.emulator.issued_ids(), 0);
    loop {
        let again = round(stage, &wanted, phase, &mut healed).await?;
        if again.is_empty() {
            break;
        }
        vain = if again.len() < wanted.len() { 0 } else { vain + 1 };
        if vain > MOST_VAIN_ROUNDS {
            let users = again.len();
            return Err(Failure::Told(format!("{users} users could not be fetched")));
        }
        healed.asked_again += again.len();
        wanted = again;
        tokio::time::sleep(PAUSE).await;
    }
    if healed.held_back > 0 {
        healed.redelivered = stage.emulator.redeliver_dropped();
    }
    Ok(healed)
}

/// Resyncs users, and returns those who could not be fetched.
async fn round(
    stage: &Stage,
    wanted: &[String],
    phase: &Phase,
    healed: &mut Healed,
) -> Result<Vec<String>, Failure> {
    let mut again = Vec::new();
    let groups = futures_util::stream::iter(wanted.chunks(GROUP).map(<[String]>::to_vec));
    let mut answers = groups
        .map(|group| async {
            let answer = stage.caller.resync(&group).await;
            (group, answer)
        })
        .buffer_unordered(GROUPS_AT_ONCE);
    while let Some((group, answer)) = answers.next().await {
        let (status, body) = answer?;
        let Some(users) = body.get("data").and_then(Value::as_array) else {
            if status == StatusCode::SERVICE_UNAVAILABLE {
                again.extend(group);
                continue;
            }
            return Err(unexpected("POST /v1/reconcile", status, &body));
        };
        for user in users {
            let text = |key: &str| user.get(key).and_then(Value::as_str).unwrap_or_default();
            if text("outcome") == "failed" {
                again.push(text("external_id").to_owned());
            } else {
                healed.note(text("outcome"));
                phase.step();
            }
        }
    }
    Ok(again)
}

impl Healed {
    fn note(&mut self, outcome: &str) {
        match outcome {
            "created" => self.created += 1,
            "updated" => self.updated += 1,
            "absent" => self.emptied += 1,
            "held_back" => self.held_back += 1,
            _ => {}
        }
    }
}
