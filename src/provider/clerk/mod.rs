//! Clerk: its events become changes of users.
//!
//! [`Clerk::parse`] is called by the webhook handler and by a replay, and decides by the `type` of an
//! event before it looks at the shape. Pure but for [`api`] and the keys of [`session`].

pub mod api;
mod export;
mod payload;
mod profile;
pub mod redaction;
pub mod session;
pub mod test_keys;

use super::{Event, EventEffect};
use crate::domain::{
    Change, Entitlements, IgnoreReason, MetadataNames, Origin, QuarantineReason, Snapshot,
    SnapshotTimes, Timestamp, text,
};
use crate::webhook::Verified;
pub use export::ExportError;
use payload::{DeletedPayload, Envelope, PayloadError, UserPayload};

/// How Clerk's users are read: what configuration says of instances, roles, plans and metadata.
#[derive(Clone, Debug)]
pub struct Clerk {
    /// Instances whose events are accepted; empty accepts all.
    pub instances: Vec<String>,
    pub entitlements: Entitlements,
    pub names: MetadataNames,
}

/// The longest event type that is recorded; longer ones are cut.
const LONGEST_TYPE_CHARACTERS: usize = 100;

const NOT_OURS: EventEffect = EventEffect::Ignored(IgnoreReason::EventType);

impl Clerk {
    /// The name under which rows of this provider are stored.
    pub const SOURCE: &str = "clerk";

    /// Reads a verified delivery: [`EventEffect::Malformed`] where that is impossible,
    /// [`EventEffect::Ignored`] where it is not about users.
    pub fn parse(&self, delivery: &Verified) -> Event {
        let mut event =
            Event { event_type: String::new(), sent_at: None, instance: None, effect: NOT_OURS };
        event.effect = self
            .read(delivery.body(), &mut event)
            .unwrap_or_else(|fault| EventEffect::Malformed(fault.reason, fault.path));
        event
    }

    /// Sets the fields of `event` as soon as each is known, so that an error keeps those before it,
    /// and returns the effect.
    fn read(&self, body: &[u8], event: &mut Event) -> Result<EventEffect, PayloadError> {
        let envelope = Envelope::read(body)?;
        let event_type = envelope.event_type()?;
        event.event_type =
            text::without_nul(event_type.chars().take(LONGEST_TYPE_CHARACTERS).collect());
        if !matches!(event_type.as_str(), "user.created" | "user.updated" | "user.deleted") {
            return Ok(NOT_OURS);
        }
        event.instance = envelope.instance()?;
        let foreign = |instance: &String| !self.instances.contains(instance);
        if !self.instances.is_empty() && event.instance.as_ref().is_some_and(foreign) {
            return Ok(EventEffect::Ignored(IgnoreReason::WrongInstance));
        }
        event.sent_at = envelope.timestamp()?;
        let change = if event_type == "user.deleted" {
            let payload: DeletedPayload = envelope.data()?;
            Change::Deletion { external_id: identifier(payload.id)? }
        } else {
            let snapshot = self.snapshot(envelope.data()?, Origin::Event, event.sent_at)?;
            Change::Snapshot(Box::new(snapshot))
        };
        Ok(EventEffect::Change(change))
    }

    fn snapshot(
        &self,
        mut payload: UserPayload<'_>,
        origin: Origin,
        seen_at: Option<Timestamp>,
    ) -> Result<Snapshot, PayloadError> {
        let external_id = identifier(payload.id.take())?;
        let times = SnapshotTimes {
            updated_at: payload::instant(payload.updated_at, "data.updated_at")?,
            last_sign_in_at: payload::instant(payload.last_sign_in_at, "data.last_sign_in_at")?,
            seen_at,
        };
        let profile = profile::map(payload, seen_at, &self.names)?;
        Ok(Snapshot::new(external_id, profile, origin, times, &self.entitlements))
    }
}

fn identifier(id: Option<String>) -> Result<String, PayloadError> {
    let at = |reason| move || PayloadError::at(reason, "data.id");
    let id = text::clean(id).ok_or_else(at(QuarantineReason::MissingField))?;
    text::external_id(id).ok_or_else(at(QuarantineReason::OutOfRange))
}

#[cfg(test)]
mod tests;
