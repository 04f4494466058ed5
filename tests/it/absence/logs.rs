//! The log says what is wrong, and of nobody who.

use super::SAMPLES;
use crate::both_engines;
use crate::support::{
    ADMIN_TOKEN, Program, TestDatabase, emulator, outcomes, provider_variables, resync_at,
};
use clerk_emulator::{Emulator, Outage};
use serde_json::{Value, json};

/// Stands in every name and address.
const MARK: &str = "Personalword";

struct Logged<'a> {
    emulator: &'a Emulator,
    origin: String,
}

impl Logged<'_> {
    fn sign_up(&self, number: usize) -> String {
        let user =
            json!({"first_name": MARK, "email_address": [format!("{MARK}{number}@example.org")]});
        self.emulator.create_user(user)["id"].as_str().unwrap().to_owned()
    }

    async fn resync(&self, ids: &[String]) -> Vec<String> {
        outcomes(&resync_at(&self.origin, ids).await)
    }
}

both_engines! {
    async fn whoever_is_held_back_is_logged_with_the_reason_and_without_personal_data(engine) {
        let (database, emulator) = (TestDatabase::new(engine), emulator());
        let mut program = Program::on(&database)
            .with("USERSYNC_BIND", "127.0.0.1:0")
            .with("USERSYNC_ADMIN_TOKEN", ADMIN_TOKEN)
            .with("USERSYNC_WRITE_BACK", "off")
            .with("RUST_LOG", "trace");
        for (name, value) in provider_variables(&emulator) {
            program = program.with(&name, &value);
        }
        let mut running = program.start(&["serve"]);
        let line: Value = serde_json::from_str(&running.line_with("\"ready\"")).unwrap();
        let origin = format!("http://{}", line["address"].as_str().unwrap());
        let logged = Logged { emulator: &emulator, origin };
        let ids: Vec<String> = (0..12).map(|number| logged.sign_up(number)).collect();
        let others: Vec<String> = (12..12 + SAMPLES).map(|number| logged.sign_up(number)).collect();
        for ids in [&ids, &others] {
            assert_eq!(logged.resync(ids).await, vec!["created"; ids.len()]);
        }

        emulator.set_outage(Outage::NotFound);
        assert_eq!(logged.resync(&ids[..2]).await, ["held_back", "held_back"]);
        assert!(running.line_with("nobody is emptied").contains("\"users\":2"));

        emulator.set_outage(Outage::None);
        for id in &ids {
            emulator.delete_user(id);
        }
        assert_eq!(logged.resync(&ids).await, vec!["held_back"; 12]);
        assert!(running.line_with("more users are absent").contains("\"users\":12"));

        assert_eq!(logged.resync(&ids[..1]).await, ["absent"]);
        assert!(running.line_with("were emptied").contains("\"users\":1"));
        assert!(running.line_with("a manual resync").contains("\"users\":12"));

        let (status, said) = running.terminate();
        assert_eq!(status, Some(0));
        let key = &emulator.credentials().secret_key;
        for word in [MARK, "personalword", "example.org", ADMIN_TOKEN, key] {
            assert!(!said.contains(word), "{word} is logged:\n{said}");
        }
    }
}
