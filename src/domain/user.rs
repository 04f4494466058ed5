//! A user as the provider showed it at one moment.
//!
//! The provider's folder reads a payload into a [`Profile`]; [`Snapshot::new`] derives the
//! rest (name, effective role and plan, digest) so that the rules hold for every provider.

use super::entitlements::AllowedValues;
use super::time::UnixMillis;
use super::version::{Digest, Version};
use sha2::{Digest as _, Sha256};
use strum::IntoStaticStr;

/// Whether the provider lets the user in. A deleted user is no snapshot, so it is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Status {
    /// May sign in.
    Active,
    /// Kept out by an operator or by the customer's directory.
    Banned,
    /// Kept out for a while after failed attempts; existing sessions stay valid.
    Locked,
}

impl Status {
    /// The word that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// What a payload says, already cleaned; every string is non-blank where it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The provider's field for an id that the application chose.
    pub source_external_id: Option<String>,
    /// Address that the user is reached at.
    pub email: Option<String>,
    /// Whether that very address was verified.
    pub email_verified: bool,
    /// E.164 number.
    pub phone: Option<String>,
    /// Sign-in name.
    pub username: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// Avatar address; set by the provider even where no picture was uploaded.
    pub image_url: Option<String>,
    /// The id in the public metadata that we, or another service, wrote there. It stands in
    /// `public_metadata` too, hence in the digest.
    pub source_id: Option<String>,
    /// The role word in the public metadata.
    pub source_role: Option<String>,
    /// The plan word in the public metadata.
    pub source_plan: Option<String>,
    /// The public metadata as compact JSON, an object.
    pub public_metadata: String,
    /// Whether the user may sign in.
    pub status: Status,
    /// Until when a locked user stays locked, where the provider said.
    pub locked_until: Option<UnixMillis>,
    /// When the provider created the user.
    pub source_created_at: Option<UnixMillis>,
}

impl Profile {
    /// What is known of a user of whom nothing but the id is.
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

    /// What to call the user: both names, else the one there is, else the user name.
    pub fn name(&self) -> String {
        match (&self.first_name, &self.last_name) {
            (Some(first), Some(last)) => format!("{first} {last}"),
            (Some(name), None) | (None, Some(name)) => name.clone(),
            (None, None) => self.username.clone().unwrap_or_else(|| "User".to_owned()),
        }
    }

    /// SHA-256 over every column mapped from the payload in a fixed order: a zero byte
    /// for an absent one, else a one, its length and its bytes, so that no two profiles
    /// read alike. `locked_until` is left out: a fetch computes it anew each time.
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
        let created = self.source_created_at.map(|at| at.get().to_le_bytes());
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

/// One user at one moment, ready to be compared and stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The provider's id of the user.
    pub external_id: String,
    /// Where this snapshot stands among all snapshots of the user.
    pub version: Version,
    /// The mapped columns.
    pub profile: Profile,
    /// `profile.name()`, derived once.
    pub name: String,
    /// The effective role unless an operator chose one here.
    pub role: String,
    /// The effective plan unless an operator chose one here.
    pub plan: String,
    /// When the user last signed in: merged by maximum, outside the version.
    pub last_sign_in_at: Option<UnixMillis>,
    /// When it was asked for; `None` for one that came by itself.
    pub fetched_at: Option<UnixMillis>,
    /// The id that the provider's metadata holds for us, where nothing else is to be written
    /// back either: a row of this very id needs no look.
    pub acknowledged_id: Option<String>,
}

/// How a snapshot was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A webhook event carried it.
    Event,
    /// We asked for it.
    Fetch,
    /// A file holds it.
    Import,
}

/// When a snapshot was taken.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotTimes {
    /// The user's own `updated_at`.
    pub updated_at: Option<UnixMillis>,
    /// Of an event its envelope's timestamp, of a fetch the instant of sending.
    pub seen_at: Option<UnixMillis>,
    /// When the user last signed in.
    pub last_sign_in_at: Option<UnixMillis>,
}

/// The words that an application knows: which roles, which plans, and which is the default.
#[derive(Clone, Debug)]
pub struct Entitlements {
    /// Roles.
    pub roles: AllowedValues,
    /// Plans.
    pub plans: AllowedValues,
}

impl Snapshot {
    /// The snapshot of a profile, by `origin`, at the times `taken`.
    pub fn new(
        external_id: String,
        profile: Profile,
        origin: Origin,
        times: SnapshotTimes,
        entitlements: &Entitlements,
    ) -> Self {
        let millis = |at: Option<UnixMillis>| at.map_or(0, UnixMillis::get);
        let (updated_at, seen_at) = (millis(times.updated_at), millis(times.seen_at));
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

#[cfg(test)]
mod tests {
    use super::Profile;

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
    fn a_value_that_moves_to_the_next_column_changes_the_digest() {
        let first = Profile { first_name: Some("Ada".into()), ..Profile::unknown() };
        let last = Profile { last_name: Some("Ada".into()), ..Profile::unknown() };
        assert_ne!(first.digest(), last.digest());
        assert_eq!(first.digest(), first.clone().digest());
    }
}
