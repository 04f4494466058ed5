//! Column types that each engine stores in its own way.
//!
//! [`Timestamp`] is a timestamptz on PostgreSQL and RFC 3339 UTC text with milliseconds on SQLite;
//! [`Json`] is jsonb and text. Both compare in the database as they do here.

use crate::domain::Timestamp;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, SqlType, Text};
use diesel::sqlite::Sqlite;
use serde::ser::Error as _;
use serde_json::value::RawValue;
use std::io::Write as _;

/// SQL type of a [`Timestamp`].
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Text"))]
pub struct UtcColumn;

/// SQL type of a [`Json`].
#[derive(Debug, Clone, Copy, Default, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807))]
#[diesel(sqlite_type(name = "Text"))]
pub struct JsonColumn;

/// Derives the expressions of [`Timestamp`], which knows no database.
#[derive(AsExpression, FromSqlRow)]
#[diesel(foreign_derive)]
#[diesel(sql_type = UtcColumn)]
#[expect(dead_code, reason = "only its derives are wanted")]
struct TimestampProxy(Timestamp);

/// Microseconds from 1970 to 2000, where PostgreSQL begins to count.
const POSTGRES_EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;

impl ToSql<UtcColumn, Pg> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        let microseconds = self.as_micros() - POSTGRES_EPOCH_MICROSECONDS;
        ToSql::<BigInt, Pg>::to_sql(&microseconds, &mut out.reborrow())
    }
}

impl FromSql<UtcColumn, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let microseconds = <i64 as FromSql<BigInt, Pg>>::from_sql(value)?;
        let since_1970 = microseconds.checked_add(POSTGRES_EPOCH_MICROSECONDS);
        Ok(since_1970.and_then(Self::from_micros).ok_or("a timestamp beyond year 9999")?)
    }
}

impl ToSql<UtcColumn, Sqlite> for Timestamp {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.to_string());
        Ok(IsNull::No)
    }
}

impl FromSql<UtcColumn, Sqlite> for Timestamp {
    fn from_sql(
        value: <Sqlite as diesel::backend::Backend>::RawValue<'_>,
    ) -> deserialize::Result<Self> {
        Ok(<String as FromSql<Text, Sqlite>>::from_sql(value)?.parse()?)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = JsonColumn)]
pub struct Json(pub String);

impl serde::Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json: &RawValue = serde_json::from_str(&self.0).map_err(S::Error::custom)?;
        json.serialize(serializer)
    }
}

/// A borrowed [`Json`], for writing.
#[derive(Debug, Clone, Copy, AsExpression)]
#[diesel(sql_type = JsonColumn)]
pub struct JsonText<'a>(pub &'a str);

/// The version byte that leads jsonb on PostgreSQL's wire.
const JSONB_VERSION: u8 = 1;

impl ToSql<JsonColumn, Pg> for JsonText<'_> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&[JSONB_VERSION])?;
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<JsonColumn, Sqlite> for JsonText<'_> {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0);
        Ok(IsNull::No)
    }
}

impl FromSql<JsonColumn, Pg> for Json {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes().split_first() {
            Some((&JSONB_VERSION, text)) => Ok(Self(String::from_utf8(text.to_vec())?)),
            _ => Err("a jsonb of an unknown version".into()),
        }
    }
}

impl FromSql<JsonColumn, Sqlite> for Json {
    fn from_sql(
        value: <Sqlite as diesel::backend::Backend>::RawValue<'_>,
    ) -> deserialize::Result<Self> {
        <String as FromSql<Text, Sqlite>>::from_sql(value).map(Self)
    }
}
