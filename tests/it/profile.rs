//! A payload becomes a profile: which address, name and status count, however loosely the
//! provider writes them down.

use crate::support::{TestApp, user, user_id, user_with};
use serde_json::{Value, json};

/// What becomes of a user whose `data` has these fields besides its id.
async fn profile(app: &TestApp, number: usize, fields: Value) -> Value {
    let mut data = fields;
    data["id"] = user_id(number).into();
    let event = json!({"type": "user.updated", "timestamp": 1_000, "data": data});
    let answer = app.send(&event).await;
    assert_eq!(answer.outcome(), "applied", "{answer:?}");
    app.user(&user_id(number)).await
}

fn address(id: &str, address: &str, status: &str) -> Value {
    json!({"id": id, "email_address": address, "verification": {"status": status}})
}

both_engines! {
    async fn trap_11_the_primary_address_is_the_one_that_is_named_not_the_first(app = TestApp::start) {
        let list = [address("idn_1", "a@example.org", "verified"), address("idn_2", "b@example.org", "unverified")];
        let user = profile(&app, 1, json!({"primary_email_address_id": "idn_2", "email_addresses": list})).await;
        assert_eq!((&user["email"], &user["email_verified"]), (&"b@example.org".into(), &false.into()));
    }

    async fn trap_12_without_a_primary_only_a_verified_address_will_do(app = TestApp::start) {
        let unverified = address("idn_1", "a@example.org", "unverified");
        let verified = address("idn_2", "b@example.org", "verified");
        for (number, primary) in [Value::Null, "idn_gone".into()].into_iter().enumerate() {
            let list = json!([unverified, verified]);
            let fields = json!({"primary_email_address_id": primary, "email_addresses": list});
            let user = profile(&app, number, fields).await;
            assert_eq!((&user["email"], &user["email_verified"]), (&"b@example.org".into(), &true.into()));
        }
        for (number, list) in [json!([unverified]), json!([]), Value::Null].into_iter().enumerate() {
            let user = profile(&app, 10 + number, json!({"email_addresses": list})).await;
            assert_eq!((&user["email"], &user["email_verified"]), (&Value::Null, &false.into()));
        }
    }

    async fn trap_14_absent_names_leave_no_trace(app = TestApp::start) {
        let cases = [
            (json!({"first_name": "Ada", "last_name": "Lovelace"}), "Ada Lovelace"),
            (json!({"first_name": "Ada", "last_name": null}), "Ada"),
            (json!({"first_name": "", "last_name": "Lovelace", "username": "al"}), "Lovelace"),
            (json!({"first_name": " ", "username": "al"}), "al"),
            (json!({"first_name": null, "last_name": null, "username": null}), "User"),
        ];
        for (number, (fields, name)) in cases.into_iter().enumerate() {
            assert_eq!(profile(&app, number, fields).await["name"], name);
        }
    }

    async fn trap_15_times_are_milliseconds_and_may_lie_anywhere(app = TestApp::start) {
        let cases = [
            (json!(1_754_012_591_514_i64), "2025-08-01T01:43:11.514Z"),
            (json!(0), "1970-01-01T00:00:00.000Z"),
            (json!(-1), "1969-12-31T23:59:59.999Z"),
            (json!(-62_135_596_800_000_i64), "0001-01-01T00:00:00.000Z"),
        ];
        for (number, (created_at, shown)) in cases.into_iter().enumerate() {
            let user = profile(&app, number, json!({"created_at": created_at})).await;
            assert_eq!(user["source_created_at"], shown);
        }
    }

    async fn trap_15_a_time_is_either_kept_or_refused_but_never_dropped(app = TestApp::start) {
        let last = [253_402_200_000_000_i64, 253_402_300_799_999, 253_402_300_800_000];
        for (number, created_at) in last.into_iter().enumerate() {
            let answer = app.send(&user_with(&user_id(number), 1_000, "created_at", created_at)).await;
            if answer.outcome() == "applied" {
                assert!(app.user(&user_id(number)).await["source_created_at"].is_string(), "{created_at}");
            } else {
                assert_eq!(answer.reason(), Some("out_of_range"), "{created_at}");
            }
        }
    }

    async fn trap_15_envelope_times_in_seconds_and_milliseconds_are_one_order(app = TestApp::start) {
        let mut event = user(&user_id(1), 1_000);
        event["timestamp"] = 1_754_012_591.into();
        assert_eq!(app.send(&event).await.outcome(), "applied");
        event["data"]["first_name"] = "Grace".into();
        event["timestamp"] = 1_754_012_590_999_i64.into();
        assert_eq!(app.send(&event).await.outcome(), "stale");
        event["timestamp"] = 1_754_012_591_001_i64.into();
        assert_eq!(app.send(&event).await.outcome(), "applied");
    }

    async fn trap_16_a_picture_is_kept_whether_or_not_one_was_uploaded(app = TestApp::start) {
        let fields = json!({"has_image": false, "image_url": "https://img.example.org/a"});
        assert_eq!(profile(&app, 1, fields).await["image_url"], "https://img.example.org/a");
    }

    async fn trap_17_unknown_fields_and_words_do_no_harm_and_null_is_absent(app = TestApp::start) {
        let odd = json!({
            "requires_password_reset": {"new": [1]},
            "email_addresses": [{
                "id": "idn_1", "email_address": "a@example.org", "new": 1,
                "verification": {"object": "verification_telepathy", "status": "verified", "strategy": "telepathy"},
            }],
        });
        assert_eq!(profile(&app, 1, odd).await["email"], "a@example.org");
        let names = ["first_name", "username", "email_addresses", "phone_numbers", "public_metadata", "banned",
            "locked", "created_at", "updated_at", "image_url", "external_id", "last_sign_in_at"];
        let nulls = names.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
        let (null, absent) = (profile(&app, 2, Value::Object(nulls)).await, profile(&app, 3, json!({})).await);
        for name in ["name", "email", "phone", "public_metadata", "status", "source_created_at", "source_updated_at"] {
            assert_eq!(null[name], absent[name], "{name}");
        }
    }

    async fn trap_18_the_wires_names_count_and_not_the_sdks(app = TestApp::start) {
        let sdk = json!({"firstName": "Ada", "emailAddresses": [address("idn_1", "a@example.org", "verified")]});
        let user = profile(&app, 1, sdk).await;
        assert_eq!((&user["name"], &user["email"]), (&"User".into(), &Value::Null));
    }

    async fn trap_19_bans_locks_and_deprovisioning_ride_on_the_user(app = TestApp::start) {
        let cases = [
            (json!({"banned": true}), "banned"),
            (json!({"deprovisioned": true}), "banned"),
            (json!({"locked": true, "lockout_expires_in_seconds": 60}), "locked"),
            (json!({"locked": true, "banned": true}), "banned"),
            (json!({"locked": false, "banned": false, "deprovisioned": false}), "active"),
        ];
        for ((fields, status), updated_at) in cases.into_iter().zip(1_000..) {
            let mut fields = fields;
            fields["updated_at"] = updated_at.into();
            assert_eq!(profile(&app, 1, fields).await["status"], status);
        }
    }

    async fn the_end_of_a_lock_counts_from_the_envelopes_time(app = TestApp::start) {
        let mut event = user(&user_id(1), 1_000);
        event["timestamp"] = 1_754_012_591_000_i64.into();
        event["data"]["locked"] = true.into();
        event["data"]["lockout_expires_in_seconds"] = 60.into();
        app.send(&event).await;
        let rows = "CAST(locked_until AS text) AS value FROM users";
        let until = app.database.query(&format!("SELECT {rows}"))[0].clone().unwrap();
        assert!(until.replace('T', " ").starts_with("2025-08-01 01:44:11"), "{until}");
    }
}
