//! Every outcome there is, and the order of the answer.

use super::with_user;
use crate::support::{TestApp, deleted, outcomes, user_id};
use clerk_emulator::Outage;
use serde_json::{Value, json};

fn plain(outcome: &str) -> (String, Option<String>) {
    (outcome.to_owned(), None)
}

fn because(outcome: &str, reason: &str) -> (String, Option<String>) {
    (outcome.to_owned(), Some(reason.to_owned()))
}

both_engines! {
    async fn a_user_is_created_then_unchanged_then_updated((app, id) = with_user) {
        assert_eq!(app.resync_one(&id).await, plain("created"));
        assert_eq!(app.resync_one(&id).await, plain("unchanged"));
        app.emulator.update_user(&id, json!({"first_name": "Grace"}));
        assert_eq!(app.resync_one(&id).await, plain("updated"));
        assert_eq!(app.user(&id).await["first_name"], "Grace");
    }

    async fn an_unchanged_user_keeps_its_local_times_and_is_fetched_later((app, id) = with_user) {
        // An event first: its row was never fetched, and one of the same content is unchanged.
        app.send(&app.event_of(&id)).await;
        let local = ["updated_at", "synced_at", "created_at", "id"];
        let before = local.map(|column| app.column(&id, column));
        assert_eq!(app.column(&id, "last_fetched_at"), None);
        assert_eq!(app.resync_one(&id).await, plain("unchanged"));
        let first = app.column(&id, "last_fetched_at");
        assert_eq!(app.resync_one(&id).await, plain("unchanged"));
        let second = app.column(&id, "last_fetched_at");
        assert!(first.is_some() && second > first, "{first:?} {second:?}");
        assert_eq!(local.map(|column| app.column(&id, column)), before);
        assert_eq!(app.column(&id, "version_kind").as_deref(), Some("2"));
    }

    async fn a_deleted_user_is_tombstoned_whatever_the_provider_says((app, id) = with_user) {
        app.send(&deleted(&id)).await;
        let tombstone = app.user(&id).await;
        assert_eq!(app.resync_one(&id).await, plain("tombstoned"));
        app.emulator.delete_user(&id);
        assert_eq!(app.resync_one(&id).await, plain("tombstoned"));
        app.emulator.set_outage(Outage::Unauthorized);
        assert_eq!(app.resync_one(&id).await, plain("tombstoned"));
        assert_eq!(app.user(&id).await, tombstone);
    }

    async fn a_user_gone_at_the_provider_is_absent_and_stays_so(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let (gone, _other) = (app.sign_up("Ada"), app.sign_up("Grace"));
        app.resync(&app.emulator.issued_ids()).await;
        app.emulator.delete_user(&gone);
        for _ in 0..2 {
            assert_eq!(app.resync_one(&gone).await, plain("absent"));
        }
        assert_eq!(app.user(&gone).await["status"], "deleted");
    }

    async fn a_user_whom_the_provider_does_not_know_is_unknown_and_leaves_no_trace(engine) {
        let app = TestApp::builder(engine).manual_events().start().await;
        assert_eq!(app.resync_one(&user_id(1)).await, plain("unknown"));
        for table in ["users", "absences", "write_backs"] {
            assert_eq!(app.database.count(table), 0, "{table}");
        }
    }

    async fn a_user_who_cannot_be_fetched_failed_and_stays_as_it_is((app, id) = with_user) {
        app.resync_one(&id).await;
        let before = app.user(&id).await;
        for (outage, reason) in
            [(Outage::Unauthorized, "unauthorized"), (Outage::Unavailable, "unavailable")]
        {
            app.emulator.set_outage(outage);
            assert_eq!(app.resync_one(&id).await, because("failed", reason));
        }
        assert_eq!(app.user(&id).await, before);
    }

    async fn the_answer_names_each_user_once_in_the_order_of_the_request(engine) {
        let app = TestApp::builder(engine).manual_events().no_write_back().start().await;
        let names = ["Ada", "Grace", "Barbara", "Radia", "Frances"];
        let [new, gone, changed, same, dead] = names.map(|name| app.sign_up(name));
        app.resync(&[&gone, &changed, &same, &dead]).await;
        app.emulator.delete_user(&gone);
        app.emulator.update_user(&changed, json!({"first_name": "Liskov"}));
        app.send(&deleted(&dead)).await;
        let ours = app.column(&changed, "id").unwrap();
        let invented = user_id(9);
        // By our id and by the provider's: one user, who is listed once.
        let asked = [&same, &ours, &invented, &dead, &changed, &new, &gone, &same, &ours];
        let answer = app.resync(&asked).await;
        let expected = ["unchanged", "updated", "unknown", "tombstoned", "created", "absent"];
        assert_eq!(outcomes(&answer), expected);
        let data = answer.body["data"].as_array().unwrap();
        let ids: Vec<&Value> = data.iter().map(|one| &one["external_id"]).collect();
        assert_eq!(ids, [&same, &changed, &invented, &dead, &new, &gone]);
        for one in data {
            let external_id = one["external_id"].as_str().unwrap();
            let ours = if external_id == invented { None } else { app.column(external_id, "id") };
            assert_eq!(one["user_id"].as_str(), ours.as_deref(), "{one}");
        }
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}
