//! The columns of a merged change, and arrays of users and deliveries. Bound by the statements of
//! both engines.

use super::{Batch, DeliveryResult, Disposition, UserWrite};
use crate::domain::{Change, IgnoreReason, Timestamp, Version};
use crate::store::types::{JsonColumn, JsonText, UtcColumn};
use diesel::QueryResult;
use diesel::pg::Pg;
use diesel::query_builder::AstPass;
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, SmallInt, Text};
use diesel::sqlite::Sqlite;

/// The id that the provider holds for each user where write-back would send nothing.
pub(super) fn acknowledged_ids<'a>(users: &'a [UserWrite<'a>]) -> Vec<Option<&'a str>> {
    users.iter().map(UserWrite::acknowledged_id).collect()
}

/// Declares the columns once: as the fields of a row, which SQLite binds one by one, and as one
/// array each, as PostgreSQL's `unnest` takes many rows.
macro_rules! columns {
    ($($column:ident: $value:ty => $sql:ty),+ $(,)?) => {
        /// The columns of an upsert, in the order of `sql::row_columns`.
        pub(super) struct Row<'a> {
            $(pub(super) $column: $value,)+
        }

        /// One array a column.
        pub(super) struct Rows<'a> {
            $(pub(super) $column: Vec<$value>,)+
        }

        impl<'a> Rows<'a> {
            pub(super) fn new(users: &'a [UserWrite<'a>]) -> Self {
                let mut rows = Self { $($column: Vec::with_capacity(users.len()),)+ };
                for row in users.iter().map(Row::new) {
                    $(rows.$column.push(row.$column);)+
                }
                rows
            }

            /// Pushes parameters, separated by commas.
            pub(super) fn bind<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
                let mut comma = "";
                $(
                    out.push_sql(std::mem::replace(&mut comma, ", "));
                    out.push_bind_param::<Array<$sql>, _>(&self.$column)?;
                )+
                Ok(())
            }
        }

        impl Row<'_> {
            /// Pushes parameters, separated by commas.
            pub(super) fn bind<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
                let mut comma = "";
                $(
                    out.push_sql(std::mem::replace(&mut comma, ", "));
                    out.push_bind_param::<$sql, _>(&self.$column)?;
                )+
                Ok(())
            }
        }
    };
}

columns! {
    id: &'a str => Text,
    external_id: &'a str => Text,
    source_external_id: Option<&'a str> => Nullable<Text>,
    email: Option<&'a str> => Nullable<Text>,
    email_lower: Option<String> => Nullable<Text>,
    email_verified: bool => Bool,
    phone: Option<&'a str> => Nullable<Text>,
    username: Option<&'a str> => Nullable<Text>,
    first_name: Option<&'a str> => Nullable<Text>,
    last_name: Option<&'a str> => Nullable<Text>,
    name: Option<&'a str> => Nullable<Text>,
    image_url: Option<&'a str> => Nullable<Text>,
    role: Option<&'a str> => Nullable<Text>,
    source_role: Option<&'a str> => Nullable<Text>,
    plan: Option<&'a str> => Nullable<Text>,
    source_plan: Option<&'a str> => Nullable<Text>,
    public_metadata: JsonText<'a> => JsonColumn,
    status: &'static str => Text,
    locked_until: Option<Timestamp> => Nullable<UtcColumn>,
    version_updated_at: i64 => BigInt,
    version_projection: i16 => SmallInt,
    version_kind: i16 => SmallInt,
    version_seen_at: i64 => BigInt,
    version_digest: &'a [u8] => Binary,
    last_fetched_at: Option<Timestamp> => Nullable<UtcColumn>,
    last_sign_in_at: Option<Timestamp> => Nullable<UtcColumn>,
    source_created_at: Option<Timestamp> => Nullable<UtcColumn>,
    deletion_kind: Option<&'static str> => Nullable<Text>,
}

impl<'a> Row<'a> {
    pub(super) fn new(user: &'a UserWrite<'a>) -> Self {
        match user.merged.winner {
            Change::Deletion { external_id } => {
                Self::emptied(&user.id, external_id, &Version::DELETION, Some("signed"))
            }
            Change::Absence { external_id, version } => {
                Self::emptied(&user.id, external_id, version, Some("absent"))
            }
            Change::Snapshot(snapshot) => {
                let profile = &snapshot.profile;
                Self {
                    source_external_id: profile.source_external_id.as_deref(),
                    email: profile.email.as_deref(),
                    email_lower: profile.email.as_ref().map(|email| email.to_lowercase()),
                    email_verified: profile.email_verified,
                    phone: profile.phone.as_deref(),
                    username: profile.username.as_deref(),
                    first_name: profile.first_name.as_deref(),
                    last_name: profile.last_name.as_deref(),
                    name: Some(&snapshot.name),
                    image_url: profile.image_url.as_deref(),
                    role: Some(&snapshot.role),
                    source_role: profile.source_role.as_deref(),
                    plan: Some(&snapshot.plan),
                    source_plan: profile.source_plan.as_deref(),
                    public_metadata: JsonText(&profile.public_metadata),
                    status: profile.status.as_str(),
                    locked_until: profile.locked_until,
                    last_fetched_at: snapshot.fetched_at,
                    last_sign_in_at: user.merged.last_sign_in_at,
                    source_created_at: profile.source_created_at,
                    ..Self::emptied(&user.id, &snapshot.external_id, &snapshot.version, None)
                }
            }
        }
    }

    /// The row of a user after a deletion of this kind.
    fn emptied(
        id: &'a str,
        external_id: &'a str,
        version: &'a Version,
        deletion_kind: Option<&'static str>,
    ) -> Self {
        Self {
            id,
            external_id,
            source_external_id: None,
            email: None,
            email_lower: None,
            email_verified: false,
            phone: None,
            username: None,
            first_name: None,
            last_name: None,
            name: None,
            image_url: None,
            role: None,
            source_role: None,
            plan: None,
            source_plan: None,
            public_metadata: JsonText("{}"),
            status: "deleted",
            locked_until: None,
            version_updated_at: version.updated_at_ms,
            version_projection: version.projection,
            version_kind: version.kind,
            version_seen_at: version.seen_at_ms,
            version_digest: &version.digest,
            last_fetched_at: None,
            last_sign_in_at: None,
            source_created_at: None,
            deletion_kind,
        }
    }
}

/// The deliveries without an answer, one array a column.
#[derive(Default)]
pub(super) struct Deliveries<'a> {
    pub(super) place: Vec<i64>,
    message_id: Vec<&'a str>,
    event_type: Vec<&'a str>,
    user_place: Vec<i64>,
    disposition: Vec<i16>,
}

impl<'a> Deliveries<'a> {
    pub(super) fn unanswered(batch: &'a Batch<'a>, results: &[Option<DeliveryResult>]) -> Self {
        let mut arrays = Self::default();
        let open = batch.deliveries.iter().zip(results).zip(0_i64..);
        for ((delivery, _), place) in open.filter(|((_, result), _)| result.is_none()) {
            let user = delivery.disposition.user().and_then(|user| i64::try_from(user).ok());
            arrays.place.push(place);
            arrays.message_id.push(delivery.message_id);
            arrays.event_type.push(delivery.event_type);
            // `WITH ORDINALITY` counts from one, so that 0 is no user.
            arrays.user_place.push(user.map_or(0, |user| user + 1));
            arrays.disposition.push(match delivery.disposition {
                Disposition::Ignored(IgnoreReason::EventType) => 0,
                Disposition::Ignored(IgnoreReason::WrongInstance) => 1,
                Disposition::Winner(_) => 2,
                Disposition::Superseded(_) => 3,
                Disposition::DeletedInBatch(_) => 4,
            });
        }
        arrays
    }
}

impl Deliveries<'_> {
    /// In the order of `statement::FACTS`.
    pub(super) fn bind<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param::<Array<BigInt>, _>(&self.place)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.message_id)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.event_type)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.user_place)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<SmallInt>, _>(&self.disposition)
    }
}
