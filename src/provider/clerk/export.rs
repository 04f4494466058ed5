//! Clerk's files: the dashboard's table of users, and users as the Backend API writes them.
//!
//! Called by the import in `sync`. Pure: a record comes in, a snapshot of the lowest version goes
//! out, and an error names places, never values. The table holds password digests and TOTP secrets,
//! and the JSON private metadata: neither is among the columns and fields that are read.

use super::payload::{self, PayloadError, UserPayload};
use super::{Clerk, profile};
use crate::domain::text::{LONGEST_ID_BYTES, clean};
use crate::domain::{Origin, Profile, QuarantineReason, Snapshot, SnapshotTimes};
use serde_json::value::RawValue;

const PREFIX: &str = "user_";

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error("it is no JSON object")]
    NoObject,
    #[error("the user has no id")]
    NoId,
    #[error("the user's id is not one of the provider's, `user_…`")]
    ForeignId,
    #[error("an id is longer than 255 bytes, or holds blanks or control characters")]
    UnusableId,
    #[error("{0} has a value of the wrong type")]
    WrongType(String),
    #[error("{0} is a time out of range")]
    OutOfRange(String),
}

impl Clerk {
    /// The header of the dashboard's table, for an error about a file without it.
    pub const EXPORT_HEADER: &str = "id,first_name,last_name,username,primary_email_address,\
        primary_phone_number,verified_email_addresses,unverified_email_addresses,\
        verified_phone_numbers,unverified_phone_numbers,totp_secret,password_digest,password_hasher";

    /// The columns that are read. An unverified address is of use only as the primary one, which has
    /// a column of its own.
    pub const EXPORT_COLUMNS: [&str; 8] = [
        "id",
        "first_name",
        "last_name",
        "username",
        "primary_email_address",
        "primary_phone_number",
        "verified_email_addresses",
        "verified_phone_numbers",
    ];

    /// The columns that tell the table from others that have ids.
    pub const REQUIRED_COLUMNS: [&str; 2] = ["id", "primary_email_address"];

    /// Reads a row: its cells as in [`Self::EXPORT_COLUMNS`], `None` for a missing column.
    pub fn of_row(&self, cells: Vec<Option<String>>) -> Result<Snapshot, ExportError> {
        let mut cells = cells.into_iter().map(clean);
        let mut cell = || cells.next().flatten();
        let id = identifier(cell().as_deref())?;
        let (first_name, last_name, username) = (cell(), cell(), cell());
        let (email, phone) = (cell(), cell());
        let (email, email_verified) = contact(email, cell().as_deref());
        let (phone, _) = contact(phone, cell().as_deref());
        let known = Profile {
            email,
            email_verified,
            phone,
            username,
            first_name,
            last_name,
            ..Profile::unknown()
        };
        Ok(self.imported(id, known))
    }

    pub fn of_object(&self, json: &[u8]) -> Result<Snapshot, ExportError> {
        let raw: &RawValue = serde_json::from_slice(json).map_err(|_| ExportError::NoObject)?;
        let user: UserPayload<'_> = payload::whole(raw)?;
        let id = identifier(user.id.as_deref())?;
        // In an event it is text, and cleaned; here it may become an id, which must not change.
        if user.external_id.as_ref().is_some_and(|id| id.contains('\0')) {
            return Err(ExportError::UnusableId);
        }
        let last_sign_in_at = payload::instant(user.last_sign_in_at, "data.last_sign_in_at")?;
        // A lock's end is given from the moment of writing, which is unknown.
        let known = profile::map(user, None, &self.names)?;
        Ok(Snapshot { last_sign_in_at, ..self.imported(id, known) })
    }

    /// The user of which only the provider's id is known.
    pub fn of_id(&self, external_id: &str) -> Result<Snapshot, ExportError> {
        Ok(self.imported(identifier(Some(external_id))?, Profile::unknown()))
    }

    fn imported(&self, external_id: String, profile: Profile) -> Snapshot {
        let never = SnapshotTimes { updated_at: None, seen_at: None, last_sign_in_at: None };
        Snapshot::new(external_id, profile, Origin::Import, never, &self.entitlements)
    }
}

/// An id as Clerk makes them: any other, from a wrong column, would match no snapshot ever.
fn identifier(id: Option<&str>) -> Result<String, ExportError> {
    let id = id.map(str::trim).filter(|id| !id.is_empty()).ok_or(ExportError::NoId)?;
    let blank = |character: char| character.is_control() || character.is_whitespace();
    match id.strip_prefix(PREFIX) {
        None | Some("") => Err(ExportError::ForeignId),
        Some(_) if id.len() > LONGEST_ID_BYTES || id.contains(blank) => {
            Err(ExportError::UnusableId)
        }
        Some(_) => Ok(id.to_owned()),
    }
}

/// The primary address or number, and whether it is among the verified ones; without a primary
/// one, the first that is verified (trap 12).
fn contact(primary: Option<String>, verified: Option<&str>) -> (Option<String>, bool) {
    let list = verified.unwrap_or_default().split([',', '|']).map(str::trim);
    let mut verified = list.filter(|item| !item.is_empty());
    if let Some(primary) = primary {
        let is_verified = verified.any(|item| item.to_lowercase() == primary.to_lowercase());
        return (Some(primary), is_verified);
    }
    let first = verified.next().map(str::to_owned);
    let is_verified = first.is_some();
    (first, is_verified)
}

impl From<PayloadError> for ExportError {
    fn from(fault: PayloadError) -> Self {
        // The paths are those of an event, whose `data` is the user.
        let path = fault.path.unwrap_or_default();
        let place = path.strip_prefix("data.").map(str::to_owned);
        match (fault.reason, place) {
            (QuarantineReason::MissingField, _) => Self::NoId,
            (QuarantineReason::OutOfRange, Some(place)) => Self::OutOfRange(place),
            (_, Some(place)) => Self::WrongType(place),
            (_, None) => Self::NoObject,
        }
    }
}
