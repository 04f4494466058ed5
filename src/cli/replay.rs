//! `usersync replay`: lists quarantined deliveries, and tries to apply them again through a queue
//! of its own. For operators, after an upgrade or a repair.

use super::{DATABASE_VARIABLES, ROW_VARIABLES};
use super::{Failure, block_on, configuration, configured_by, flag, output};
use clap::{Arg, ArgGroup, ArgMatches, Command};
use serde_json::json;
use std::sync::Arc;
use usersync::config::{Config, Requirement};
use usersync::domain::Outcome;
use usersync::ingest::{Ingest, replay};
use usersync::store::{Store, quarantine::QuarantineRecord};
use usersync::telemetry::Metrics;

const MOST_LISTED: i64 = 10_000;

pub(super) fn command() -> Command {
    let groups = [DATABASE_VARIABLES, ROW_VARIABLES, &["CLERK_INSTANCE_ID"]];
    configured_by(Command::new("replay"), &groups)
        .about("Applies quarantined deliveries again")
        .arg(
            Arg::new("id")
                .value_name("ID")
                .num_args(1..)
                .help("Message ids, as `--list` shows them"),
        )
        .arg(flag("list", "Lists what is quarantined, and why"))
        .arg(flag("all", "Applies all quarantined deliveries, oldest first"))
        .arg(flag("json", "Prints an object a line"))
        .group(ArgGroup::new("what").args(["id", "list", "all"]).required(true))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = configuration(matches, Requirement::Nothing)?;
    let store = Store::new(&config.database);
    block_on(async {
        if matches.get_flag("list") {
            return list(&store, matches.get_flag("json")).await;
        }
        let ids: Vec<String> = if let Some(ids) = matches.get_many::<String>("id") {
            ids.cloned().collect()
        } else {
            let all = store.list_quarantined(MOST_LISTED).await?;
            all.into_iter().map(|message| message.message_id).collect()
        };
        replay_each(&config, &store, &ids, matches.get_flag("json")).await
    })
}

async fn list(store: &Store, as_json: bool) -> Result<(), Failure> {
    let messages = store.list_quarantined(MOST_LISTED).await?;
    for message in &messages {
        output::line(&describe(message, as_json));
    }
    if messages.is_empty() && !as_json {
        output::line("nothing is quarantined");
    }
    Ok(())
}

fn describe(message: &QuarantineRecord, as_json: bool) -> String {
    let QuarantineRecord { message_id, event_type, reason, path, size_bytes, received_at } =
        message;
    if as_json {
        return json!({
            "message_id": message_id, "type": event_type, "reason": reason, "path": path,
            "size_bytes": size_bytes, "received_at": received_at,
        })
        .to_string();
    }
    let place = path.as_ref().map_or_else(String::new, |path| format!(" at {path}"));
    let event_type = if event_type.is_empty() { "(no type)" } else { event_type };
    format!("{received_at}  {message_id}  {event_type}  {reason}{place}  {size_bytes} bytes")
}

/// Replays messages in order; fails if one stays quarantined.
async fn replay_each(
    config: &Config,
    store: &Store,
    ids: &[String],
    as_json: bool,
) -> Result<(), Failure> {
    let metrics = Arc::new(Metrics::default());
    let (ingest, writer) = Ingest::start(store, config.row_defaults(), Arc::default(), metrics)
        .map_err(|error| Failure::Message(format!("the writer could not be started: {error}")))?;
    let mut failed = 0;
    for id in ids {
        let (line, is_applied) = match replay(&ingest, store, &config.provider, id).await {
            Ok(delivery) => {
                let is_applied = !matches!(delivery.outcome, Outcome::Quarantined(_));
                let (outcome, reason) = (delivery.outcome.as_str(), delivery.outcome.reason());
                (describe_result(id, outcome, reason, as_json), is_applied)
            }
            Err(error) => (describe_result(id, "failed", Some(&error.to_string()), as_json), false),
        };
        failed += usize::from(!is_applied);
        output::line(&line);
    }
    ingest.close();
    writer.join();
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Message(format!(
            "{failed} of {} message(s) could not be applied",
            ids.len()
        ))),
    }
}

fn describe_result(id: &str, outcome: &str, reason: Option<&str>, as_json: bool) -> String {
    if as_json {
        return json!({"message_id": id, "outcome": outcome, "reason": reason}).to_string();
    }
    let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    format!("{id}: {outcome}{reason}")
}
