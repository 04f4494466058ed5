//! `usersync send`: signs an event and posts it to a service, as the provider would. For tests of a
//! deployment, and to delete a user whom the provider does not know.

use super::{Failure, block_on, env_file, flag, now, option, output, source};
use clap::{Arg, ArgMatches, Command};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use usersync::config::{ProviderApi, emulator, signing_secrets};
use usersync::webhook::SigningSecrets;
use uuid::Uuid;

/// Real payloads of one invented user.
const SAMPLES: [(&str, &str); 3] = [
    ("user.created", include_str!("../../fixtures/webhooks/user.created.json")),
    ("user.updated", include_str!("../../fixtures/webhooks/user.updated.json")),
    ("user.deleted", include_str!("../../fixtures/webhooks/user.deleted.json")),
];

const EMULATOR_WITHIN: Duration = Duration::from_secs(3);

/// The user of the built-in events, unless `--user` names another.
const SAMPLE_USER: &str = "user_33sR3n1FRYDsxjSPI9aGB8hbGo9";

pub(super) fn command() -> Command {
    let command = Command::new("send")
        .about("Signs an event and posts it")
        .arg(Arg::new("event").required(true).value_name("EVENT|FILE").help(
            "user.created, user.updated, user.deleted, or a file whose bytes are sent as they are",
        ))
        .arg(
            option("url", "URL", "Where to post it")
                .default_value("http://127.0.0.1:8080/webhooks/clerk"),
        )
        .arg(option("user", "ID", "The provider's id of the user of a built-in event"))
        .arg(option("message-id", "ID", "The message's id; a new one each time unless given"))
        .arg(flag("json", "Prints the answer's body and nothing else"));
    env_file(command).after_help(
        "By environment only (also as a file's path in CLERK_WEBHOOK_SIGNING_SECRET_FILE):\n  \
         CLERK_WEBHOOK_SIGNING_SECRET\n          \
         What to sign with; of several the first. `usersync dev` keeps its own in data/dev/env.\n",
    )
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let source = source(matches)?;
    let secrets = signing_secrets(&source)?;
    let body = body(matches)?;
    let emulator = emulator(&source);
    block_on(async {
        if let Some(emulator) = emulator {
            announce_to_emulator(&emulator, &body).await;
        }
        post(matches, &secrets, body).await
    })
}

/// Adds the user to the emulator of `dev`: otherwise a later fetch would find no such user. Does
/// nothing if the emulator does not run.
async fn announce_to_emulator(emulator: &ProviderApi, body: &[u8]) {
    let mut url = emulator.url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v1", "usersync", "events"]);
    }
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(EMULATOR_WITHIN).build() else {
        return;
    };
    let request = client.post(url).bearer_auth(emulator.secret_key.expose_secret());
    if let Ok(answer) = request.body(body.to_vec()).send().await
        && !answer.status().is_success()
    {
        let status = answer.status().as_u16();
        output::error(&format!("the emulator does not take this user over (status {status})"));
    }
}

fn body(matches: &ArgMatches) -> Result<Vec<u8>, Failure> {
    let event = matches.get_one::<String>("event").map_or("", String::as_str);
    if let Some((_, sample)) = SAMPLES.iter().find(|(name, _)| *name == event) {
        let user = matches.get_one::<String>("user").map_or(SAMPLE_USER, String::as_str);
        return Ok(fresh(&of_user(sample, user), user));
    }
    if matches.contains_id("user") {
        return Err(Failure::Message(
            "--user goes with a built-in event; a file is sent as it is".into(),
        ));
    }
    std::fs::read(Path::new(event)).map_err(|error| {
        let names: Vec<&str> = SAMPLES.iter().map(|(name, _)| *name).collect();
        Failure::Message(format!(
            "{event} is neither a built-in event ({}) nor a file that can be read: {error}",
            names.join(", ")
        ))
    })
}

/// Values in the built-in events that only one user can have.
const IDENTIFIERS: [&str; 4] = ["rosalind.vane", "r.vane", "rvane", "acct-7781"];
const PHONE: &str = "+15555550101";

/// A built-in event with addresses, names and a phone number of another user.
fn of_user(sample: &str, user: &str) -> String {
    if user == SAMPLE_USER {
        return sample.to_owned();
    }
    let word = user.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let hash = |sum: u32, byte: u8| sum.wrapping_mul(31).wrapping_add(u32::from(byte));
    let number = user.bytes().fold(0, hash) % 10_000_000;
    let sample = sample.replace(PHONE, &format!("+1555{number:07}"));
    IDENTIFIERS
        .into_iter()
        .fold(sample, |sample, old| sample.replace(old, &format!("{old}.{word}")))
}

/// A built-in event that happened now to `user`.
fn fresh(sample: &str, user: &str) -> Vec<u8> {
    let now = now().as_millis();
    let mut event: Value = serde_json::from_str(sample).unwrap_or_default();
    if let Some(data) = event.get_mut("data").and_then(Value::as_object_mut) {
        data.insert("id".into(), user.into());
        if data.contains_key("updated_at") {
            data.insert("updated_at".into(), now.into());
        }
    }
    if let Some(envelope) = event.as_object_mut() {
        envelope.insert("timestamp".into(), now.into());
    }
    event.to_string().into_bytes()
}

async fn post(
    matches: &ArgMatches,
    secrets: &SigningSecrets,
    body: Vec<u8>,
) -> Result<(), Failure> {
    let url = matches.get_one::<String>("url").map_or("", String::as_str);
    let message_id = matches
        .get_one::<String>("message-id")
        .cloned()
        .unwrap_or_else(|| format!("msg_{}", Uuid::now_v7().simple()));
    let timestamp = now().as_seconds().to_string();
    let Some(secret) = secrets.active.first() else {
        return Err(Failure::Message("there is no secret to sign with".into()));
    };
    let signature = secret.signature(&message_id, &timestamp, &body);
    let request = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .header("svix-id", &message_id)
        .header("svix-timestamp", timestamp)
        .header("svix-signature", signature)
        .body(body);
    let answer = request.send().await.map_err(|error| unreachable(url, &error))?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    report(matches, status.as_u16(), &text);
    if status.is_success() {
        Ok(())
    } else {
        Err(Failure::Message(format!(
            "the event was not accepted: {}",
            describe_refusal(status.as_u16(), &text)
        )))
    }
}

fn unreachable(url: &str, error: &reqwest::Error) -> Failure {
    let hint = if error.is_connect() { "; is the service running there?" } else { "" };
    Failure::Message(format!("{url} cannot be reached{hint} ({error})"))
}

fn report(matches: &ArgMatches, status: u16, text: &str) {
    if matches.get_flag("json") {
        output::line(text);
        return;
    }
    let Ok(answer) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let word = |key: &str| answer.get(key).and_then(Value::as_str);
    let Some(outcome) = word("outcome") else {
        return;
    };
    let reason = word("reason").map_or_else(String::new, |reason| format!(" ({reason})"));
    let user = word("user_id").map_or_else(String::new, |id| format!(", user id {id}"));
    let message = word("event_id").unwrap_or_default();
    output::line(&format!("{outcome}{reason}: status {status}, message {message}{user}"));
    if outcome == "tombstoned" {
        output::line("This user was deleted, which is final; try another with --user user_other.");
    }
}

fn describe_refusal(status: u16, text: &str) -> String {
    let problem: Value = serde_json::from_str(text).unwrap_or_default();
    match (problem.get("code"), problem.get("detail")) {
        (Some(Value::String(code)), Some(Value::String(detail))) => {
            format!("status {status}, {code}: {detail}")
        }
        _ => format!("status {status}, and the answer is none of usersync's; check --url"),
    }
}
