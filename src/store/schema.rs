//! The tables as diesel sees them, on both engines at once.
//!
//! Kept by hand; `tests/it/schema.rs` migrates both engines and compares their columns with
//! each other and with these. [`UtcColumn`](super::types::UtcColumn) is timestamptz or RFC 3339 text,
//! [`JsonColumn`](super::types::JsonColumn) jsonb or text.

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Nullable, SmallInt, Text};
    use crate::store::types::{JsonColumn, UtcColumn};

    /// One row a user, deleted ones included.
    users (id) {
        id -> Text,
        source -> Text,
        external_id -> Text,
        source_external_id -> Nullable<Text>,
        email -> Nullable<Text>,
        email_lower -> Nullable<Text>,
        email_verified -> Bool,
        phone -> Nullable<Text>,
        username -> Nullable<Text>,
        first_name -> Nullable<Text>,
        last_name -> Nullable<Text>,
        name -> Nullable<Text>,
        image_url -> Nullable<Text>,
        role -> Nullable<Text>,
        source_role -> Nullable<Text>,
        set_role -> Nullable<Text>,
        plan -> Nullable<Text>,
        source_plan -> Nullable<Text>,
        set_plan -> Nullable<Text>,
        public_metadata -> JsonColumn,
        status -> Text,
        locked_until -> Nullable<UtcColumn>,
        version_updated_at -> BigInt,
        version_projection -> SmallInt,
        version_kind -> SmallInt,
        version_seen_at -> BigInt,
        version_digest -> Binary,
        last_fetched_at -> Nullable<UtcColumn>,
        last_sign_in_at -> Nullable<UtcColumn>,
        source_created_at -> Nullable<UtcColumn>,
        created_at -> UtcColumn,
        updated_at -> UtcColumn,
        synced_at -> UtcColumn,
        deleted_at -> Nullable<UtcColumn>,
        deletion_kind -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use crate::store::types::UtcColumn;

    webhook_events (message_id, source) {
        source -> Text,
        message_id -> Text,
        #[sql_name = "type"]
        event_type -> Text,
        external_id -> Nullable<Text>,
        outcome -> Text,
        reason -> Nullable<Text>,
        received_at -> UtcColumn,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use crate::store::types::UtcColumn;

    /// Genuine deliveries that could not be applied.
    quarantine (message_id, source) {
        source -> Text,
        message_id -> Text,
        #[sql_name = "type"]
        event_type -> Text,
        reason -> Text,
        path -> Nullable<Text>,
        body -> Binary,
        size_bytes -> BigInt,
        received_at -> UtcColumn,
    }
}

diesel::table! {
    use diesel::sql_types::Text;

    /// The users that a quarantined body concerns.
    quarantine_subjects (subject, message_id, source) {
        source -> Text,
        message_id -> Text,
        subject -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
    use crate::store::types::UtcColumn;

    /// The outbox of write-backs, one row a user.
    write_backs (external_id, source) {
        source -> Text,
        external_id -> Text,
        state -> Text,
        take_over -> Bool,
        override_at -> Nullable<UtcColumn>,
        attempts -> Integer,
        next_try_at -> UtcColumn,
        fence -> BigInt,
        leased_until -> Nullable<UtcColumn>,
        outcome_unknown -> Bool,
        last_error -> Nullable<Text>,
        created_at -> UtcColumn,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Text};

    /// Requests to the provider's API of the last ten seconds, by half seconds.
    api_budgets (source, slot) {
        source -> Text,
        slot -> BigInt,
        taken -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use crate::store::types::{JsonColumn, UtcColumn};

    /// The last calls of the provider about each user, in milliseconds.
    user_calls (external_id, source) {
        source -> Text,
        external_id -> Text,
        calls -> JsonColumn,
        patches -> JsonColumn,
        kept_until -> UtcColumn,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use crate::store::types::UtcColumn;

    /// The instance of the provider that the table belongs to.
    pinned_instances (source) {
        source -> Text,
        instance_id -> Text,
        pinned_at -> UtcColumn,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use crate::store::types::UtcColumn;

    /// Absences that were acted on or held back.
    absences (external_id, source) {
        source -> Text,
        external_id -> Text,
        state -> Text,
        found_at -> UtcColumn,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use crate::store::types::{JsonColumn, UtcColumn};

    jobs (id) {
        id -> Text,
        source -> Text,
        kind -> Text,
        dry_run -> Bool,
        allow_mass_delete -> Bool,
        state -> Text,
        expected -> Nullable<BigInt>,
        counters -> JsonColumn,
        cursor -> Nullable<JsonColumn>,
        report -> Nullable<JsonColumn>,
        error -> Nullable<Text>,
        fence -> BigInt,
        leased_until -> Nullable<UtcColumn>,
        created_at -> UtcColumn,
        started_at -> Nullable<UtcColumn>,
        finished_at -> Nullable<UtcColumn>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
    use crate::store::types::UtcColumn;

    /// Users that a job checks again.
    job_candidates (job_id, drift_kind, external_id) {
        job_id -> Text,
        drift_kind -> Text,
        external_id -> Text,
        row_synced_at -> Nullable<UtcColumn>,
        row_updated_at -> Nullable<BigInt>,
        row_projection -> Nullable<SmallInt>,
        looked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use crate::store::types::{JsonColumn, UtcColumn};

    /// Work that comes again and again, done by one replica at a time.
    leases (name) {
        name -> Text,
        due_at -> UtcColumn,
        fence -> BigInt,
        leased_until -> Nullable<UtcColumn>,
        state -> JsonColumn,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    users,
    webhook_events,
    quarantine,
    quarantine_subjects,
    write_backs,
    api_budgets,
    user_calls,
    pinned_instances,
    absences,
    jobs,
    job_candidates,
    leases
);
