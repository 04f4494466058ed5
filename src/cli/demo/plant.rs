//! One discrepancy made on purpose, so that a demo can be seen to fail.
//!
//! Called by `demo --plant` before the comparison. The row is changed by an event that is signed
//! like the provider's and that the provider never wrote.

use super::super::Failure;
use super::stage::Stage;
use jiff::Timestamp;
use serde_json::{Value, json};
use usersync::webhook::SigningSecret;

/// Gives the oldest live user a name in the table alone.
pub(super) async fn change_a_row(stage: &Stage) -> Result<(), Failure> {
    let keys = stage.emulator.credentials();
    let none = || Failure::Message("there is no live user whose row could be changed".into());
    let mut user = stage.emulator.users().into_iter().next().ok_or_else(none)?;
    let updated_at = user.get("updated_at").and_then(Value::as_i64).unwrap_or(0) + 1;
    if let Some(fields) = user.as_object_mut() {
        fields.insert("first_name".into(), "Planted".into());
        fields.insert("updated_at".into(), updated_at.into());
    }
    let now = now();
    let event = json!({
        "type": "user.updated", "object": "event", "data": user,
        "instance_id": keys.instance_id, "timestamp": now.as_millisecond(),
    });
    let told =
        |error: usersync::webhook::secret::InvalidSecret| Failure::Message(error.to_string());
    let secret = SigningSecret::parse(&keys.webhook_secret).map_err(told)?;
    let (body, timestamp) = (event.to_string(), now.as_second().to_string());
    let signature = secret.signature("msg_planted", &timestamp, body.as_bytes());
    let headers = ["msg_planted", timestamp.as_str(), signature.as_str()];
    let status = stage.caller.deliver(headers, body).await?;
    if status.is_success() {
        return Ok(());
    }
    Err(Failure::Message(format!("the planted event was answered with status {status}")))
}

#[expect(clippy::disallowed_methods, reason = "the command line is an edge: it signs now")]
fn now() -> Timestamp {
    Timestamp::now()
}
