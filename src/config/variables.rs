//! Every variable, once: the flags, the `--help` text and the tables of docs/configuration.md come
//! from this list.

#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
    /// The default, as documentation writes it.
    pub default: &'static str,
    /// One sentence or two, for `--help` and the documentation.
    pub meaning: &'static str,
    pub input: VariableInput,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VariableInput {
    /// By environment, or by this flag.
    Flag(&'static str),
    Environment,
    /// By environment, or as the path of a file in `NAME_FILE`; never by flag, which other users of
    /// the machine could read.
    Secret,
}

/// In the order of the documentation.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "DATABASE_URL",
        default: "sqlite://data/usersync.db",
        meaning: "Where users are kept: `sqlite://PATH`, or `postgres://` of PostgreSQL 13 or newer.",
        input: VariableInput::Secret,
    },
    Variable {
        name: "USERSYNC_SCHEMA",
        default: "usersync",
        meaning: "PostgreSQL schema that holds everything.",
        input: VariableInput::Flag("schema"),
    },
    Variable {
        name: "USERSYNC_BIND",
        default: "127.0.0.1:8080",
        meaning: "Listen address. Port 0 picks a free one and logs it.",
        input: VariableInput::Flag("bind"),
    },
    Variable {
        name: "PORT",
        default: "",
        meaning: "Listen port. Alone it means all addresses; with USERSYNC_BIND it replaces that port.",
        input: VariableInput::Flag("port"),
    },
    Variable {
        name: "USERSYNC_METRICS_BIND",
        default: "",
        meaning: "A listener for `/metrics`, which is then served only there. Unset: on the main listener, where that is loopback, for requests that no proxy forwarded.",
        input: VariableInput::Flag("metrics-bind"),
    },
    Variable {
        name: "CLERK_WEBHOOK_SIGNING_SECRET",
        default: "",
        meaning: "One or more `whsec_…`, separated by commas or spaces while one is rotated. `serve` needs it. `CLERK_WEBHOOK_SECRET` is read too, with a warning.",
        input: VariableInput::Secret,
    },
    Variable {
        name: "CLERK_INSTANCE_ID",
        default: "",
        meaning: "One or more `ins_…`; events of another instance are ignored. Unset: a second instance seen is a warning and a metric.",
        input: VariableInput::Flag("instance-id"),
    },
    Variable {
        name: "CLERK_SECRET_KEY",
        default: "",
        meaning: "The Backend API's key, `sk_live_…` or `sk_test_…`. Without it users come by webhook alone, and what needs the API says so.",
        input: VariableInput::Secret,
    },
    Variable {
        name: "CLERK_API_URL",
        default: "https://api.clerk.com",
        meaning: "Where the Backend API is: https, or http on a loopback address.",
        input: VariableInput::Flag("api-url"),
    },
    Variable {
        name: "USERSYNC_API_BUDGET",
        default: "",
        meaning: "Requests to the Backend API in 10 s, all replicas together; `off` only where CLERK_API_URL is a loopback address. Unset: half of the provider's limit, 500 with `sk_live_…` and 50 with `sk_test_…`.",
        input: VariableInput::Flag("api-budget"),
    },
    Variable {
        name: "CLERK_PUBLISHABLE_KEY",
        default: "",
        meaning: "`pk_live_…` or `pk_test_…`: gives the issuer of session tokens and where their keys are. `NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY` is read too.",
        input: VariableInput::Flag("publishable-key"),
    },
    Variable {
        name: "CLERK_JWT_KEY",
        default: "",
        meaning: "The public key of session tokens as PEM, so that none has to be fetched. Needs a known issuer.",
        input: VariableInput::Secret,
    },
    Variable {
        name: "CLERK_JWKS_URL",
        default: "",
        meaning: "Where the keys of session tokens are fetched, if not where CLERK_PUBLISHABLE_KEY says. Needs a known issuer.",
        input: VariableInput::Flag("jwks-url"),
    },
    Variable {
        name: "CLERK_ISSUER",
        default: "",
        meaning: "The issuer (`iss`) of session tokens, if not the one that CLERK_PUBLISHABLE_KEY gives.",
        input: VariableInput::Flag("issuer"),
    },
    Variable {
        name: "CLERK_AUTHORIZED_PARTIES",
        default: "",
        meaning: "Origins that a session token may come from (`azp`), compared exactly. Unset: any.",
        input: VariableInput::Flag("authorized-parties"),
    },
    Variable {
        name: "USERSYNC_ADMIN_TOKEN",
        default: "",
        meaning: "Bearer tokens that may do everything: 32 characters or more, several allowed, each optionally `name:secret`. Unset: closed.",
        input: VariableInput::Secret,
    },
    Variable {
        name: "USERSYNC_READ_TOKEN",
        default: "",
        meaning: "Bearer tokens that may read users, likewise.",
        input: VariableInput::Secret,
    },
    Variable {
        name: "USERSYNC_ROLES",
        default: "user,admin",
        meaning: "Known roles.",
        input: VariableInput::Flag("roles"),
    },
    Variable {
        name: "USERSYNC_DEFAULT_ROLE",
        default: "user",
        meaning: "The role of a user who was given none that is known.",
        input: VariableInput::Flag("default-role"),
    },
    Variable {
        name: "USERSYNC_PLANS",
        default: "any",
        meaning: "Known plans; `any` for every well-formed word.",
        input: VariableInput::Flag("plans"),
    },
    Variable {
        name: "USERSYNC_DEFAULT_PLAN",
        default: "free",
        meaning: "The plan of a user who was given none that is known.",
        input: VariableInput::Flag("default-plan"),
    },
    Variable {
        name: "USERSYNC_USER_ID",
        default: "uuid",
        meaning: "Ids of new rows: `uuid` (version 7) or `external` (the provider's id).",
        input: VariableInput::Flag("user-id"),
    },
    Variable {
        name: "USERSYNC_WRITE_BACK",
        default: "",
        meaning: "`on` writes a row's id and role into the provider's public metadata where they are missing; `off` does not. Unset: on where CLERK_SECRET_KEY is set.",
        input: VariableInput::Flag("write-back"),
    },
    Variable {
        name: "USERSYNC_METADATA_ID",
        default: "dbId",
        meaning: "The name in the public metadata under which our id is written.",
        input: VariableInput::Flag("metadata-id"),
    },
    Variable {
        name: "USERSYNC_METADATA_ROLE",
        default: "role",
        meaning: "The name under which the role is read and written.",
        input: VariableInput::Flag("metadata-role"),
    },
    Variable {
        name: "USERSYNC_METADATA_PLAN",
        default: "plan",
        meaning: "The name under which the plan is read, and written where it was set here.",
        input: VariableInput::Flag("metadata-plan"),
    },
    Variable {
        name: "USERSYNC_PUBLIC_URL",
        default: "",
        meaning: "Our own origin as browsers see it; the sign-in sync sends them there only. Never taken from a request.",
        input: VariableInput::Flag("public-url"),
    },
    Variable {
        name: "USERSYNC_REDIRECT_ORIGINS",
        default: "",
        meaning: "Further origins that the sign-in sync may send a browser to.",
        input: VariableInput::Flag("redirect-origins"),
    },
    Variable {
        name: "USERSYNC_SIGN_IN_URL",
        default: "/sign-in",
        meaning: "Where a browser without a session is sent: a path, or a URL.",
        input: VariableInput::Flag("sign-in-url"),
    },
    Variable {
        name: "USERSYNC_WORKERS",
        default: "on",
        meaning: "`off` makes a replica that only answers, and leaves jobs, the watch and write-back to others.",
        input: VariableInput::Flag("workers"),
    },
    Variable {
        name: "USERSYNC_WATCH_INTERVAL",
        default: "60s",
        meaning: "How often the users who changed last are compared, so that a lost event is made up for; `off` never.",
        input: VariableInput::Flag("watch-interval"),
    },
    Variable {
        name: "USERSYNC_RECONCILE_SCHEDULE",
        default: "daily",
        meaning: "When all users are compared, which also finds lost deletions: `daily`, an interval as `6h`, a time of the day in UTC as `03:30`, or `off`.",
        input: VariableInput::Flag("reconcile-schedule"),
    },
    Variable {
        name: "USERSYNC_MIGRATE",
        default: "auto",
        meaning: "`auto` brings the schema up to date at start; `check` refuses to start on an old one (`usersync migrate` does it).",
        input: VariableInput::Flag("migrate"),
    },
    Variable {
        name: "USERSYNC_LOG_FORMAT",
        default: "",
        meaning: "`text` or `json`. Unset: text on a terminal, else JSON.",
        input: VariableInput::Flag("log-format"),
    },
    Variable {
        name: "RUST_LOG",
        default: "info",
        meaning: "What is logged, as in `info,usersync::ingest=debug`.",
        input: VariableInput::Environment,
    },
];
