//! Which signatures, headers and times of a delivery pass, how the others are answered, and that
//! nothing is stored of them.

use crate::support::{
    Answer, Delivery, SECRET, TestApp, TestDatabase, message_id, now_seconds, user, user_id,
};
use serde_json::Value;

const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const HEADERS: [&str; 3] = ["id", "timestamp", "signature"];

fn event() -> Delivery {
    Delivery::event(&user(&user_id(1), 1_000))
}

fn body() -> String {
    user(&user_id(1), 1_000).to_string()
}

fn assert_refused(answer: &Answer, code: &str) {
    answer.assert_problem(400, code);
}

fn assert_nothing_stored(database: &TestDatabase) {
    for table in ["users", "webhook_events", "quarantine", "quarantine_subjects"] {
        assert_eq!(database.count(table), 0, "{table}");
    }
}

both_engines! {
    async fn a_missing_header_is_named(app = TestApp::start) {
        for name in HEADERS {
            let header = format!("svix-{name}");
            for signed in [event().without(&header), event().with(&header, " ")] {
                let answer = signed.post(&app).await;
                assert_refused(&answer, "missing_header");
                assert!(answer.body["detail"].as_str().unwrap().contains(&header), "{answer:?}");
            }
        }
        let bare = HEADERS.iter().fold(event(), |signed, name| signed.without(&format!("svix-{name}")));
        assert_refused(&bare.post(&app).await, "missing_header");
        assert_nothing_stored(&app.database);
    }

    async fn trap_4_either_family_of_headers_passes_and_so_does_a_mix(app = TestApp::start) {
        let families: [&[&str]; 4] = [&[], &HEADERS, &["id"], &["timestamp", "signature"]];
        for renamed in families {
            let signed = renamed.iter().fold(event(), |signed, name| signed.renamed(name));
            let answer = signed.post(&app).await;
            assert_eq!(answer.status, 200, "{renamed:?}: {answer:?}");
        }
    }

    async fn headers_that_no_provider_sends_are_refused(app = TestApp::start) {
        let long = event().with("svix-id", &"m".repeat(300));
        assert_refused(&long.post(&app).await, "invalid_header");
        for timestamp in ["hello", "-1", "1700000000.5", "99999999999999999999"] {
            let signed = event().with("svix-timestamp", timestamp);
            assert_refused(&signed.post(&app).await, "invalid_timestamp");
        }
        assert_nothing_stored(&app.database);
    }

    async fn trap_3_a_timestamp_may_be_five_minutes_off_either_way_and_no_more(app = TestApp::start) {
        let signed = |offset: i64| Delivery::by(SECRET, now_seconds() + offset, body());
        assert_refused(&signed(-310).post(&app).await, "timestamp_too_old");
        assert_refused(&signed(310).post(&app).await, "timestamp_too_new");
        let milliseconds = Delivery::by(SECRET, now_seconds() * 1_000, body());
        assert_refused(&milliseconds.post(&app).await, "timestamp_too_new");
        assert_nothing_stored(&app.database);
        assert_eq!(signed(-290).post(&app).await.status, 200);
        assert_eq!(signed(290).post(&app).await.status, 200);
    }

    async fn a_signature_over_anything_else_is_refused(app = TestApp::start) {
        let moved = (now_seconds() + 1).to_string();
        let forged = [
            Delivery::by(OTHER_SECRET, now_seconds(), body()),
            event().with_body(body().replace("Ada", "Eve")),
            event().with("svix-id", &message_id()),
            Delivery::by(SECRET, now_seconds() - 5, body()).with("svix-timestamp", &moved),
            event().with("svix-signature", "v1,dawfeoifkpqwoekfpqoekf"),
            event().with("svix-signature", "v1,"),
        ];
        for signed in forged {
            assert_refused(&signed.post(&app).await, "bad_signature");
        }
        assert_nothing_stored(&app.database);
    }

    async fn trap_3_one_good_signature_among_others_passes(app = TestApp::start) {
        let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
        let good = event();
        let signature = good.header("svix-signature");
        let other_versions = format!("v1a,{wrong} v2,{wrong} nonsense {wrong} {signature} {wrong}");
        assert_eq!(good.clone().with("svix-signature", &other_versions).post(&app).await.status, 200);
        let only_v2 = signature.replace("v1,", "v2,");
        assert_refused(&good.clone().with("svix-signature", &only_v2).post(&app).await, "bad_signature");
        let too_late = format!("{} {signature}", [wrong; 16].join(" "));
        assert_refused(&good.with("svix-signature", &too_late).post(&app).await, "bad_signature");
    }

    async fn trap_2_any_of_several_secrets_passes_while_one_is_rotated(engine) {
        for separator in [",", " ", " , "] {
            let secrets = format!("{SECRET}{separator}{OTHER_SECRET}\n");
            let variables = [("CLERK_WEBHOOK_SIGNING_SECRET", secrets.as_str())];
            let app = TestApp::builder(engine).variables(&variables).start().await;
            for secret in [SECRET, OTHER_SECRET] {
                let answer = Delivery::by(secret, now_seconds(), body()).post(&app).await;
                assert_eq!(answer.status, 200, "{answer:?}");
            }
        }
    }

    async fn a_secret_that_another_variable_replaced_has_its_own_code(engine) {
        let variables = [("CLERK_WEBHOOK_SECRET", OTHER_SECRET)];
        let app = TestApp::builder(engine).variables(&variables).start().await;
        let replaced = Delivery::by(OTHER_SECRET, now_seconds(), body());
        assert_refused(&replaced.post(&app).await, "inactive_secret");
        assert_nothing_stored(&app.database);
        assert_eq!(event().post(&app).await.status, 200);
    }

    async fn the_old_name_of_the_secret_works_alone(engine) {
        let variables = [("CLERK_WEBHOOK_SIGNING_SECRET", ""), ("CLERK_WEBHOOK_SECRET", SECRET)];
        let app = TestApp::builder(engine).variables(&variables).start().await;
        assert_eq!(event().post(&app).await.status, 200);
    }

    async fn trap_1_a_body_that_was_re_encoded_is_refused_with_its_own_code(app = TestApp::start) {
        let raw = r#"{"data":{"first_name":"A\u003cB","id":"user_1"},"type":"user.updated"}"#;
        let event: Value = serde_json::from_str(raw).unwrap();
        let pretty = serde_json::to_string_pretty(&event).unwrap();
        let compact = Delivery::bytes(event.to_string());
        assert_refused(&Delivery::bytes(raw).with_body(event.to_string()).post(&app).await, "body_reencoded");
        assert_refused(&compact.with_body(pretty).post(&app).await, "body_reencoded");
        assert_nothing_stored(&app.database);
    }

    async fn trap_1_the_very_bytes_that_were_signed_pass_however_they_are_written(app = TestApp::start) {
        let raw = "{ \"type\" : \"user.updated\",\n \"data\": {\"id\":\"user_1\", \"first_name\": \"A\\u003cB\", \
                   \"updated_at\": 1.0e3, \"last_name\": \"Zoë\"} }\n";
        let answer = Delivery::bytes(raw).post(&app).await;
        assert_eq!((answer.status.as_u16(), answer.outcome()), (200, "applied"));
        let user = app.user("user_1").await;
        assert_eq!(user["name"], "A<B Zoë");
        assert_eq!(user["source_updated_at"], "1970-01-01T00:00:01.000Z");
    }

    async fn deliveries_signed_by_the_reference_libraries_pass(app = TestApp::start) {
        assert_eq!(event().post(&app).await.outcome(), "applied");
        let (id, timestamp, body) = (message_id(), now_seconds(), user(&user_id(2), 1_000).to_string());
        let standard = standardwebhooks::Webhook::new(SECRET).unwrap();
        let signature = standard.sign(&id, timestamp, body.as_bytes()).unwrap();
        let signed = HEADERS.iter().fold(event(), |signed, name| signed.renamed(name));
        let signed = signed
            .with("webhook-id", &id)
            .with("webhook-timestamp", &timestamp.to_string())
            .with("webhook-signature", &signature)
            .with_body(body);
        let answer = signed.post(&app).await;
        assert_eq!((answer.outcome(), &answer.body["event_id"]), ("applied", &id.into()));
    }

    async fn trap_7_a_refused_message_is_not_remembered(app = TestApp::start) {
        let message = message_id();
        let forged = event().with("svix-id", &message);
        assert_refused(&forged.post(&app).await, "bad_signature");
        assert_eq!(app.send_as(&message, &user(&user_id(1), 1_000)).await.outcome(), "applied");
    }
}
