//! Every variable, once: the `--help` text, the flags and README's table come from this list.

/// A configuration variable.
#[derive(Debug)]
pub struct Variable {
    /// Its name in the environment.
    pub name: &'static str,
    /// What holds where it is unset, as documentation writes it.
    pub default: &'static str,
    /// What it means, in one sentence or two.
    pub meaning: &'static str,
    /// How it may be given.
    pub given: Given,
}

/// How a variable may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// By environment, or by this flag.
    Flag(&'static str),
    /// By environment only.
    Environment,
    /// By environment, or as the path of a file in `NAME_FILE`; never by flag, where other
    /// users of the machine could read it.
    Secret,
}

/// All variables, in the order of the documentation.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "DATABASE_URL",
        default: "sqlite://data/usersync.db",
        meaning: "Where users are kept: `sqlite://PATH`, or `postgres://` of PostgreSQL 13 or newer.",
        given: Given::Secret,
    },
    Variable {
        name: "USERSYNC_SCHEMA",
        default: "usersync",
        meaning: "PostgreSQL schema that holds everything.",
        given: Given::Flag("schema"),
    },
    Variable {
        name: "USERSYNC_BIND",
        default: "127.0.0.1:8080",
        meaning: "Listen address. Port 0 picks a free one and logs it.",
        given: Given::Flag("bind"),
    },
    Variable {
        name: "PORT",
        default: "",
        meaning: "Listen port. Alone it means all addresses; with USERSYNC_BIND it replaces that port.",
        given: Given::Flag("port"),
    },
    Variable {
        name: "USERSYNC_METRICS_BIND",
        default: "",
        meaning: "A listener for `/metrics`, which is then served only there. Unset: on the main listener, where that is loopback, for requests that no proxy forwarded.",
        given: Given::Flag("metrics-bind"),
    },
    Variable {
        name: "CLERK_WEBHOOK_SIGNING_SECRET",
        default: "",
        meaning: "One or more `whsec_…`, separated by commas or spaces while one is rotated. `serve` needs it. `CLERK_WEBHOOK_SECRET` is read too, with a warning.",
        given: Given::Secret,
    },
    Variable {
        name: "CLERK_INSTANCE_ID",
        default: "",
        meaning: "One or more `ins_…`; events of another instance are ignored. Unset: a second instance seen is a warning and a metric.",
        given: Given::Flag("instance-id"),
    },
    Variable {
        name: "USERSYNC_ADMIN_TOKEN",
        default: "",
        meaning: "Bearer tokens that may do everything: 32 characters or more, several allowed, each optionally `name:secret`. Unset: closed.",
        given: Given::Secret,
    },
    Variable {
        name: "USERSYNC_READ_TOKEN",
        default: "",
        meaning: "Bearer tokens that may read users, likewise.",
        given: Given::Secret,
    },
    Variable {
        name: "USERSYNC_ROLES",
        default: "user,admin",
        meaning: "Known roles.",
        given: Given::Flag("roles"),
    },
    Variable {
        name: "USERSYNC_DEFAULT_ROLE",
        default: "user",
        meaning: "The role of a user who was given none that is known.",
        given: Given::Flag("default-role"),
    },
    Variable {
        name: "USERSYNC_PLANS",
        default: "any",
        meaning: "Known plans; `any` for every well-formed word.",
        given: Given::Flag("plans"),
    },
    Variable {
        name: "USERSYNC_DEFAULT_PLAN",
        default: "free",
        meaning: "The plan of a user who was given none that is known.",
        given: Given::Flag("default-plan"),
    },
    Variable {
        name: "USERSYNC_USER_ID",
        default: "uuid",
        meaning: "Ids of new rows: `uuid` (version 7) or `external` (the provider's id).",
        given: Given::Flag("user-id"),
    },
    Variable {
        name: "USERSYNC_MIGRATE",
        default: "auto",
        meaning: "`auto` brings the schema up to date at start; `check` refuses to start on an old one (`usersync migrate` does it).",
        given: Given::Flag("migrate"),
    },
    Variable {
        name: "USERSYNC_LOG_FORMAT",
        default: "",
        meaning: "`text` or `json`. Unset: text on a terminal, else JSON.",
        given: Given::Flag("log-format"),
    },
    Variable {
        name: "RUST_LOG",
        default: "info",
        meaning: "What is logged, as in `info,usersync::ingest=debug`.",
        given: Given::Environment,
    },
];
