//! Acknowledged means stored: random deliveries, twins and malformed ones included, while commits and
//! the quarantine fail, and afterwards once more. The seed of a run that fails is in its output.

use crate::support::{
    Answer, Engine, Rng, TestApp, TestDatabase, deleted, user, user_id, user_with,
};
use serde_json::{Value, json};

/// Users who are changed, and users who are deleted too.
const USERS: usize = 5;
const DELETED: usize = 2;

const DELIVERIES: usize = 14;

/// What fails while deliveries come.
const TROUBLES: [&[&str]; 6] =
    [&[], &["commit"], &["quarantine"], &["commit", "quarantine"], &["full"], &["quarantine"]];

type Delivery = (String, Value);

/// As many as one round sends, some of them twins: with the message id of another one.
fn deliveries(rng: &mut Rng, round: usize) -> Vec<Delivery> {
    let mut made: Vec<Delivery> = Vec::new();
    for number in 0..DELIVERIES {
        let twin =
            (!made.is_empty() && rng.below(4) == 0).then(|| made[rng.below(made.len())].clone());
        made.push(twin.unwrap_or_else(|| (format!("msg_{round}_{number}"), event(rng))));
    }
    made
}

fn event(rng: &mut Rng) -> Value {
    let id = user_id(rng.below(USERS));
    let updated_at = 1_000 + i64::try_from(rng.below(1_000)).unwrap();
    match rng.below(10) {
        0 | 1 => json!({"type": "user.updated", "data": {"id": 7}}),
        2 | 3 => user_with(&id, updated_at, "last_name", "poison"),
        4 => deleted(&user_id(rng.below(DELETED))),
        5 => json!({"type": "session.created", "data": {"id": "sess_1"}}),
        _ => user(&id, updated_at),
    }
}

/// Tables that make a commit, or the quarantine, fail for as long as `troubles` names them: the commit
/// by a foreign key that is checked no sooner, and that a trigger violates.
fn prepare(database: &TestDatabase) {
    database.execute(
        "CREATE TABLE troubles (name text); CREATE TABLE parents (id integer PRIMARY KEY); \
         CREATE TABLE children (id integer REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
    );
    database.execute(match database.engine {
        Engine::Postgres => {
            "CREATE FUNCTION fail_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF EXISTS (SELECT FROM troubles WHERE name = 'commit') THEN INSERT INTO children VALUES (1); END IF; \
                 RETURN NEW; END $$; \
             CREATE FUNCTION fail_quarantine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF EXISTS (SELECT FROM troubles WHERE name = 'quarantine') THEN RAISE EXCEPTION 'no'; END IF; \
                 RETURN NEW; END $$; \
             CREATE TRIGGER fail_commit AFTER INSERT OR UPDATE ON webhook_events \
                 FOR EACH ROW EXECUTE FUNCTION fail_commit(); \
             CREATE TRIGGER fail_quarantine BEFORE INSERT ON quarantine \
                 FOR EACH ROW EXECUTE FUNCTION fail_quarantine()"
        }
        Engine::Sqlite => {
            "CREATE TRIGGER fail_commit AFTER INSERT ON webhook_events \
                 WHEN EXISTS (SELECT 1 FROM troubles WHERE name = 'commit') \
                 BEGIN INSERT INTO children VALUES (1); END; \
             CREATE TRIGGER fail_quarantine BEFORE INSERT ON quarantine \
                 WHEN EXISTS (SELECT 1 FROM troubles WHERE name = 'quarantine') \
                 BEGIN SELECT RAISE(ABORT, 'no'); END"
        }
    });
    database.refuse_users("last_name", "poison");
}

fn make_trouble(database: &TestDatabase, troubles: &[&str]) {
    database.execute("DELETE FROM troubles; DELETE FROM quarantine WHERE message_id = 'filler'");
    for trouble in troubles {
        database.execute(&match (*trouble, database.engine) {
            ("full", engine) => {
                let body = if engine == Engine::Postgres { "''::bytea" } else { "x''" };
                let clock = engine.clock();
                format!(
                    "INSERT INTO quarantine (source, message_id, type, reason, body, size_bytes, received_at) \
                     VALUES ('filler', 'filler', '', '', {body}, 67108864, {clock})"
                )
            }
            (name, _) => format!("INSERT INTO troubles VALUES ('{name}')"),
        });
    }
}

/// Sends all at once; they come in any order, in a few batches.
async fn send(app: &TestApp, deliveries: &[Delivery]) -> Vec<Answer> {
    let send = |(id, event): &Delivery| app.spawn(id.clone(), event.to_string().into());
    let sending: Vec<_> = deliveries.iter().map(send).collect();
    let mut answers = Vec::new();
    for answer in sending {
        answers.push(answer.await.unwrap());
    }
    answers
}

/// Whatever was answered 2xx is stored with that outcome, and nothing else is.
fn assert_stored(database: &TestDatabase, deliveries: &[Delivery], answers: &[Answer]) {
    for ((id, event), answer) in deliveries.iter().zip(answers) {
        let stored =
            format!("SELECT outcome AS value FROM webhook_events WHERE message_id = '{id}'");
        let stored = database.texts(&stored).pop();
        let complaint = format!("{id} {event}: {answer:?}, stored: {stored:?}");
        let twins = deliveries.iter().zip(answers).filter(|((other, _), _)| other == id);
        let said: Vec<&str> = twins.filter_map(|(_, twin)| twin.body["outcome"].as_str()).collect();
        let status = match answer.body["outcome"].as_str() {
            Some("duplicate") => {
                assert!(stored.is_some(), "{complaint}");
                200
            }
            // It is tried anew when it comes again, and a deletion removes the body.
            Some("quarantined") => {
                let stored = stored.as_deref().unwrap_or_else(|| panic!("{complaint}"));
                assert!(said.contains(&stored) || stored == "tombstoned", "{complaint}");
                202
            }
            Some(outcome) => {
                assert_eq!(stored.as_deref(), Some(outcome), "{complaint}");
                200
            }
            None => 503,
        };
        assert_eq!(answer.status, status, "{complaint}");
        assert!(!said.is_empty() || stored.is_none(), "{complaint}");
    }
}

/// What is the same in the end, whatever came in between. A refused delivery is not among it: one that
/// comes beside a newer one of its user is older, and need not be written.
fn final_state(database: &TestDatabase) -> Vec<String> {
    let users = "SELECT external_id || ' ' || status || ' ' || COALESCE(last_name, '-') || ' ' || \
        CAST(version_updated_at AS text) AS value FROM users ORDER BY 1";
    let kept = "SELECT message_id || ' ' || reason AS value FROM quarantine \
        WHERE reason <> 'refused_by_database' ORDER BY 1";
    let known = "SELECT message_id AS value FROM webhook_events ORDER BY 1";
    [database.texts(users), database.texts(kept), database.texts(known)].concat()
}

both_engines! {
    async fn whatever_fails_an_acknowledged_delivery_is_stored_and_all_heals_when_sent_again(engine) {
        let mut rng = Rng::seeded(7);
        let app = TestApp::start(engine).await;
        prepare(&app.database);
        let mut all = Vec::new();
        for (round, troubles) in TROUBLES.iter().enumerate() {
            make_trouble(&app.database, troubles);
            let deliveries = deliveries(&mut rng, round);
            let answers = send(&app, &deliveries).await;
            assert_stored(&app.database, &deliveries, &answers);
            all.extend(deliveries);
        }
        make_trouble(&app.database, &[]);
        rng.shuffle(&mut all);
        let untroubled = TestApp::start(engine).await;
        prepare(&untroubled.database);
        for part in all.chunks(2 * DELIVERIES) {
            let answers = send(&app, part).await;
            assert_stored(&app.database, part, &answers);
            assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
            send(&untroubled, part).await;
        }
        assert_eq!(final_state(&app.database), final_state(&untroubled.database));
    }
}
