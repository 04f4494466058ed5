//! The log says what is wrong, without personal data.

use super::SAMPLES;
use crate::support::{ADMIN_TOKEN, TestApp, TestDatabase, TestEmulator, outcomes};
use clerk_emulator::Outage;
use serde_json::json;

/// Stands in every name and address.
const MARK: &str = "Personalword";

fn sign_up(emulator: &TestEmulator, number: usize) -> String {
    let user =
        json!({"first_name": MARK, "email_address": [format!("{MARK}{number}@example.org")]});
    emulator.create_user(user)["id"].as_str().unwrap().to_owned()
}

both_engines! {
    async fn whoever_is_held_back_is_logged_with_the_reason_and_without_personal_data(engine) {
        let (database, emulator) = (TestDatabase::new(engine), TestEmulator::start());
        let builder = TestApp::builder(&database).emulator(&emulator).no_write_back();
        let mut service = builder.variables(&[("RUST_LOG", "trace")]).start_process().await;
        let resync = async |ids: &[String]| outcomes(&service.resync(ids).await);
        let ids: Vec<String> = (0..12).map(|number| sign_up(&emulator, number)).collect();
        let others: Vec<String> = (12..12 + SAMPLES).map(|number| sign_up(&emulator, number)).collect();
        for ids in [&ids, &others] {
            assert_eq!(resync(ids).await, vec!["created"; ids.len()]);
        }

        emulator.set_outage(Outage::NotFound);
        assert_eq!(resync(&ids[..2]).await, ["held_back", "held_back"]);
        assert!(service.logged("nobody is emptied").await.contains("\"users\":2"));

        emulator.set_outage(Outage::None);
        for id in &ids {
            emulator.delete_user(id);
        }
        assert_eq!(resync(&ids).await, vec!["held_back"; 12]);
        assert!(service.logged("more users are absent").await.contains("\"users\":12"));

        assert_eq!(resync(&ids[..1]).await, ["absent"]);
        assert!(service.logged("were emptied").await.contains("\"users\":1"));
        assert!(service.logged("a manual resync").await.contains("\"users\":12"));

        let log = service.stop().await;
        let key = &emulator.credentials().secret_key;
        for word in [MARK, "personalword", "example.org", ADMIN_TOKEN, key] {
            assert!(!log.contains(word), "{word} is logged:\n{log}");
        }
    }
}
