//! Jobs hold ids, counts and closed words only, in logs, rows and output, whatever goes wrong.

use super::fixture::Scene;
use super::operator::Operator;
use super::page_gate::SPOILT;
use crate::both_engines;
use crate::support::{ADMIN_TOKEN, Engine, Finished};
use clerk_emulator::{Outage, Settings};
use reqwest::Method;
use serde_json::json;

/// Everything personal of the users below.
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

fn crowd(engine: Engine) -> Scene {
    let scene = Scene::with(engine, Settings::default());
    for number in 0..4 {
        scene.emulator.create_user(json!({
            "first_name": "Adalbert", "last_name": format!("Lovelock{number}"),
            "email_address": [format!("adalbert@example.org{number}.example.org")],
            "username": format!("nickname_of_one_{number}"),
            "phone_number": [format!("+15550001{number:03}")],
            "public_metadata": {"role": "user", "note": "secret-plan"},
        }));
    }
    assert_eq!(scene.ids().len(), 4);
    scene
}

fn assert_silent(scene: &Scene, told: &str) {
    let credentials = scene.emulator.credentials();
    let secrets = [&*credentials.secret_key, &*credentials.webhook_secret, ADMIN_TOKEN];
    let jobs: Vec<String> =
        scene.standing().into_iter().filter(|line| line.starts_with("jobs: ")).collect();
    for (place, text) in [("what was told", told), ("the jobs", &jobs.join("\n"))] {
        for word in WORDS.into_iter().chain(secrets) {
            assert!(!text.contains(word), "{word} in {place}:\n{text}");
        }
    }
}

fn all(run: &Finished) -> String {
    format!("{}{}", run.stdout, run.stderr)
}

both_engines! {
    async fn a_job_tells_nothing_personal_and_no_secret_whatever_goes_wrong(engine) {
        let scene = crowd(engine);
        let logged = [("RUST_LOG", "trace")];
        let mut told = String::new();
        // One who cannot be read, and one who cannot be stored.
        let ids = scene.ids();
        scene.pages.spoil(&ids[0]);
        for arguments in [&["backfill", "--dry-run"][..], &["backfill"], &["reconcile", "--json"]] {
            told += &all(&scene.run_with(&logged, arguments).await);
        }
        assert!(told.contains("the job succeeded") && told.contains("a page is committed"), "{told}");
        scene.database.execute("DELETE FROM users");
        scene.database.execute(match engine {
            Engine::Postgres => "ALTER TABLE users ADD CHECK (last_name <> 'Lovelock1')",
            Engine::Sqlite => {
                "CREATE TRIGGER refuse BEFORE INSERT ON users WHEN NEW.last_name = 'Lovelock1' \
                 BEGIN SELECT RAISE(ABORT, 'Lovelock1 is refused'); END"
            }
        });
        told += &all(&scene.run_with(&logged, &["backfill"]).await);
        assert!(told.contains("a user cannot be stored"), "{told}");
        // The words are found where they belong.
        assert!(scene.rows().iter().any(|line| line.contains("Lovelock3")));
        scene.emulator.set_outage(Outage::Unauthorized);
        let refused = scene.run_with(&logged, &["backfill"]).await;
        assert!(refused.stderr.contains("refuses the API key"), "{refused:?}");
        told += &all(&refused);
        assert_silent(&scene, &told);
    }

    async fn a_replica_tells_nothing_either(engine) {
        let scene = crowd(engine);
        scene.pages.spoil(&scene.ids()[0]);
        let service = scene.service().await;
        let operator = Operator::of(&service.origin());
        let mut told = String::new();
        for kind in ["backfill", "reconcile", "drift"] {
            told += &operator.done(json!({"kind": kind})).await.to_string();
        }
        let body = json!({"kind": "backfill", "email": "adalbert@example.org"}).to_string();
        told += &operator.ask(Method::POST, "/v1/jobs", Some(ADMIN_TOKEN), Some(body)).await.body.to_string();
        told += &operator.get("/v1/jobs").await.body.to_string();
        told += &service.log();
        assert_silent(&scene, &told);
    }
}
