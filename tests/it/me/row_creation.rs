//! A row that is missing is made by the first request of its user, with one call.

use super::{assert_refused, without_write_back};
use crate::both_engines;
use crate::support::{
    ADMIN_TOKEN, Answer, Emulated, Engine, Replica, now_seconds, provider_variables,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn two_replicas_make_one_row_with_a_call_each_at_most() {
    let both = without_write_back(Engine::Postgres).await;
    let own = provider_variables(&both.emulator);
    let mut variables: Vec<(&str, &str)> =
        own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.push(("USERSYNC_WRITE_BACK", "off"));
    let other = Replica::start_with(&both.database, &variables).await;
    let id = both.sign_up_silently("Ada");
    let token = both.emulator.session_token(&id);
    let requests = (0..200).map(async |number| {
        let origin = if number % 2 == 0 { &both.origin } else { &other.origin };
        let request = both.client.get(format!("{origin}/v1/me")).bearer_auth(&token);
        Answer::of(request.send().await.unwrap()).await
    });
    let answers = join_all(requests).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert!(answers.iter().all(|answer| answer.body["user"] == answers[0].body["user"]));
    let created = answers.iter().filter(|answer| answer.body["created"] == true).count();
    assert_eq!((created, both.database.count("users")), (1, 1));
    assert!(both.looks() <= 2, "{}", both.looks());
    other.stop().await;
}

both_engines! {
    async fn the_request_that_made_the_row_says_so_once(engine) {
        let both = Emulated::start(engine).await;
        let id = both.sign_up_silently("Ada");
        let first = both.me(&id).await;
        assert_eq!((first.status.as_u16(), &first.body["created"]), (200, &json!(true)), "{first:?}");
        assert_eq!(first.body["user"]["id"], both.user(&id).await["id"]);
        assert_eq!(first.headers["cache-control"], "no-store");
        for _ in 0..3 {
            assert_eq!(both.me(&id).await.body["created"], false);
        }
        both.quiet().await;
        assert_eq!(both.metadata(&id)["dbId"], first.body["user"]["id"]);
    }

    async fn a_row_that_an_event_made_was_made_by_no_request(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        assert_eq!(both.me(&id).await.body["created"], false);
        assert_eq!(both.looks(), 0);
    }

    async fn two_hundred_first_requests_at_once_make_one_row_with_one_call(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_silently("Ada");
        let token = both.emulator.session_token(&id);
        let answers = join_all((0..200).map(|_| both.get_as(&token, "/v1/me"))).await;
        for answer in &answers {
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.body["user"], answers[0].body["user"]);
        }
        let created = answers.iter().filter(|answer| answer.body["created"] == true).count();
        assert_eq!((created, both.looks(), both.database.count("users")), (1, 1, 1));
    }

    async fn first_requests_of_many_users_cost_a_call_each(engine) {
        const USERS: usize = 20;
        let both = without_write_back(engine).await;
        let ids: Vec<String> = (0..USERS).map(|number| both.sign_up_silently(&format!("User{number}"))).collect();
        let twice = ids.iter().chain(&ids).map(|id| both.me(id));
        let answers = join_all(twice).await;
        let created = answers.iter().filter(|answer| answer.body["created"] == true).count();
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!((created, both.looks(), both.database.count("users")), (USERS, 20, USERS));
    }

    async fn an_event_of_the_same_moment_does_no_harm(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up("Ada");
        let token = both.emulator.session_token(&id);
        let answers = join_all((0..50).map(|_| both.get_as(&token, "/v1/me"))).await;
        both.emulator.settled().await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert!(answers.iter().filter(|answer| answer.body["created"] == true).count() <= 1);
        assert!(both.looks() <= 1);
        assert_eq!(both.database.count("users"), 1);
    }

    async fn a_row_that_only_seemed_absent_is_fetched_and_restored(engine) {
        let both = without_write_back(engine).await;
        let id = both.sign_up_and_settle("Ada").await;
        let ours = both.user(&id).await["id"].clone();
        let seen = now_seconds() * 1000 - 1000;
        both.database.execute(&format!(
            "UPDATE users SET status = 'deleted', deletion_kind = 'absent', deleted_at = updated_at, \
             version_kind = 2, version_seen_at = {seen}, email = NULL, email_lower = NULL, first_name = NULL, name = NULL"
        ));
        assert_eq!(both.user(&id).await["status"], "deleted");
        let restored = both.me(&id).await;
        assert_eq!(restored.status, 200, "{restored:?}");
        assert_eq!((&restored.body["user"]["id"], &restored.body["user"]["name"]), (&ours, &json!("Ada")));
        let row = both.user(&id).await;
        assert_eq!((&row["status"], &row["deleted_at"]), (&json!("active"), &json!(null)));
        assert_eq!(both.looks(), 1);
        assert_eq!(both.me(&id).await.status, 200);
        assert_eq!(both.looks(), 1);
    }

    async fn a_row_that_is_absent_stays_so_where_the_provider_knows_nobody(engine) {
        let both = Emulated::start(engine).await;
        both.sign_up_and_settle("Grace").await;
        let id = both.sign_up_and_settle("Ada").await;
        both.quiet().await;
        let token = both.emulator.session_token(&id);
        both.emulator.deliver_to(None);
        assert!(both.emulator.delete_user(&id));
        let body = Some(json!({"user_ids": [id]}));
        let answer = both.ask(Method::POST, "/v1/reconcile", ADMIN_TOKEN, body).await;
        assert_eq!(answer.body["data"][0]["outcome"], "absent", "{answer:?}");
        assert_refused(&both.get_as(&token, "/v1/me").await, "user_unknown");
        assert_eq!(both.user(&id).await["status"], "deleted");
    }
}
