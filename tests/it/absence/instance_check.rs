//! Nobody is emptied while the key may be a wrong one, or the provider in trouble.

use super::{emptied, known, lose, recorded};
use crate::both_engines;
use crate::support::{Emulated, NO_WRITE_BACK, outcomes};
use clerk_emulator::{Emulator, INSTANCE, Outage, Settings};

/// A provider of another instance, with users of its own.
fn other_instance() -> Emulator {
    let settings = Settings { instance_id: "ins_other".into(), users: 5, ..Settings::default() };
    Emulator::start(settings).unwrap()
}

/// What every row holds.
fn table(both: &Emulated) -> String {
    let dump = both.database.dump();
    dump.lines().filter(|line| line.starts_with("users:")).collect()
}

async fn held_back(both: &Emulated, ids: &[String], reason: &str) {
    let before = table(both);
    let answer = both.resync(ids).await;
    assert_eq!(outcomes(&answer), vec!["held_back"; ids.len()]);
    for one in answer.body["data"].as_array().unwrap() {
        assert_eq!(one["reason"], reason);
    }
    assert_eq!((table(both), emptied(both)), (before, 0));
    assert_eq!((recorded(both, "held_back"), recorded(both, "emptied")), (ids.len(), 0));
}

fn pinned(both: &Emulated) -> Vec<Option<String>> {
    both.database.query("SELECT instance_id AS value FROM pinned_instances")
}

both_engines! {
    async fn trap_36_a_provider_that_answers_404_to_everything_empties_nobody(engine) {
        for is_pinned in [false, true] {
            let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
            let ids = known(&both, 4).await;
            if is_pinned {
                prove(&both).await;
            }
            both.emulator.set_outage(Outage::NotFound);
            let reason = if is_pinned { "nobody_known" } else { "wrong_instance" };
            held_back(&both, &ids, reason).await;
            held_back_once_more(&both, &ids).await;
            both.emulator.set_outage(Outage::None);
            assert_eq!(outcomes(&both.resync(&ids).await), vec!["unchanged"; 4]);
        }
    }

    async fn trap_36_empty_lists_empty_nobody(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let ids = known(&both, 4).await;
        both.emulator.set_outage(Outage::EmptyLists);
        assert_eq!(outcomes(&both.resync(&ids).await), vec!["unchanged"; 4]);
        assert_eq!((emptied(&both), both.database.count("absences")), (0, 0));
    }

    async fn trap_36_a_key_that_is_refused_empties_nobody(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let ids = known(&both, 4).await;
        lose(&both, &ids[..1]);
        for outage in [Outage::Unauthorized, Outage::Unavailable] {
            both.emulator.set_outage(outage);
            assert_eq!(outcomes(&both.resync(&ids).await), vec!["failed"; 4]);
        }
        assert_eq!((emptied(&both), both.database.count("absences")), (0, 0));
    }

    async fn trap_24_a_key_of_another_instance_empties_nobody_and_pins_nothing(engine) {
        let first = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let ids = known(&first, 4).await;
        assert_eq!(pinned(&first), []);
        let second = moved(first, other_instance()).await;
        held_back(&second, &ids, "wrong_instance").await;
        assert_eq!(pinned(&second), []);
    }

    async fn trap_24_a_key_of_another_instance_than_the_pinned_one_empties_nobody(engine) {
        let first = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let ids = known(&first, 4).await;
        prove(&first).await;
        assert_eq!(pinned(&first), [Some(INSTANCE.to_owned())]);
        let second = moved(first, other_instance()).await;
        // Even where it knows a user of the table: one that was fetched with it.
        let foreign = second.emulator.issued_ids();
        assert_eq!(second.resync_one(&foreign[0]).await.0, "created");
        held_back(&second, &ids, "wrong_instance").await;
        assert_eq!(pinned(&second), [Some(INSTANCE.to_owned())]);
    }

    async fn trap_24_a_key_of_another_instance_than_the_configured_one_empties_nobody(engine) {
        let configured = ("CLERK_INSTANCE_ID", "ins_configured, ins_as_well");
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, configured]).await;
        let ids = known(&both, 4).await;
        lose(&both, &ids[..1]);
        held_back(&both, &ids[..1], "wrong_instance").await;
        assert_eq!(pinned(&both), []);
    }

    async fn trap_24_a_wrong_key_writes_nothing_back_either(engine) {
        let first = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let ids = known(&first, 2).await;
        prove(&first).await;
        let emulator = other_instance();
        let database = first.app.stop().await;
        let second = Emulated::start_hearing_on(database, emulator, &[]).await;
        let own = second.emulator.issued_ids();
        assert_eq!(second.resync_one(&own[0]).await.0, "created");
        let token = second.emulator.session_token(&own[0]);
        let request = second.client.get(format!("{}/api/clerk/syncUsers", second.origin));
        let request = request.bearer_auth(token).header("accept", "application/json");
        assert_eq!(request.send().await.unwrap().status(), 200);
        assert_eq!(second.emulator.counts().requests_of("metadata_patch"), 0);
        assert_eq!(second.database.count("write_backs WHERE state = 'due'"), 1);
        assert_eq!(second.database.count("users_live"), ids.len() + 1);
    }

    async fn the_only_live_user_is_never_emptied(engine) {
        for is_pinned in [false, true] {
            let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
            let ids = known(&both, if is_pinned { 2 } else { 1 }).await;
            if is_pinned {
                lose(&both, &ids[1..]);
                assert_eq!(both.resync_one(&ids[1]).await.0, "absent");
                both.database.execute("DELETE FROM users WHERE deletion_kind = 'absent'");
                both.database.execute("DELETE FROM absences");
            }
            lose(&both, &ids[..1]);
            let reason = if is_pinned { "nobody_known" } else { "wrong_instance" };
            held_back(&both, &ids[..1], reason).await;
        }
    }

    async fn the_first_key_that_knows_a_user_pins_its_instance(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK, ("CLERK_INSTANCE_ID", INSTANCE)]).await;
        let ids = known(&both, 2).await;
        lose(&both, &ids[..1]);
        assert_eq!(both.resync_one(&ids[0]).await.0, "absent");
        assert_eq!(pinned(&both), [Some(INSTANCE.to_owned())]);
    }
}

/// Has the key proven: by a user who is absent in truth, whose trace is removed.
async fn prove(both: &Emulated) {
    let extra = known(both, 1).await;
    lose(both, &extra);
    assert_eq!(both.resync_one(&extra[0]).await.0, "absent");
    both.database.execute("DELETE FROM users WHERE deletion_kind = 'absent'");
    both.database.execute("DELETE FROM absences");
}

/// The same database, asked about at another provider.
async fn moved(both: Emulated, emulator: Emulator) -> Emulated {
    let database = both.app.stop().await;
    Emulated::start_hearing_on(database, emulator, &[NO_WRITE_BACK]).await
}

/// Insisting does not help: the same absences are recorded once.
async fn held_back_once_more(both: &Emulated, ids: &[String]) {
    assert_eq!(outcomes(&both.resync(ids).await), vec!["held_back"; ids.len()]);
    assert_eq!((recorded(both, "held_back"), emptied(both)), (ids.len(), 0));
}
