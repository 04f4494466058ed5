//! What hosts, proxies and frameworks change on the way: one table, which docs/configuration.md shows.
//! What is harmless is read literally right; the rest is refused with a sentence that says what to change.

use crate::support::{Answer, Delivery, Engine, SECRET, TestApp, TestClient, user_id, user_with};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use usersync::config::{Config, ConfigError, ConfigSource, Requirement};

struct Row {
    where_: &'static str,
    change: &'static str,
    here: &'static str,
    check: Check,
}

enum Check {
    /// Variables as the process gets them.
    Variables(&'static [(&'static str, &'static str)], Verdict),
    /// The text of a file for `--env-file`.
    EnvFile(&'static str, Verdict),
    /// A signed delivery, changed; the status and words of the answer.
    Delivery(fn(&Delivery) -> Vec<Delivery>, u16, &'static str),
    /// The paths of deliveries; likewise.
    Paths(&'static [&'static str], u16, &'static str),
    /// Has a test of its own.
    Elsewhere,
}

enum Verdict {
    Reads(fn(&Config) -> bool),
    /// With these words.
    Refuses(&'static str),
}

use Check::{Delivery as Deliveries, Elsewhere, EnvFile, Paths, Variables};
use Verdict::{Reads, Refuses};

const PUBLIC_URL: &str = "USERSYNC_PUBLIC_URL";

const ROWS: &[Row] = &[
    Row {
        where_: "`docker run --env-file`, lists in Compose files",
        change: "keep the quotes around a value",
        here: "one pair of matching quotes is taken off, of a value and of each item of a list",
        check: Variables(
            &[
                ("CLERK_WEBHOOK_SIGNING_SECRET", "\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\""),
                ("PORT", "'3000'"),
                ("CLERK_SECRET_KEY", "\"\""),
                ("CLERK_AUTHORIZED_PARTIES", "\"https://a.example\",\"https://b.example\""),
            ],
            Reads(|config| {
                let secrets = &config.signing_secrets;
                config.bind.port() == 3000 && secrets.active.len() == 1 && config.api.is_none()
            }),
        ),
    },
    Row {
        where_: "Kubernetes secrets made with `echo`, dashboards, editors",
        change: "add a line break, spaces or a byte order mark",
        here: "taken off, of variables and of files of `NAME_FILE`",
        check: Variables(
            &[
                (
                    "CLERK_WEBHOOK_SIGNING_SECRET",
                    "\u{feff}whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\r\n",
                ),
                ("PORT", "\"3000\" \n"),
            ],
            Reads(|config| config.bind.port() == 3000),
        ),
    },
    Row {
        where_: "Docker, systemd, Kubernetes, Railway",
        change: "pass `${NAME}`, `$(NAME)` or a bare `$NAME` on where nothing replaces it",
        here: "refused: write the value itself, in single quotes if the `$` is part of it",
        check: Variables(
            &[
                ("DATABASE_URL", "postgres://u:${PASSWORD}@h/d"),
                ("CLERK_SECRET_KEY", "$CLERK_SECRET_KEY"),
                ("CLERK_API_URL", "$(CLERK_API_URL)"),
                ("USERSYNC_PUBLIC_URL", "${{ shared.URL }}"),
            ],
            Refuses("nothing replaced"),
        ),
    },
    Row {
        where_: "Kubernetes, links of Docker",
        change: "inject `USERSYNC_PORT=tcp://…`, `USERSYNC_SERVICE_HOST` and so on for a service called `usersync`",
        here: "not read, and not called a typing error; the port is `PORT`",
        check: Variables(
            &[
                ("USERSYNC_PORT", "tcp://10.0.0.11:8080"),
                ("USERSYNC_SERVICE_HOST", "10.0.0.11"),
                ("USERSYNC_SERVICE_PORT", "8080"),
                ("USERSYNC_SERVICE_PORT_HTTP", "8080"),
                ("USERSYNC_PORT_8080_TCP", "tcp://10.0.0.11:8080"),
                ("USERSYNC_PORT_8080_TCP_PROTO", "tcp"),
                ("USERSYNC_PORT_8080_TCP_PORT", "8080"),
                ("USERSYNC_PORT_8080_TCP_ADDR", "10.0.0.11"),
            ],
            Reads(|config| config.warnings.is_empty() && config.bind.port() == 8080),
        ),
    },
    Row {
        where_: "Helm and other writers of YAML 1.1",
        change: "turn an unquoted `on` or `off` into `true` or `false`",
        here: "`true` is `on`, `false` is `off`, in any case",
        check: Variables(
            &[
                ("USERSYNC_WORKERS", "False"),
                ("USERSYNC_WATCH_INTERVAL", "FALSE"),
                ("USERSYNC_RECONCILE_SCHEDULE", "false"),
            ],
            Reads(|config| {
                !config.workers
                    && config.watch_interval.is_none()
                    && config.reconcile_schedule.is_none()
            }),
        ),
    },
    Row {
        where_: "systemd, shells with another locale",
        change: "pass bytes on that are not UTF-8",
        here: "refused, not taken for unset",
        check: Variables(&[("CLERK_SECRET_KEY", "sk_live_\u{fffd}")], Refuses("UTF-8")),
    },
    Row {
        where_: "`.env` files from Windows",
        change: "begin with a byte order mark and end lines with `\\r\\n`",
        here: "read",
        check: EnvFile(
            "\u{feff}USERSYNC_PUBLIC_URL=https://a.example\r\nPORT=\"3000\"\r\n",
            Reads(|config| config.bind.port() == 3000 && has_public_url(config)),
        ),
    },
    Row {
        where_: "`.env` files for shells, Compose and `dotenv`",
        change: "have `export`, quotes, comments after a value, `#`, `\\n` and values of several lines",
        here: "read as Compose reads them; a quote or backslash inside an unquoted value, on which tools disagree, is refused in a variable of ours, and left out in others",
        check: EnvFile(
            "# mine, isn't it\nexport PORT='3000' # port\nUSERSYNC_PUBLIC_URL = https://a.example # url\n\
             CLERK_AUTHORIZED_PARTIES=https://a.example, https://b.example\nRUST_LOG=\nDATABASE_URL=sqlite://a#b\n\
             CLERK_INSTANCE_ID=\"ins_1\\nins_2\nins_3\"\n",
            Reads(|config| {
                config.bind.port() == 3000
                    && has_public_url(config)
                    && config.provider.instances.len() == 3
                    && format!("{:?}", config.database).contains("a#b")
            }),
        ),
    },
    Row {
        where_: "`.env` files with `$`",
        change: "stand for another variable in Compose and Next.js, for themselves in Docker and systemd",
        here: "replaced where the file or the environment has that variable, else refused; in single quotes `$` stands for itself everywhere",
        check: EnvFile("DATABASE_URL=postgres://u:pa$word@h/d\n", Refuses("single quotes")),
    },
    Row {
        where_: "Fly, Railway and their like",
        change: "reach the service over IPv6, load balancers over IPv4",
        here: "`PORT` alone and the address `[::]` take both; where the host has no IPv6, IPv4 alone",
        check: Variables(
            &[("PORT", "3000")],
            Reads(|config| config.bind.to_string() == "[::]:3000"),
        ),
    },
    Row {
        where_: "API gateways",
        change: "join headers that came twice with commas, or keep both",
        here: "each signature counts, and an id or a timestamp that came twice once",
        check: Deliveries(
            |signed| {
                let (good, bad) =
                    (signed.header("svix-signature"), format!("v1,{}=", "A".repeat(43)));
                let joined = signed.clone().with("svix-signature", &format!("{bad}, {good}"));
                let bare = signed.clone().with("svix-signature", &format!("{bad},{good}"));
                let mut twice = signed.clone().with("svix-signature", &bad);
                twice.headers.push(("svix-signature".to_owned(), good));
                let all = ["svix-id", "svix-timestamp", "svix-signature"].into_iter().fold(
                    signed.clone(),
                    |delivery, name| {
                        let value = signed.header(name);
                        delivery.with(name, &format!("{value}, {value}"))
                    },
                );
                vec![joined, bare, twice, all]
            },
            200,
            "applied",
        ),
    },
    Row {
        where_: "Joined URLs",
        change: "double a slash, or add one at the end",
        here: "the same address",
        check: Paths(
            &[
                "/webhooks/clerk/",
                "//webhooks/clerk",
                "/webhooks//clerk",
                "/api/webhooks/clerk/",
                "/webhooks/cler%6B",
            ],
            200,
            "applied",
        ),
    },
    Row {
        where_: "Routers",
        change: "keep the prefix under which the service is reached",
        here: "404 `not_found`: let the router strip it",
        check: Paths(&["/usersync/webhooks/clerk", "/usersync/api/webhooks/clerk/"], 404, "strip"),
    },
    Row {
        where_: "Body parsers of PHP, Python, Express, Go; JSON columns",
        change: "write the JSON anew: white space, `\\/`, `\\u00eb`, `\\u003c`, the order of keys",
        here: "400 `body_reencoded`: pass the raw bytes through",
        check: Deliveries(rewritten, 400, "raw bytes"),
    },
    Row {
        where_: "API Gateway, Lambda, Vercel",
        change: "make base64 of the body",
        here: "400 `body_reencoded`: decode it before it is passed on",
        check: Deliveries(
            |signed| {
                let encoded = STANDARD.encode(&signed.body);
                vec![
                    signed.clone().with_body(format!("{encoded}\n")),
                    signed.clone().with_body(format!("\"{encoded}\"")),
                ]
            },
            400,
            "base64",
        ),
    },
    Row {
        where_: "Functions that forward their event",
        change: "put the body into `{\"body\": …, \"isBase64Encoded\": …}`, or into a JSON string",
        here: "400 `body_reencoded`: pass on the body alone",
        check: Deliveries(
            |signed| {
                let text = String::from_utf8(signed.body.clone()).unwrap();
                let encoded = STANDARD.encode(&text);
                [
                    json!({"body": text, "isBase64Encoded": false}),
                    json!({"body": encoded, "isBase64Encoded": true}),
                    json!(text),
                ]
                .map(|document| signed.clone().with_body(document.to_string()))
                .into()
            },
            400,
            "another document",
        ),
    },
    Row {
        where_: "Proxies that compress",
        change: "send the body as gzip",
        here: "400 `body_reencoded`, told by its first two bytes alone: pass it on as it came",
        check: Deliveries(
            |signed| {
                vec![
                    signed
                        .clone()
                        .with_body([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0]),
                ]
            },
            400,
            "gzip",
        ),
    },
    Row {
        where_: "Body parsers",
        change: "write numbers anew (`1.0` as `1`), drop repeated keys, replace characters",
        here: "400 `bad_signature`, which cannot be told from a wrong secret: its detail names both",
        check: Deliveries(
            |signed| {
                let text = String::from_utf8(signed.body.clone()).unwrap();
                vec![signed.clone().with_body(text.replace("1000", "1000.0"))]
            },
            400,
            "raw bytes",
        ),
    },
    Row {
        where_: "HTTP clients and gateways",
        change: "write `bearer` for `Bearer`",
        here: "the same scheme, for tokens and sessions",
        check: Elsewhere,
    },
    Row {
        where_: "Proxies that say `Via` or `X-Real-IP` and no `X-Forwarded-For`",
        change: "forward requests to a loopback address",
        here: "`/metrics` is a 404 for what they forward",
        check: Elsewhere,
    },
];

fn has_public_url(config: &Config) -> bool {
    format!("{:?}", config.redirects).contains("a.example")
}

fn load(source: &ConfigSource) -> Result<Config, ConfigError> {
    Config::load(source, Requirement::SigningSecret)
}

fn with_secret() -> ConfigSource {
    let mut source = ConfigSource::default();
    source.set("CLERK_WEBHOOK_SIGNING_SECRET", SECRET.into());
    source
}

/// What an env file makes of the configuration, or how it is refused.
fn load_env_file(text: &str) -> Result<Config, Vec<String>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let mut source = with_secret();
    source.read_env_file(file.path()).map_err(|problem| vec![problem])?;
    load(&source).map_err(|error| error.0)
}

fn assert_verdict(
    change: &str,
    loaded: Result<Config, Vec<String>>,
    verdict: &Verdict,
    count: usize,
) {
    match (loaded, verdict) {
        (Ok(config), Reads(is_right)) => assert!(is_right(&config), "{change}: {config:?}"),
        (Err(problems), Refuses(words)) => {
            assert_eq!(problems.len(), count, "{change}: {problems:#?}");
            for problem in problems {
                assert!(problem.contains(words), "{change}: {problem}");
            }
        }
        (Ok(_), Refuses(_)) => panic!("{change}: is read"),
        (Err(problems), Reads(_)) => panic!("{change}: {problems:#?}"),
    }
}

#[test]
fn settings_are_read_as_they_were_meant_or_refused_with_what_to_change() {
    for row in ROWS {
        match &row.check {
            Variables(pairs, verdict) => {
                let mut source = with_secret();
                for (name, value) in *pairs {
                    source.set(name, (*value).to_owned());
                }
                assert_verdict(
                    row.change,
                    load(&source).map_err(|error| error.0),
                    verdict,
                    pairs.len(),
                );
            }
            EnvFile(text, verdict) => assert_verdict(row.change, load_env_file(text), verdict, 1),
            _ => {}
        }
    }
}

#[test]
fn a_dollar_in_an_env_file_is_replaced_where_it_is_known_and_refused_where_it_is_not() {
    let url = |file: &str| load_env_file(file).map(|config| format!("{:?}", config.redirects));
    let known = format!("HOST=a.example\n{PUBLIC_URL}=https://${{HOST}}\n");
    assert!(url(&known).unwrap().contains("a.example"));
    let token = |value: &str| load_env_file(&format!("USERSYNC_ADMIN_TOKEN={value}\n"));
    let long = "x".repeat(32);
    for refused in [
        format!("$x{long}"),
        format!("${{x}}{long}"),
        format!("$${long}"),
        format!("\"$x {long}\""),
        format!("${{{PUBLIC_URL}{long}"),
    ] {
        let problem = token(&refused).unwrap_err().concat();
        assert!(problem.contains("line 1") && !problem.contains(&long), "{problem}");
    }
    assert!(token(&format!("$({long})")).unwrap_err().concat().contains("nothing replaced"));
    for literal in [
        format!("'$x{long}'"),
        format!("'{long}${{x}}$(x)'"),
        format!("'${}'", long.to_uppercase()),
        format!("\\$x{long}"),
        format!("{long}$"),
        format!("{long}$1"),
    ] {
        assert!(token(&literal).is_ok(), "{literal}");
    }
}

#[test]
fn a_line_of_an_env_file_that_cannot_be_read_is_named_without_its_text() {
    for broken in [
        "PORT 3000",
        "A='hunter2",
        "A=\"hunter2\" more",
        "1A=hunter2",
        "=hunter2",
        "USERSYNC_ROLES=hunter\"2\"",
        "USERSYNC_ROLES=hunter2's",
        "USERSYNC_ROLES=hunter2\\\\",
    ] {
        let problem = load_env_file(&format!("PORT=1\n{broken}\n")).unwrap_err().concat();
        assert!(problem.contains("line 2") && !problem.contains("hunter2"), "{broken}: {problem}");
    }
}

#[test]
fn the_documentation_shows_the_same_table() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("<!-- hosts -->").unwrap();
    let (table, _) = table.split_once("<!-- /hosts -->").unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let expected: Vec<String> = ROWS
        .iter()
        .map(|row| format!("| {} | {} | {} |", row.where_, row.change, row.here))
        .collect();
    assert_eq!(rows, expected);
}

/// A genuine delivery with what parsers like to spell differently.
fn signed(number: usize) -> Delivery {
    let mut event = user_with(&user_id(number), 1_000, "first_name", "Zoë <b>");
    event["data"]["image_url"] = "https://img.example.org/a/b?c=1&d=2".into();
    Delivery::event(&event)
}

fn rewritten(signed: &Delivery) -> Vec<Delivery> {
    let text = String::from_utf8(signed.body.clone()).unwrap();
    let event: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let members: Vec<String> =
        event.iter().rev().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let spaced = text.replace("\":", "\": ").replace(",\"", ", \"");
    let spellings = [
        ascii(&spaced),                                // Python's json.dumps
        spaced,                                        // and with ensure_ascii=False
        ascii(&text.replace('/', "\\/")),              // PHP's json_encode
        serde_json::to_string_pretty(&event).unwrap(), // JSON.stringify(value, null, 2)
        text.replace('<', "\\u003c").replace('>', "\\u003E").replace('&', "\\u0026"), // Go's json.Marshal
        format!("{{{}}}", members.join(",")), // a column of type jsonb
        format!("\u{feff}{text}\n"),
    ];
    spellings.map(|body| signed.clone().with_body(body)).into()
}

fn ascii(text: &str) -> String {
    let mut out = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => out.push(char::from(byte)),
            _ => write!(out, "\\u{unit:04x}").unwrap(),
        }
    }
    out
}

fn assert_answer(change: &str, answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{change}: {answer:?}");
    assert!(answer.body.to_string().contains(words), "{change}: {answer:?}");
}

both_engines! {
    async fn deliveries_are_taken_as_they_were_meant_or_refused_with_what_to_change(app = TestApp::start) {
        let mut number = 0;
        let mut next = || { number += 1; signed(number) };
        for row in ROWS {
            match &row.check {
                Deliveries(change, status, words) => {
                    for delivery in change(&next()) {
                        let answer = delivery.post(&app).await;
                        let again = answer.body["outcome"] == "duplicate";
                        assert_answer(row.change, &answer, *status, if again { "duplicate" } else { words });
                        if row.here.contains("body_reencoded") {
                            answer.assert_problem(400, "body_reencoded");
                        }
                    }
                }
                Paths(paths, status, words) => {
                    for path in *paths {
                        let answer = next().post_to(&app, &format!("{}{path}", app.origin)).await;
                        assert_answer(path, &answer, *status, words);
                    }
                }
                _ => {}
            }
        }
        assert_eq!(app.database.count("quarantine"), 0);
    }

    async fn the_scheme_of_a_bearer_token_may_be_spelled_as_one_likes(app = TestApp::start) {
        for scheme in ["bearer", "BEARER", "Bearer "] {
            let token = format!("{scheme} {}", crate::support::READ_TOKEN);
            let request = app.http.get(format!("{}/v1/users", app.origin));
            let answer = request.header("authorization", token).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{scheme}");
        }
    }
}

#[tokio::test]
async fn all_addresses_means_those_of_both_families() {
    crate::support::run(async {
        let variables = [("USERSYNC_BIND", "[::]:0")];
        let app = TestApp::builder(Engine::Sqlite).variables(&variables).start().await;
        let (_, port) = app.origin.rsplit_once(':').unwrap();
        for host in ["127.0.0.1", "[::1]"] {
            let client = TestClient::of(format!("http://{host}:{port}"));
            assert_eq!(client.get("/readyz").await.status, 200, "{host}");
        }
    })
    .await;
}
