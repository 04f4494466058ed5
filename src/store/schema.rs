//! The tables as diesel sees them, on both engines at once.
//!
//! Kept by hand; `tests/it/schema.rs` migrates both engines and compares their columns with
//! each other and with these. [`Utc`](super::types::Utc) is timestamptz or RFC 3339 text,
//! [`Document`](super::types::Document) jsonb or text.

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Bool, Nullable, SmallInt, Text};
    use super::super::types::{Document, Utc};

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
        public_metadata -> Document,
        status -> Text,
        locked_until -> Nullable<Utc>,
        version_updated_at -> BigInt,
        version_projection -> SmallInt,
        version_kind -> SmallInt,
        version_seen_at -> BigInt,
        version_digest -> Binary,
        last_fetched_at -> Nullable<Utc>,
        last_sign_in_at -> Nullable<Utc>,
        source_created_at -> Nullable<Utc>,
        created_at -> Utc,
        updated_at -> Utc,
        synced_at -> Utc,
        deleted_at -> Nullable<Utc>,
        deletion_kind -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::types::Utc;

    /// What became of each message.
    webhook_events (message_id, source) {
        source -> Text,
        message_id -> Text,
        #[sql_name = "type"]
        kind -> Text,
        external_id -> Nullable<Text>,
        outcome -> Text,
        reason -> Nullable<Text>,
        received_at -> Utc,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Binary, Nullable, Text};
    use super::super::types::Utc;

    /// Genuine deliveries that could not be applied.
    quarantine (message_id, source) {
        source -> Text,
        message_id -> Text,
        #[sql_name = "type"]
        kind -> Text,
        reason -> Text,
        path -> Nullable<Text>,
        body -> Binary,
        size_bytes -> BigInt,
        received_at -> Utc,
    }
}

diesel::table! {
    use diesel::sql_types::Text;

    /// Whom a quarantined body concerns.
    quarantine_subjects (subject, message_id, source) {
        source -> Text,
        message_id -> Text,
        subject -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
    use super::super::types::Utc;

    /// What the provider is to be told, one row a user.
    write_backs (external_id, source) {
        source -> Text,
        external_id -> Text,
        state -> Text,
        take_over -> Bool,
        override_at -> Nullable<Utc>,
        attempts -> Integer,
        next_try_at -> Utc,
        fence -> BigInt,
        leased_until -> Nullable<Utc>,
        outcome_unknown -> Bool,
        last_error -> Nullable<Text>,
        created_at -> Utc,
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
    use super::super::types::Utc;

    /// The instance of the provider that the table belongs to.
    pinned_instances (source) {
        source -> Text,
        instance_id -> Text,
        pinned_at -> Utc,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::types::Utc;

    /// Users who were looked for and not found.
    absences (external_id, source) {
        source -> Text,
        external_id -> Text,
        state -> Text,
        found_at -> Utc,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Nullable, Text};
    use super::super::types::{Document, Utc};

    /// Long work on all users.
    jobs (id) {
        id -> Text,
        source -> Text,
        kind -> Text,
        dry_run -> Bool,
        allow_mass_delete -> Bool,
        state -> Text,
        expected -> Nullable<BigInt>,
        counters -> Document,
        cursor -> Nullable<Document>,
        report -> Nullable<Document>,
        error -> Nullable<Text>,
        fence -> BigInt,
        leased_until -> Nullable<Utc>,
        created_at -> Utc,
        started_at -> Nullable<Utc>,
        finished_at -> Nullable<Utc>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
    use super::super::types::Utc;

    /// Users about whom a job has to say or do something at its end.
    job_candidates (job_id, drift_kind, external_id) {
        job_id -> Text,
        drift_kind -> Text,
        external_id -> Text,
        row_synced_at -> Nullable<Utc>,
        row_updated_at -> Nullable<BigInt>,
        row_projection -> Nullable<SmallInt>,
        looked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, Text};
    use super::super::types::{Document, Utc};

    /// Work that comes again and again, done by one replica at a time.
    leases (name) {
        name -> Text,
        due_at -> Utc,
        fence -> BigInt,
        leased_until -> Nullable<Utc>,
        state -> Document,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    users,
    webhook_events,
    quarantine,
    quarantine_subjects,
    write_backs,
    api_budgets,
    pinned_instances,
    absences,
    jobs,
    job_candidates,
    leases
);
