//! Reads users for `/v1/users`, sessions and resyncs. Writes nothing.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::users;
use super::types::Json;
use crate::domain::{Timestamp, Version};
use diesel::prelude::*;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

/// A user as `GET /v1/users` shows it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct UserRecord {
    id: String,
    source: String,
    external_id: String,
    source_external_id: Option<String>,
    pub(crate) email: Option<String>,
    email_verified: bool,
    phone: Option<String>,
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) image_url: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) plan: Option<String>,
    public_metadata: Json,
    status: String,
    last_sign_in_at: Option<Timestamp>,
    source_created_at: Option<Timestamp>,
    version_updated_at: i64,
    version_kind: i16,
    created_at: Timestamp,
    updated_at: Timestamp,
    synced_at: Timestamp,
    deleted_at: Option<Timestamp>,
    deletion_kind: Option<String>,
}

impl UserRecord {
    /// The row's id: the last one of a page is the cursor of the next.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn external_id(&self) -> &str {
        &self.external_id
    }

    /// `active`, `banned`, `locked` or `deleted`.
    pub fn status(&self) -> &str {
        &self.status
    }

    /// `signed` or `absent`, where the user is deleted.
    pub fn deletion_kind(&self) -> Option<&str> {
        self.deletion_kind.as_deref()
    }

    /// Whether a file is all that is known of the user.
    pub fn is_imported(&self) -> bool {
        self.version_kind == Version::IMPORTED.kind
    }

    /// The provider's `updated_at`; a deletion has none, and 0 is unknown.
    fn source_updated_at(&self) -> Option<Timestamp> {
        let known = self.version_updated_at != 0 && self.deletion_kind.is_none();
        known.then(|| Timestamp::from_millis(self.version_updated_at)).flatten()
    }
}

/// In the order in which they are shown.
pub const USER_FIELDS: [&str; 23] = [
    "id",
    "source",
    "external_id",
    "source_external_id",
    "email",
    "email_verified",
    "phone",
    "username",
    "first_name",
    "last_name",
    "name",
    "image_url",
    "role",
    "plan",
    "public_metadata",
    "status",
    "last_sign_in_at",
    "source_created_at",
    "source_updated_at",
    "created_at",
    "updated_at",
    "synced_at",
    "deleted_at",
];

impl Serialize for UserRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let metadata: Box<serde_json::value::RawValue> =
            serde_json::value::RawValue::from_string(self.public_metadata.0.clone())
                .map_err(S::Error::custom)?;
        let mut user = serializer.serialize_struct("user", 23)?;
        user.serialize_field("id", &self.id)?;
        user.serialize_field("source", &self.source)?;
        user.serialize_field("external_id", &self.external_id)?;
        user.serialize_field("source_external_id", &self.source_external_id)?;
        user.serialize_field("email", &self.email)?;
        user.serialize_field("email_verified", &self.email_verified)?;
        user.serialize_field("phone", &self.phone)?;
        user.serialize_field("username", &self.username)?;
        user.serialize_field("first_name", &self.first_name)?;
        user.serialize_field("last_name", &self.last_name)?;
        user.serialize_field("name", &self.name)?;
        user.serialize_field("image_url", &self.image_url)?;
        user.serialize_field("role", &self.role)?;
        user.serialize_field("plan", &self.plan)?;
        user.serialize_field("public_metadata", &metadata)?;
        user.serialize_field("status", &self.status)?;
        user.serialize_field("last_sign_in_at", &self.last_sign_in_at)?;
        user.serialize_field("source_created_at", &self.source_created_at)?;
        user.serialize_field("source_updated_at", &self.source_updated_at())?;
        user.serialize_field("created_at", &self.created_at)?;
        user.serialize_field("updated_at", &self.updated_at)?;
        user.serialize_field("synced_at", &self.synced_at)?;
        user.serialize_field("deleted_at", &self.deleted_at)?;
        user.end()
    }
}

/// Which users a list shows. Every filter that is set must match.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    pub role: Option<String>,
    pub plan: Option<String>,
    /// Without it, every live user.
    pub status: Option<String>,
    pub email_lower: Option<String>,
}

/// The user of the row's id, or else of the provider's.
pub(super) fn find(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<UserRecord>, StoreError> {
    let ours = both!(connection, |inner| users::table
        .find(id)
        .select(UserRecord::as_select())
        .first(inner)
        .optional())?;
    if ours.is_some() {
        return Ok(ours);
    }
    Ok(both!(connection, |inner| users::table
        .filter(users::external_id.eq(id))
        .order(users::id)
        .select(UserRecord::as_select())
        .first(inner)
        .optional())?)
}

pub(super) fn find_external(
    connection: &mut AnyConnection,
    source: &str,
    external_id: &str,
) -> Result<Option<UserRecord>, StoreError> {
    Ok(both!(connection, |inner| users::table
        .filter(users::external_id.eq(external_id).and(users::source.eq(source)))
        .select(UserRecord::as_select())
        .first(inner)
        .optional())?)
}

/// Up to `limit` users after the id `after`, in the order of ids.
pub(super) fn list(
    connection: &mut AnyConnection,
    filter: &UserFilter,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<UserRecord>, StoreError> {
    let page = both!(connection, |inner| {
        let mut query = users::table.select(UserRecord::as_select()).into_boxed();
        query = match &filter.status {
            Some(status) => query.filter(users::status.eq(status)),
            None => query.filter(users::status.ne("deleted")),
        };
        if let Some(role) = &filter.role {
            query = query.filter(users::role.eq(role));
        }
        if let Some(plan) = &filter.plan {
            query = query.filter(users::plan.eq(plan));
        }
        if let Some(email) = &filter.email_lower {
            query = query.filter(users::email_lower.eq(email));
        }
        if let Some(after) = after {
            query = query.filter(users::id.gt(after));
        }
        query.order(users::id).limit(limit).load(inner)
    })?;
    Ok(page)
}

/// The status is a literal, because PostgreSQL considers the index of live rows only for it.
pub(super) fn count_live(connection: &mut AnyConnection, source: &str) -> Result<i64, StoreError> {
    Ok(both!(connection, |inner| users::table
        .filter(users::source.eq(source))
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("status <> 'deleted'"))
        .count()
        .get_result(inner))?)
}
