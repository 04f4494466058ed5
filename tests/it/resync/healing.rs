//! What webhooks missed, and what two sides disagree on.

use crate::both_engines;
use crate::support::{ADMIN_TOKEN, Emulated, NO_WRITE_BACK, outcomes};
use reqwest::Method;
use serde_json::json;

both_engines! {
    async fn lost_events_of_every_kind_heal(engine) {
        let both = Emulated::start(engine).await;
        let [changed, gone, same] = ["Ada", "Grace", "Barbara"].map(|name| both.sign_up(name));
        both.quiet().await;
        both.emulator.deliver_to(None);
        let new = both.sign_up("Radia");
        both.emulator.update_user(&changed, json!({"first_name": "Augusta"}));
        both.emulator.delete_user(&gone);
        let answer = both.resync(&both.emulator.issued_ids()).await;
        assert_eq!(outcomes(&answer), ["updated", "absent", "unchanged", "created"]);
        both.quiet().await;
        for user in both.emulator.users() {
            let row = both.user(user["id"].as_str().unwrap()).await;
            assert_eq!((&row["first_name"], &row["status"]), (&user["first_name"], &json!("active")));
            assert_eq!(user["public_metadata"], json!({"dbId": row["id"], "role": "user"}));
        }
        assert_eq!(both.database.count("users_live"), 3);
        assert_eq!(both.user(&gone).await["status"], "deleted");
        // Once healed there is nothing more to do.
        let again = both.resync(&[&changed, &gone, &same, &new]).await;
        assert_eq!(outcomes(&again), ["unchanged", "absent", "unchanged", "unchanged"]);
        both.quiet().await;
        assert_eq!(both.emulator.counts().requests_of("metadata_patch"), 4);
    }

    async fn a_ban_that_was_lost_keeps_the_user_out_once_it_is_fetched(engine) {
        let both = Emulated::start_hearing(engine, &[NO_WRITE_BACK]).await;
        let id = both.sign_up("Ada");
        both.send(&both.event_of(&id)).await;
        both.emulator.ban(&id, true);
        assert_eq!(both.me(&id).await.status, 200);
        assert_eq!(both.resync_one(&id).await.0, "updated");
        assert_eq!(both.me(&id).await.code(), "user_banned");
        both.emulator.ban(&id, false);
        assert_eq!(both.resync_one(&id).await.0, "updated");
        assert_eq!(both.me(&id).await.status, 200);
    }

    async fn a_conflict_is_left_alone_until_an_operator_takes_the_user_over(engine) {
        let both = Emulated::start(engine).await;
        let held = json!({"dbId": "somebody-elses", "role": "wizard", "theme": "dark"});
        let user = both.emulator.create_user(json!({"first_name": "Ada", "public_metadata": held}));
        let id = user["id"].as_str().unwrap();
        both.quiet().await;
        assert_eq!(both.resync_one(id).await.0, "unchanged");
        both.quiet().await;
        assert_eq!(both.metadata(id), held, "the provider's words are left alone");
        let listed = both.get_as(ADMIN_TOKEN, "/v1/write-backs?state=conflict_id").await;
        assert_eq!(listed.body["data"][0]["external_id"], id, "{listed:?}");
        let body = json!({"user_ids": [id], "take_over": true});
        let answer = both.ask(Method::POST, "/v1/reconcile", ADMIN_TOKEN, Some(body)).await;
        assert_eq!(outcomes(&answer), ["unchanged"]);
        both.quiet().await;
        let row = both.user(id).await;
        let settled = json!({"dbId": row["id"], "role": "user", "theme": "dark"});
        assert_eq!((both.metadata(id), &row["public_metadata"]), (settled.clone(), &settled));
        assert_eq!(both.database.count("write_backs"), 0);
        assert_eq!(both.emulator.metadata_writes(id), 1);
    }
}
