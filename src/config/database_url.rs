//! `DATABASE_URL` becomes a [`Database`]: the engine is decided here, once. Called by the loader.
//! No message contains the URL, which may hold a password.

use crate::store::{Database, PostgresTarget};
use std::path::PathBuf;

/// libpq rejects a URL with any other parameter.
const LIBPQ_PARAMETERS: [&str; 36] = [
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "options",
    "passfile",
    "password",
    "port",
    "require_auth",
    "requirepeer",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
];

/// Added unless the URL sets them: a dead server is noticed within seconds, not when the kernel
/// gives up after a quarter of an hour.
const CONNECTION_DEFAULTS: [(&str, &str); 7] = [
    ("application_name", "usersync"),
    ("connect_timeout", "3"),
    ("tcp_user_timeout", "5000"),
    ("keepalives", "1"),
    ("keepalives_idle", "10"),
    ("keepalives_interval", "3"),
    ("keepalives_count", "3"),
];

/// Returns the database and a warning if parameters were translated or dropped, or what is wrong.
pub(super) fn parse(url: &str, schema: String) -> Result<(Database, Option<String>), String> {
    let (engine, rest) = url.split_once(':').unwrap_or((url, ""));
    match (engine, rest.strip_prefix("//")) {
        ("sqlite", Some(path)) => sqlite(path),
        ("postgres" | "postgresql", Some(rest)) => postgres(rest, schema),
        ("sqlite" | "postgres" | "postgresql", None) => {
            Err(format!("lacks the two slashes: write `{engine}://…`"))
        }
        _ => Err("has a scheme that is not supported; write `sqlite://PATH` or \
                  `postgres://user:password@host:5432/database`"
            .into()),
    }
}

fn sqlite(rest: &str) -> Result<(Database, Option<String>), String> {
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if path.is_empty() || path.contains(":memory:") {
        return Err("needs the path of a file, as in `sqlite://data/usersync.db`; \
                    users in memory would be lost at the next start"
            .into());
    }
    let warning = (!parameters.is_empty())
        .then(|| "DATABASE_URL: parameters of a SQLite URL are not used".to_owned());
    Ok((Database::Sqlite(PathBuf::from(path)), warning))
}

fn postgres(rest: &str, schema: String) -> Result<(Database, Option<String>), String> {
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    check_place(place)?;
    let mut kept: Vec<(String, String)> = Vec::new();
    let mut changed: Vec<&str> = Vec::new();
    for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or(ENCODE)?;
        // A password that holds `?` looks like this; libpq and our warning would print it.
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name || value.contains(['@', '=']) || !is_encoded(value) {
            return Err(ENCODE.to_owned());
        }
        match translate(name, value) {
            Some((known, known_value)) => {
                if known != name || known_value != value {
                    changed.push(name);
                }
                kept.push((known.to_owned(), known_value.to_owned()));
            }
            None => changed.push(name),
        }
    }
    for (name, value) in CONNECTION_DEFAULTS {
        if !kept.iter().any(|(known, _)| known == name) {
            kept.push((name.to_owned(), value.to_owned()));
        }
    }
    let query: Vec<String> = kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let url = format!("postgres://{place}?{}", query.join("&")).into();
    let warning = (!changed.is_empty()).then(|| {
        let is_known =
            |name: &&str| FOREIGN_PARAMETERS.contains(name) || LIBPQ_PARAMETERS.contains(name);
        let (known, unknown): (Vec<&str>, Vec<&str>) = changed.into_iter().partition(is_known);
        let count = (!unknown.is_empty()).then(|| format!("{} of other names", unknown.len()));
        let all: Vec<String> = known.into_iter().map(str::to_owned).chain(count).collect();
        format!("DATABASE_URL: not PostgreSQL's own, so translated or left out: {}", all.join(", "))
    });
    Ok((Database::Postgres(PostgresTarget { url, schema }), warning))
}

const ENCODE: &str = "cannot be read as a connection URL; percent-encode special characters in user name, \
                      password and parameters (`@` is `%40`, `:` is `%3A`, `/` is `%2F`, `?` is `%3F`, `#` is `%23`, \
                      `%` is `%25`, a space is `%20`)";

/// Whether libpq reads user, password, hosts and database where they were meant: it prints in its
/// messages what it takes for a host, which may be the end of a password.
fn check_place(place: &str) -> Result<(), String> {
    let (credentials, server) = place.rsplit_once('@').unwrap_or(("", place));
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:,[]/%~".contains(&byte);
    // libpq takes all before the first `@` for credentials, unless a `/` comes before it.
    let plain_credentials = !credentials.contains(['@', '/']) && is_encoded(credentials);
    let (hosts, _) = server.split_once('/').unwrap_or((server, ""));
    if plain_credentials
        && server.bytes().all(known)
        && is_encoded(server)
        && hosts.split(',').all(|host| is_host(host, place.contains('@')))
    {
        Ok(())
    } else {
        Err(ENCODE.to_owned())
    }
}

/// A host, or `[…]`, with a number as its port if it has one: not a user with a password whose `@`
/// was lost. Only after credentials may the number be missing, as from an empty `$PORT`.
fn is_host(text: &str, has_credentials: bool) -> bool {
    let after = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let port = match after {
        Some((_, after)) => after.strip_prefix(':'),
        None => text.split_once(':').map(|(_, port)| port),
    };
    port.is_none_or(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit()) && (has_credentials || !port.is_empty())
    })
}

/// Whether libpq can decode it: it prints what it cannot.
fn is_encoded(text: &str) -> bool {
    let codes = text.split('%').skip(1).all(|rest| {
        let code = rest.as_bytes().get(..2).unwrap_or_default();
        code.len() == 2 && code.iter().all(u8::is_ascii_hexdigit) && code != b"00"
    });
    codes && !text.contains(|character: char| character.is_control() || character.is_whitespace())
}

/// Parameters of ORMs and poolers that people have in their URLs. Others are counted, not named: a
/// piece of a password could look like one.
const FOREIGN_PARAMETERS: [&str; 14] = [
    "connection_limit",
    "max_client_conn",
    "pgbouncer",
    "pool_mode",
    "pool_timeout",
    "schema",
    "socket_timeout",
    "ssl",
    "sslaccept",
    "sslidentity",
    "statement_cache_size",
    "supa",
    "uselibpqcompat",
    "workaround",
];

/// A parameter as libpq writes it; `None` for one of an ORM or a pooler without meaning here.
/// `schema` is such a one: our tables have a schema of their own.
fn translate<'a>(name: &'a str, value: &'a str) -> Option<(&'a str, &'a str)> {
    match (name, value) {
        ("sslmode", "no-verify")
        | ("ssl", "true" | "1")
        | ("sslaccept", "accept_invalid_certs") => Some(("sslmode", "require")),
        ("sslaccept", "strict") => Some(("sslmode", "verify-full")),
        _ => LIBPQ_PARAMETERS.contains(&name).then_some((name, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Database, parse};
    use diesel::{Connection as _, PgConnection};
    use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert, proptest};
    use secrecy::ExposeSecret as _;

    fn url(text: &str) -> (String, Option<String>) {
        match parse(text, "usersync".into()).unwrap() {
            (Database::Postgres(target), warning) => {
                (target.url.expose_secret().to_owned(), warning)
            }
            (Database::Sqlite(path), warning) => (path.display().to_string(), warning),
        }
    }

    #[test]
    fn parameters_of_orms_and_poolers_are_translated_or_dropped_with_one_warning() {
        let (text, warning) = url(
            "postgresql://u:p@h:5432/d?schema=public&pgbouncer=true&connection_limit=1&sslmode=no-verify&options=-cx%3Dy",
        );
        assert!(text.starts_with("postgres://u:p@h:5432/d?sslmode=require&options=-cx%3Dy&"));
        assert!(!text.contains("pgbouncer") && !text.contains("schema="));
        let warning = warning.unwrap();
        assert!(warning.ends_with("schema, pgbouncer, connection_limit, sslmode"), "{warning}");
    }

    #[test]
    fn nothing_of_a_password_that_is_not_encoded_is_printed() {
        for slip in [
            "Tr0ub@dor-S3cret",
            "a?dor-S3cret",
            "dor/S3cret",
            "100%dor-S3cret",
            "a?dor=S3cret",
            "%zz-S3cret",
        ] {
            let url = format!("postgres://svc:{slip}@127.0.0.1:5432/db");
            let said = match parse(&url, "usersync".into()) {
                Ok((_, warning)) => warning.unwrap_or_default(),
                Err(problem) => problem,
            };
            assert!(!said.contains("S3cret") && !said.contains("dor"), "{slip}: {said}");
            assert!(
                said.contains("percent-encode") || said.contains("of other names"),
                "{slip}: {said}"
            );
        }
        for fine in [
            "postgres://u:p%40ss@h1:1,h2:2/d",
            "postgres://u@[::1]:5432/d",
            "postgres:///d",
            "postgres://%2Frun%2Fpg/d",
            "postgres://u:pä$$w0rd!@h/d",
            "postgres://u:a:b@h/d",
            "postgres://u:a#b@h/d",
            "postgres://u:p@h:/d",
        ] {
            assert!(parse(fine, "usersync".into()).is_ok(), "{fine}");
        }
    }

    /// How people put a password into a URL.
    #[derive(Clone, Copy, Debug)]
    enum Place {
        Password,
        User,
        Parameter,
        Host,
        Database,
    }

    fn url_with(place: Place, password: &str) -> String {
        match place {
            Place::Password => format!("postgres://svc:{password}@127.0.0.1:1/db?sslmode=disable"),
            Place::User => format!("postgresql://{password}@127.0.0.1:1/db"),
            Place::Parameter => format!("postgres://svc@127.0.0.1:1/db?password={password}"),
            // What followed was lost: then an `@` of the password begins a host, for all we know.
            // The user is an address, so that no resolver is asked.
            Place::Host => format!("postgres://127.0.0.1:{password}"),
            Place::Database => format!("postgres://127.0.0.1:1/db@svc:{password}"),
        }
    }

    /// A password of words that no message holds, joined by what URLs, shells and dotenv files mind.
    fn password() -> impl Strategy<Value = (Vec<String>, String)> {
        let word = "[g-z]{2}[0-9][g-z]{3}";
        let joint = "[@:/?#%&=+$;,'\"\\\\ \u{1}é€\u{1f511}\\[\\]{}.-]{1,3}|%00|%zz|%4|://|\r\n";
        proptest::collection::vec((word, joint), 1..4).prop_map(|parts| {
            let words = parts.iter().map(|(word, _)| word.clone()).collect();
            (words, parts.into_iter().flat_map(|(word, joint)| [joint, word]).collect())
        })
    }

    fn percent_encode(text: &str) -> String {
        text.bytes().flat_map(|byte| ["%".to_owned(), format!("{byte:02X}")]).collect()
    }

    /// All that is said about a URL: by us, and by libpq where we pass it on.
    fn said_about(url: &str) -> String {
        match parse(url, "usersync".into()) {
            Err(problem) => problem,
            Ok((Database::Sqlite(_), _)) => String::new(),
            Ok((Database::Postgres(target), warning)) => {
                let error = PgConnection::establish(target.url.expose_secret()).err();
                format!("{warning:?} {error:?}")
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn no_word_of_a_password_is_printed_however_it_is_spelled(
            (words, password) in password(),
            place in prop::sample::select(&[Place::Password, Place::Parameter, Place::Host, Place::Database][..]),
        ) {
            for spelled in [password.clone(), percent_encode(&password), format!("\"{password}\"")] {
                let is_a_host = matches!(place, Place::Host) && spelled.contains('@');
                let said = if is_a_host { String::new() } else { said_about(&url_with(place, &spelled)) };
                for word in &words {
                    prop_assert!(!said.contains(word.as_str()), "{place:?} {spelled}: {said}");
                }
            }
        }
    }

    #[test]
    fn an_encoded_password_is_taken_whatever_it_holds() {
        let password = percent_encode("a@b:c/d?e#f%g&h'i\"j $kë");
        for place in [Place::Password, Place::User, Place::Parameter] {
            assert!(parse(&url_with(place, &password), "usersync".into()).is_ok(), "{place:?}");
        }
    }

    #[test]
    fn a_plain_url_gets_our_timeouts_and_no_warning() {
        let (text, warning) = url("postgres://u@h/d?connect_timeout=9");
        assert!(text.contains("connect_timeout=9") && text.contains("tcp_user_timeout=5000"));
        assert!(!text.contains("connect_timeout=3"));
        assert_eq!(warning, None);
    }

    #[test]
    fn sqlite_paths_may_be_relative_or_absolute_but_not_in_memory() {
        assert_eq!(url("sqlite://data/usersync.db").0, "data/usersync.db");
        assert_eq!(url("sqlite:///var/lib/u.db").0, "/var/lib/u.db");
        assert!(parse("sqlite://:memory:", String::new()).unwrap_err().contains("path of a file"));
        assert!(parse("sqlite://", String::new()).is_err());
    }

    #[test]
    fn another_scheme_is_an_error_that_says_so_and_not_what_the_url_was() {
        for wrong in
            ["mysql://u:hunter2@h/d", "hunter2", "file:./hunter2.db", "postgres:u:hunter2@h"]
        {
            let problem = parse(wrong, String::new()).unwrap_err();
            assert!(problem.contains("://") && !problem.contains("hunter2"), "{problem}");
        }
    }
}
