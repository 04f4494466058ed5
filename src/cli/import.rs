//! `usersync import`: creates rows from a file of users, with the ids that the application already
//! uses. Reads flags and prints outcomes; the import itself is [`usersync::sync::import`].

use super::{DATABASE_VARIABLES, METADATA_VARIABLES, ROW_VARIABLES};
use super::{Failure, block_on, configuration, configured_by, flag, option, output, prepared};
use clap::{Arg, ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fs::File;
use std::io::{self, Read};
use usersync::config::Requirement;
use usersync::sync::import::{BadLine, Import, ImportCounts, ImportFormat, ImportObserver};

const STANDARD_INPUT: &str = "-";

const ABOUT: &str = "Creates rows for the users in a file; changes no existing row";

const MORE: &str = "A file is one of three, recognised by its beginning:

  * the dashboard's CSV export (password digests and TOTP secrets in it are not read);
  * NDJSON: a user of the Backend API a line (private and unsafe metadata are not read);
  * pairs: CSV with the header `id,external_id`, the application's own id of a row and the \
provider's of its user, so that the row keeps the id that foreign keys already refer to.

The other two give a row its id as every new row gets one, by USERSYNC_USER_ID.

A row is made for a user who has none; nothing else is ever changed, and no deleted user comes back. \
Whatever a webhook or a fetch says of the user later replaces what the file says. The provider is \
not asked. An import may be repeated, and the service may run meanwhile.

Bad lines are skipped, and named on standard error by the number of the line on which they begin; \
then the exit status is 1, and the good lines were imported. A line may have 1 MiB, and quotes are read as csv programs do.";

const JSON: &str = "Prints objects to standard output: {\"line\",\"reason\"} for each bad line, and \
                    at the end {\"format\",\"dry_run\",\"complete\",\"lines\",\"imported\",\"known\",\"bad\"}";

const DRY_RUN: &str = "Checks every line and writes nothing; which lines repeat or contradict each \
                       other is seen within batches of 500 lines or 4 MiB only, where an import \
                       sees it all";

pub(super) fn command() -> Command {
    let groups = [DATABASE_VARIABLES, ROW_VARIABLES, METADATA_VARIABLES, &["USERSYNC_MIGRATE"]];
    configured_by(Command::new("import"), &groups)
        .about(ABOUT)
        .long_about(format!("{ABOUT}.\n\n{MORE}"))
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .help("The file; `-` reads standard input"),
        )
        .arg(
            option("format", "FORMAT", "What the file is, whatever it begins like")
                .value_parser(ImportFormat::ALL.map(ImportFormat::as_str)),
        )
        .arg(flag(
            "ids-from-external-id",
            "Takes the row's id from the field `external_id` of each user; NDJSON only",
        ))
        .arg(flag("dry-run", DRY_RUN))
        .arg(flag("json", JSON))
}

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let config = configuration(matches, Requirement::Nothing)?;
    let store = prepared(&config)?;
    let name = matches.get_one::<String>("file").map_or(STANDARD_INPUT, String::as_str);
    let (input, length) = open(name)?;
    let dry_run = matches.get_flag("dry-run");
    let word = matches.get_one::<String>("format");
    let import = Import {
        store: &store,
        defaults: config.row_defaults(),
        provider: &config.provider,
        format: word.and_then(|word| word.parse().ok()),
        ids_from_external_id: matches.get_flag("ids-from-external-id"),
        dry_run,
    };
    let mut reporter =
        ImportReporter { format: None, as_json: matches.get_flag("json"), bar: bar(length) };
    let mut counts = ImportCounts::default();
    let end = block_on(async { Ok(import.run(input, &mut counts, &mut reporter).await) })?;
    reporter.sum_up(&counts, dry_run, end.is_ok());
    let name = if name == STANDARD_INPUT { "standard input" } else { name };
    let state = if dry_run { "nothing was written" } else { "the good ones were imported" };
    let ImportCounts { lines, bad, .. } = counts;
    match end {
        Err(error) if lines == 0 => Err(Failure::Message(format!("{name}: {error}"))),
        Err(error) => Err(Failure::Message(format!(
            "{name}: {error}\nBefore that, {lines} line(s) were read, {bad} of them bad; {state}"
        ))),
        Ok(()) if bad > 0 => Err(Failure::Message(format!(
            "{name}: {bad} of {lines} line(s) were bad and skipped; {state}"
        ))),
        Ok(()) => Ok(()),
    }
}

/// The input and its length, if known.
fn open(name: &str) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if name == STANDARD_INPUT {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(name)
        .map_err(|error| Failure::Message(format!("{name} cannot be opened: {error}")))?;
    let length = file.metadata().ok().filter(std::fs::Metadata::is_file);
    Ok((Box::new(file), length.map(|file| file.len())))
}

fn bar(length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => {
            (ProgressBar::new(length), "{spinner} {wide_bar} {bytes}/{total_bytes} {eta}")
        }
        None => (ProgressBar::no_length(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Prints bad lines and progress during the import, and a summary at its end.
struct ImportReporter {
    format: Option<ImportFormat>,
    as_json: bool,
    bar: ProgressBar,
}

impl ImportObserver for ImportReporter {
    fn format(&mut self, format: ImportFormat) {
        self.format = Some(format);
    }

    fn bad_line(&mut self, line: u64, why: &BadLine) {
        self.bar.suspend(|| {
            if self.as_json {
                output::line(&json!({"line": line, "reason": why.to_string()}).to_string());
            } else {
                output::error(&format!("line {line}: {why}"));
            }
        });
    }

    fn bytes_imported(&mut self, bytes: u64) {
        self.bar.set_position(bytes);
    }
}

impl ImportReporter {
    fn sum_up(&self, counts: &ImportCounts, dry_run: bool, complete: bool) {
        self.bar.finish_and_clear();
        let format = self.format.map(ImportFormat::as_str);
        let ImportCounts { lines, imported, known, bad } = counts;
        if self.as_json {
            let sum = json!({
                "format": format, "dry_run": dry_run, "complete": complete, "lines": lines,
                "imported": imported, "known": known, "bad": bad,
            });
            output::line(&sum.to_string());
        } else if let Some(format) = format {
            let verb = if dry_run { "would be imported" } else { "imported" };
            output::line(&format!(
                "{format}: {lines} line(s) read, {imported} {verb}, {known} known already, {bad} bad"
            ));
        }
    }
}
