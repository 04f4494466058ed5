//! A user as the provider showed it at one moment.
//!
//! The provider's module reads a payload into a [`Profile`]; [`Snapshot::new`] derives the rest
//! (name, effective role and plan, digest), so that the rules hold for every provider.

use super::entitlements::AllowedValues;
use super::time::Timestamp;
use super::version::{Digest, Version};
use sha2::{Digest as _, Sha256};
use strum::IntoStaticStr;

/// Whether the provider lets the user sign in. A deleted user has no snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Status {
    Active,
    /// Kept out by the provider's operator or the customer's directory.
    Banned,
    /// Kept out for a while after failed attempts; existing sessions stay valid.
    Locked,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// In milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The mapped and cleaned fields of a payload; no string is blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The id that the application gave the provider.
    pub source_external_id: Option<String>,
    pub email: Option<String>,
    /// Whether this address was verified.
    pub email_verified: bool,
    /// As the provider writes it, in E.164.
    pub phone: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    /// Set by the provider even where no picture was uploaded.
    pub image_url: Option<String>,
    /// The id that write-back, or another service, put into the public metadata; part of
    /// `public_metadata`, hence of the digest.
    pub source_id: Option<String>,
    pub source_role: Option<String>,
    pub source_plan: Option<String>,
    /// Compact JSON, an object.
    pub public_metadata: String,
    pub status: Status,
    /// Where the provider gives an end.
    pub locked_until: Option<Timestamp>,
    pub source_created_at: Option<Timestamp>,
}

impl Profile {
    /// The profile of a user of whom only the id is known.
    pub fn unknown() -> Self {
        Self {
            source_external_id: None,
            email: None,
            email_verified: false,
            phone: None,
            username: None,
            first_name: None,
            last_name: None,
            image_url: None,
            source_id: None,
            source_role: None,
            source_plan: None,
            public_metadata: "{}".to_owned(),
            status: Status::Active,
            locked_until: None,
            source_created_at: None,
        }
    }

    /// Both names, else the one there is, else the user name, else `User`.
    pub fn name(&self) -> String {
        match (&self.first_name, &self.last_name) {
            (Some(first), Some(last)) => format!("{first} {last}"),
            (Some(name), None) | (None, Some(name)) => name.clone(),
            (None, None) => self.username.clone().unwrap_or_else(|| "User".to_owned()),
        }
    }

    /// SHA-256 over every column mapped from the payload in a fixed order: a zero byte for an
    /// absent one, else a one, its length and its bytes, so that no two profiles collide.
    /// `locked_until` is left out: a fetch computes it anew each time.
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        let mut column = |value: Option<&[u8]>| match value {
            None => hash.update([0]),
            Some(bytes) => {
                hash.update([1]);
                hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
                hash.update(bytes);
            }
        };
        let created = self.source_created_at.map(|at| at.as_millis().to_le_bytes());
        for text in [
            self.source_external_id.as_deref(),
            self.email.as_deref(),
            self.phone.as_deref(),
            self.username.as_deref(),
            self.first_name.as_deref(),
            self.last_name.as_deref(),
            self.image_url.as_deref(),
            self.source_role.as_deref(),
            self.source_plan.as_deref(),
            Some(self.public_metadata.as_str()),
            Some(self.status.as_str()),
        ] {
            column(text.map(str::as_bytes));
        }
        column(Some(&[u8::from(self.email_verified)]));
        column(created.as_ref().map(<[u8; 8]>::as_slice));
        hash.finalize().into()
    }
}

/// A user at one moment, ready to be compared and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub external_id: String,
    pub version: Version,
    pub profile: Profile,
    pub name: String,
    /// The effective role, unless it is overridden.
    pub role: String,
    /// The effective plan, unless it is overridden.
    pub plan: String,
    /// Merged by maximum, outside the version.
    pub last_sign_in_at: Option<Timestamp>,
    /// When the request was sent; `None` for an event or an import.
    pub fetched_at: Option<Timestamp>,
    /// The id in the provider's metadata, where write-back would send nothing to a row of this id.
    pub acknowledged_id: Option<String>,
}

/// Where a snapshot came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Event,
    Fetch,
    Import,
}

#[derive(Clone, Copy, Debug)]
pub struct SnapshotTimes {
    pub updated_at: Option<Timestamp>,
    /// The envelope's timestamp of an event; when a fetch was sent.
    pub seen_at: Option<Timestamp>,
    pub last_sign_in_at: Option<Timestamp>,
}

/// The roles and plans that configuration knows.
#[derive(Clone, Debug)]
pub struct Entitlements {
    pub roles: AllowedValues,
    pub plans: AllowedValues,
}

impl Snapshot {
    pub fn new(
        external_id: String,
        profile: Profile,
        origin: Origin,
        times: SnapshotTimes,
        entitlements: &Entitlements,
    ) -> Self {
        let millis = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_millis);
        let seen_at = millis(times.seen_at);
        let updated_at = believed_update(millis(times.updated_at), seen_at);
        let digest = profile.digest();
        let (version, fetched_at) = match origin {
            Origin::Event => (Version::of_event(updated_at, seen_at, digest), None),
            Origin::Fetch => (Version::of_fetch(updated_at, seen_at, digest), times.seen_at),
            Origin::Import => (Version::IMPORTED, None),
        };
        let role_is_known =
            profile.source_role.as_deref().is_some_and(|word| entitlements.roles.knows(word));
        Self {
            external_id,
            version,
            name: profile.name(),
            role: entitlements.roles.effective(profile.source_role.as_deref()),
            plan: entitlements.plans.effective(profile.source_plan.as_deref()),
            last_sign_in_at: times.last_sign_in_at,
            fetched_at,
            acknowledged_id: profile.source_id.clone().filter(|_| role_is_known),
            profile,
        }
    }
}

/// A change cannot be seen before it was made. A provider that dates a user ahead is believed by a
/// day, or the row would stand still until that time has come.
fn believed_update(updated_at_ms: i64, seen_at_ms: i64) -> i64 {
    if seen_at_ms == 0 { updated_at_ms } else { updated_at_ms.min(latest_update(seen_at_ms)) }
}

/// In milliseconds.
pub(super) fn latest_update(seen_at_ms: i64) -> i64 {
    seen_at_ms.saturating_add(DAY_MS)
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, Profile, believed_update};

    #[test]
    fn trap_14_absent_names_never_become_words_or_stray_spaces() {
        let text = |word: &str| Some(word.to_owned());
        let named = |first, last, username| Profile {
            first_name: first,
            last_name: last,
            username,
            ..Profile::unknown()
        };
        assert_eq!(named(text("Ada"), text("Lovelace"), None).name(), "Ada Lovelace");
        assert_eq!(named(text("Ada"), None, text("ada")).name(), "Ada");
        assert_eq!(named(None, text("Lovelace"), text("ada")).name(), "Lovelace");
        assert_eq!(named(None, None, text("ada")).name(), "ada");
        assert_eq!(Profile::unknown().name(), "User");
    }

    #[test]
    fn a_user_who_is_dated_ahead_is_believed_by_a_day() {
        let cases = [(5, 9, 5), (9 + DAY_MS, 9, 9 + DAY_MS), (i64::MAX, 9, 9 + DAY_MS), (7, 0, 7)];
        for (updated_at, seen_at, believed) in cases {
            assert_eq!(believed_update(updated_at, seen_at), believed);
        }
    }

    #[test]
    fn a_value_that_moves_to_the_next_column_changes_the_digest() {
        let first = Profile { first_name: Some("Ada".into()), ..Profile::unknown() };
        let last = Profile { last_name: Some("Ada".into()), ..Profile::unknown() };
        assert_ne!(first.digest(), last.digest());
        assert_eq!(first.digest(), first.clone().digest());
    }
}
