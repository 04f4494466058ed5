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
    /// By environment, or by the flag of [`Variable::flag`].
    Flag,
    Environment,
    /// By environment, or as the path of a file in `NAME_FILE`; never by flag, which other users of
    /// the machine could read.
    Secret,
}

impl Variable {
    /// The flag, of a variable that has one: its name without our prefix or the provider's.
    pub fn flag(&self) -> Option<String> {
        let stripped =
            ["USERSYNC_", "CLERK_"].iter().find_map(|prefix| self.name.strip_prefix(prefix));
        let flag = stripped.unwrap_or(self.name).to_ascii_lowercase().replace('_', "-");
        (self.input == VariableInput::Flag).then_some(flag)
    }
}

const fn flag(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable { name, default, meaning, input: VariableInput::Flag }
}

const fn environment(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable { name, default, meaning, input: VariableInput::Environment }
}

const fn secret(name: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable { name, default, meaning, input: VariableInput::Secret }
}

/// In the order of the documentation: name, default, meaning.
pub const VARIABLES: &[Variable] = &[
    secret(
        "DATABASE_URL",
        "sqlite://data/usersync.db",
        "Where users are kept: `sqlite://PATH`, or `postgres://` of PostgreSQL 13 or newer.",
    ),
    flag("USERSYNC_SCHEMA", "usersync", "PostgreSQL schema that holds everything."),
    flag(
        "USERSYNC_BIND",
        "127.0.0.1:8080",
        "Listen address; `[::]:8080` is all addresses, of IPv6 and IPv4. Port 0 picks a free one and logs it.",
    ),
    flag(
        "PORT",
        "",
        "Listen port. Alone it means all addresses, of IPv6 and IPv4; with USERSYNC_BIND it replaces that port.",
    ),
    flag(
        "USERSYNC_METRICS_BIND",
        "",
        "A listener for `/metrics`, which is then served only there. Unset: on the main listener, where that is loopback, for requests that no proxy forwarded.",
    ),
    flag(
        "USERSYNC_SHUTDOWN_DELAY",
        "0s",
        "Time between \"not ready\" and \"closed\" when the service is asked to stop, in which load balancers notice. The container image sets 5s.",
    ),
    flag(
        "USERSYNC_KEEP_ALIVE",
        "75s",
        "How long an idle connection is kept: longer than the load balancer in front keeps it (Google's 600s, AWS's 60s).",
    ),
    secret(
        "CLERK_WEBHOOK_SIGNING_SECRET",
        "",
        "One or more `whsec_…`, separated by commas or spaces while one is rotated. `serve` needs it. `CLERK_WEBHOOK_SECRET` is read too, with a warning.",
    ),
    flag(
        "CLERK_INSTANCE_ID",
        "",
        "One or more `ins_…`; events of another instance are ignored. Unset: a second instance seen is a warning and a metric.",
    ),
    secret(
        "CLERK_SECRET_KEY",
        "",
        "The Backend API's key, `sk_live_…` or `sk_test_…`. Without it users come by webhook alone, and what needs the API says so.",
    ),
    flag(
        "CLERK_API_URL",
        "https://api.clerk.com",
        "Where the Backend API is: https, or http on a loopback address.",
    ),
    flag(
        "USERSYNC_API_BUDGET",
        "",
        "Requests to the Backend API in 10 s, all replicas together; `off` only where CLERK_API_URL is a loopback address. Unset: half of the provider's limit, 500 with `sk_live_…` and 50 with `sk_test_…`.",
    ),
    flag(
        "CLERK_PUBLISHABLE_KEY",
        "",
        "`pk_live_…` or `pk_test_…`: gives the issuer of session tokens and where their keys are. `NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY` is read too.",
    ),
    secret(
        "CLERK_JWT_KEY",
        "",
        "The public key of session tokens as PEM, so that none has to be fetched. Needs a known issuer.",
    ),
    flag(
        "CLERK_JWKS_URL",
        "",
        "Where the keys of session tokens are fetched, if not where CLERK_PUBLISHABLE_KEY says. Needs a known issuer.",
    ),
    flag(
        "CLERK_ISSUER",
        "",
        "The issuer (`iss`) of session tokens, if not the one that CLERK_PUBLISHABLE_KEY gives.",
    ),
    flag(
        "CLERK_AUTHORIZED_PARTIES",
        "",
        "Origins that a session token may come from (`azp`), compared exactly. Unset: any.",
    ),
    secret(
        "USERSYNC_ADMIN_TOKEN",
        "",
        "Bearer tokens that may do everything: 32 characters or more, several allowed, each optionally `name:secret`. Unset: closed.",
    ),
    secret("USERSYNC_READ_TOKEN", "", "Bearer tokens that may read users, likewise."),
    flag("USERSYNC_ROLES", "user,admin", "Known roles."),
    flag("USERSYNC_DEFAULT_ROLE", "user", "The role of a user who was given none that is known."),
    flag("USERSYNC_PLANS", "any", "Known plans; `any` for every well-formed word."),
    flag("USERSYNC_DEFAULT_PLAN", "free", "The plan of a user who was given none that is known."),
    flag(
        "USERSYNC_USER_ID",
        "uuid",
        "Ids of new rows: `uuid` (version 7) or `external` (the provider's id).",
    ),
    flag(
        "USERSYNC_WRITE_BACK",
        "",
        "`on` writes a row's id and role into the provider's public metadata where they are missing; `off` does not. Unset: on where CLERK_SECRET_KEY is set.",
    ),
    flag(
        "USERSYNC_METADATA_ID",
        "dbId",
        "The name in the public metadata under which our id is written.",
    ),
    flag("USERSYNC_METADATA_ROLE", "role", "The name under which the role is read and written."),
    flag(
        "USERSYNC_METADATA_PLAN",
        "plan",
        "The name under which the plan is read, and written where it was set here.",
    ),
    flag(
        "USERSYNC_PUBLIC_URL",
        "",
        "Our own origin as browsers see it; the sign-in sync sends them there only. Never taken from a request.",
    ),
    flag(
        "USERSYNC_REDIRECT_ORIGINS",
        "",
        "Further origins that the sign-in sync may send a browser to.",
    ),
    flag(
        "USERSYNC_SIGN_IN_URL",
        "/sign-in",
        "Where a browser without a session is sent: a path, or a URL.",
    ),
    flag(
        "USERSYNC_WORKERS",
        "on",
        "`off` makes a replica that only answers, and leaves jobs, the watch and write-back to others.",
    ),
    flag(
        "USERSYNC_WATCH_INTERVAL",
        "60s",
        "How often the users who changed last are compared, so that a lost event is made up for; `off` never.",
    ),
    flag(
        "USERSYNC_RECONCILE_SCHEDULE",
        "daily",
        "When all users are compared, which also finds lost deletions: `daily`, an interval as `6h`, a time of the day in UTC as `03:30`, or `off`.",
    ),
    flag(
        "USERSYNC_MIGRATE",
        "auto",
        "`auto` brings the schema up to date at start; `check` refuses to start on an old one (`usersync migrate` does it).",
    ),
    flag("USERSYNC_LOG_FORMAT", "", "`text` or `json`. Unset: text on a terminal, else JSON."),
    environment("RUST_LOG", "info", "What is logged, as in `info,usersync::ingest=debug`."),
];
