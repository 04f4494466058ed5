//! No more than a few a day, over all requests and replicas.

use super::{SAMPLES, emptied, known_among_others, lose, recorded};
use crate::both_engines;
use crate::support::{
    Emulated, NO_WRITE_BACK, Replica, TestDatabase, outcomes, provider_variables, resync_at,
};
use clerk_emulator::{Emulator, Settings};
use tokio::task::JoinSet;

/// So many rows may always be emptied in a day.
const ALWAYS: usize = 10;

async fn held_back(both: &Emulated, ids: &[String]) {
    let answer = both.resync(ids).await;
    assert_eq!(outcomes(&answer), vec!["held_back"; ids.len()]);
    assert_eq!(answer.body["data"][0]["reason"], "brake");
}

async fn acted_on(both: &Emulated, ids: &[String]) {
    assert_eq!(outcomes(&both.resync(ids).await), vec!["absent"; ids.len()]);
}

both_engines! {
    async fn ten_are_acted_on_and_of_eleven_not_one(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let ids = known_among_others(&both, ALWAYS + 4).await;
        lose(&both, &ids[..=ALWAYS]);
        held_back(&both, &ids[..=ALWAYS]).await;
        assert_eq!((emptied(&both), recorded(&both, "held_back")), (0, ALWAYS + 1));
        // What is held back does not count; ten of the same are few enough.
        acted_on(&both, &ids[..ALWAYS]).await;
        assert_eq!((emptied(&both), recorded(&both, "emptied"), recorded(&both, "held_back")), (ALWAYS, ALWAYS, 1));
        held_back(&both, &ids[ALWAYS..=ALWAYS]).await;
        assert_eq!(both.database.count("users_live"), SAMPLES + 4);
    }

    async fn a_day_is_counted_over_several_requests(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let ids = known_among_others(&both, 16).await;
        lose(&both, &ids[..14]);
        acted_on(&both, &ids[..6]).await;
        held_back(&both, &ids[6..11]).await;
        acted_on(&both, &ids[6..10]).await;
        held_back(&both, &ids[10..11]).await;
        assert_eq!(emptied(&both), ALWAYS);
        // A day and more later.
        both.database.execute("UPDATE absences SET found_at = '2020-01-01T00:00:00.000Z'");
        acted_on(&both, &ids[10..14]).await;
        assert_eq!(emptied(&both), 14);
    }

    async fn asking_for_an_absent_user_again_does_not_use_the_day_up(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let ids = known_among_others(&both, 12).await;
        lose(&both, &ids[..ALWAYS]);
        for _ in 0..3 {
            acted_on(&both, &ids[..5]).await;
        }
        acted_on(&both, &ids[5..ALWAYS]).await;
        assert_eq!(emptied(&both), ALWAYS);
    }

    async fn of_many_rows_one_in_a_hundred_may_be_absent(engine) {
        let settings = Settings { users: 1_200, ..Settings::default() };
        let emulator = Emulator::start(settings).unwrap();
        let database = TestDatabase::new(engine);
        let both = Emulated::start_hearing_on(database, emulator, &[NO_WRITE_BACK]).await;
        let ids = both.emulator.issued_ids();
        for some in ids.chunks(100) {
            assert_eq!(both.resync(some).await.status, 200);
        }
        assert_eq!(both.database.count("users_live"), 1_200);
        lose(&both, &ids[..13]);
        held_back(&both, &ids[..13]).await;
        acted_on(&both, &ids[..12]).await;
        assert_eq!((emptied(&both), recorded(&both, "held_back")), (12, 1));
    }

    async fn requests_at_the_same_moment_on_two_replicas_do_not_exceed_it(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let own = provider_variables(&both.emulator);
        let mut variables: Vec<(&str, &str)> =
            own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        variables.push(NO_WRITE_BACK);
        let other = Replica::start_with(&both.database, &variables).await;
        let ids = known_among_others(&both, 34).await;
        lose(&both, &ids[..32]);
        let mut asked = JoinSet::new();
        for (place, group) in ids[..32].chunks(4).enumerate() {
            let origin = if place.is_multiple_of(2) { &both.origin } else { &other.origin };
            let (origin, group) = (origin.clone(), group.to_vec());
            asked.spawn(async move { resync_at(&origin, &group).await });
        }
        let answers = asked.join_all().await;
        let absent = answers.iter().flat_map(outcomes).filter(|outcome| outcome == "absent");
        assert_eq!((absent.count(), emptied(&both)), (8, 8), "two of the groups fit into a day");
        assert_eq!((recorded(&both, "emptied"), recorded(&both, "held_back")), (8, 24));
        other.stop().await;
    }
}
