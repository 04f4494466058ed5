//! Jobs write ids, counts and closed words only, into logs, rows and output, whatever goes wrong.

use super::fixture::JobFixture;
use super::page_gate::SPOILT;
use crate::support::{ADMIN_TOKEN, Engine, RunOutput};
use clerk_emulator::{Outage, Settings};
use reqwest::Method;
use serde_json::json;

const WORDS: [&str; 8] = [
    "Adalbert",
    "Lovelock",
    "adalbert@example.org",
    "example.org",
    "nickname_of_one",
    "+15550001",
    SPOILT,
    "secret-plan",
];

fn crowd(engine: Engine) -> JobFixture {
    let fixture = JobFixture::with(engine, Settings::default());
    for number in 0..4 {
        fixture.emulator.create_user(json!({
            "first_name": "Adalbert", "last_name": format!("Lovelock{number}"),
            "email_address": [format!("adalbert@example.org{number}.example.org")],
            "username": format!("nickname_of_one_{number}"),
            "phone_number": [format!("+15550001{number:03}")],
            "public_metadata": {"role": "user", "note": "secret-plan"},
        }));
    }
    assert_eq!(fixture.ids().len(), 4);
    fixture
}

fn assert_silent(fixture: &JobFixture, output: &str) {
    let credentials = fixture.emulator.credentials();
    let secrets = [&*credentials.secret_key, &*credentials.webhook_secret, ADMIN_TOKEN];
    let jobs = fixture.database.dump_of(&["jobs: "]);
    for (place, text) in [("the output", output), ("the jobs", &jobs.join("\n"))] {
        for word in WORDS.into_iter().chain(secrets) {
            assert!(!text.contains(word), "{word} in {place}:\n{text}");
        }
    }
}

fn all(run: &RunOutput) -> String {
    format!("{}{}", run.stdout, run.stderr)
}

both_engines! {
    async fn a_job_tells_nothing_personal_and_no_secret_whatever_goes_wrong(engine) {
        let fixture = crowd(engine);
        let logged = [("RUST_LOG", "trace")];
        let mut output = String::new();
        // One who cannot be read, and one who cannot be stored.
        let ids = fixture.ids();
        fixture.pages.spoil(&ids[0]);
        for arguments in [&["backfill", "--dry-run"][..], &["backfill"], &["reconcile", "--json"]] {
            output += &all(&fixture.run_with(&logged, arguments).await);
        }
        assert!(output.contains("the job succeeded") && output.contains("a page is committed"), "{output}");
        fixture.database.execute("DELETE FROM users");
        fixture.database.refuse_users("last_name", "Lovelock1");
        output += &all(&fixture.run_with(&logged, &["backfill"]).await);
        assert!(output.contains("a user cannot be stored"), "{output}");
        assert!(fixture.rows().iter().any(|line| line.contains("Lovelock3")));
        fixture.emulator.set_outage(Outage::Unauthorized);
        let refused = fixture.run_with(&logged, &["backfill"]).await;
        assert!(refused.stderr.contains("refuses the API key"), "{refused:?}");
        output += &all(&refused);
        assert_silent(&fixture, &output);
    }

    async fn a_replica_tells_nothing_either(engine) {
        let fixture = crowd(engine);
        fixture.pages.spoil(&fixture.ids()[0]);
        let service = fixture.service().await;
        let mut output = String::new();
        for kind in ["backfill", "reconcile", "drift"] {
            output += &service.finish_job(json!({"kind": kind})).await.to_string();
        }
        let body = json!({"kind": "backfill", "email": "adalbert@example.org"}).to_string();
        output += &service.ask_as(Some(ADMIN_TOKEN), Method::POST, "/v1/jobs", Some(body)).await.body.to_string();
        output += &service.get_as(ADMIN_TOKEN, "/v1/jobs").await.body.to_string();
        output += &service.log();
        assert_silent(&fixture, &output);
    }
}
