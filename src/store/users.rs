//! Reads users for `/v1/users`, sessions and resyncs. Writes nothing.

use super::connection::{AnyConnection, both};
use super::error::StoreError;
use super::schema::users;
use super::types::Json;
use crate::domain::{Timestamp, Version};
use diesel::dsl::case_when;
use diesel::prelude::*;
use serde::{Serialize, Serializer};

/// A user as `GET /v1/users` shows it.
#[derive(Debug, Clone, Queryable, Selectable, Serialize)]
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
    #[diesel(select_expression = source_updated_at())]
    #[serde(serialize_with = "instant")]
    source_updated_at: Option<i64>,
    created_at: Timestamp,
    updated_at: Timestamp,
    synced_at: Timestamp,
    deleted_at: Option<Timestamp>,
    #[serde(skip)]
    deletion_kind: Option<String>,
    #[serde(skip)]
    version_kind: i16,
}

/// The provider's `updated_at` in milliseconds; a deletion has none, and 0 is unknown.
#[diesel::dsl::auto_type]
fn source_updated_at() -> _ {
    let is_known = users::version_updated_at.ne(0_i64).and(users::deletion_kind.is_null());
    case_when(is_known, users::version_updated_at)
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn instant<S: Serializer>(millis: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    millis.and_then(Timestamp::from_millis).serialize(serializer)
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

/// External ids of live users that `$filter` lets through: so many of the newest, then so many of
/// the oldest. The newest may be gone together, after a test run for example.
macro_rules! newest_and_oldest {
    ($connection:expr, $source:expr, $filter:expr, $newest:expr, $oldest:expr) => {
        both!($connection, |inner| {
            let live = |others: &[String]| {
                let of_source =
                    users::table.filter(users::source.eq($source)).filter($filter.clone());
                let live = of_source.filter(users::status.ne("deleted"));
                live.filter(users::external_id.ne_all(others.to_vec())).select(users::external_id)
            };
            let mut ids: Vec<String> =
                live(&[]).order(users::id.desc()).limit($newest).load(inner)?;
            let oldest = live(&ids).order(users::id.asc()).limit($oldest).load::<String>(inner)?;
            ids.extend(oldest);
            ids
        })
    };
}
pub(super) use newest_and_oldest;
