//! A row that is missing is made by the first request of its user, with one call.

use super::{assert_refused, with_row, without_row, without_write_back};
use crate::support::{Answer, Engine, NO_WRITE_BACK, TestApp, now_seconds};
use futures_util::future::join_all;
use serde_json::json;

#[tokio::test]
async fn two_replicas_make_one_row_with_a_call_each_at_most() {
    crate::support::run(async {
        let app = without_write_back(Engine::Postgres).await;
        let other = app.replica(&[NO_WRITE_BACK]).await;
        let id = app.sign_up_silently("Ada");
        let token = app.emulator.session_token(&id);
        let requests = (0..200).map(async |number| {
            let origin = if number % 2 == 0 { &app.origin } else { &other.origin };
            let request = app.http.get(format!("{origin}/v1/me")).bearer_auth(&token);
            Answer::of(request.send().await.unwrap()).await
        });
        let answers = join_all(requests).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert!(answers.iter().all(|answer| answer.body["user"] == answers[0].body["user"]));
        let created = answers.iter().filter(|answer| answer.body["created"] == true).count();
        assert_eq!((created, app.database.count("users")), (1, 1));
        assert!(app.looks() <= 2, "{}", app.looks());
    })
    .await;
}

both_engines! {
    async fn the_request_that_made_the_row_says_so_once(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        let id = app.sign_up_silently("Ada");
        let first = app.me(&id).await;
        assert_eq!((first.status.as_u16(), &first.body["created"]), (200, &json!(true)), "{first:?}");
        assert_eq!(first.body["user"]["id"], app.user(&id).await["id"]);
        assert_eq!(first.headers["cache-control"], "no-store");
        for _ in 0..3 {
            assert_eq!(app.me(&id).await.body["created"], false);
        }
        app.quiet().await;
        assert_eq!(app.metadata(&id)["dbId"], first.body["user"]["id"]);
    }

    async fn a_row_that_an_event_made_was_made_by_no_request((app, id, _) = with_row) {
        assert_eq!(app.me(&id).await.body["created"], false);
        assert_eq!(app.looks(), 0);
    }

    async fn two_hundred_first_requests_at_once_make_one_row_with_one_call((app, _, token) = without_row) {
        let answers = join_all((0..200).map(|_| app.get_as(&token, "/v1/me"))).await;
        for answer in &answers {
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(answer.body["user"], answers[0].body["user"]);
        }
        let created = answers.iter().filter(|answer| answer.body["created"] == true).count();
        assert_eq!((created, app.looks(), app.database.count("users")), (1, 1, 1));
    }

    async fn first_requests_of_many_users_cost_a_call_each(engine) {
        const USERS: usize = 20;
        let app = without_write_back(engine).await;
        let ids: Vec<String> = (0..USERS).map(|number| app.sign_up_silently(&format!("User{number}"))).collect();
        let twice = ids.iter().chain(&ids).map(|id| app.me(id));
        let answers = join_all(twice).await;
        let created = answers.iter().filter(|answer| answer.body["created"] == true).count();
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!((created, app.looks(), app.database.count("users")), (USERS, 20, USERS));
    }

    async fn an_event_of_the_same_moment_does_no_harm(app = without_write_back) {
        let id = app.sign_up("Ada");
        let token = app.emulator.session_token(&id);
        let answers = join_all((0..50).map(|_| app.get_as(&token, "/v1/me"))).await;
        app.emulator.wait_until_idle().await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert!(answers.iter().filter(|answer| answer.body["created"] == true).count() <= 1);
        assert!(app.looks() <= 1);
        assert_eq!(app.database.count("users"), 1);
    }

    async fn a_row_that_only_seemed_absent_is_fetched_and_restored((app, id, _) = with_row) {
        let ours = app.user(&id).await["id"].clone();
        let seen = now_seconds() * 1000 - 1000;
        app.database.execute(&format!(
            "UPDATE users SET status = 'deleted', deletion_kind = 'absent', deleted_at = updated_at, \
             version_kind = 2, version_seen_at = {seen}, email = NULL, email_lower = NULL, first_name = NULL, name = NULL"
        ));
        assert_eq!(app.user(&id).await["status"], "deleted");
        let restored = app.me(&id).await;
        assert_eq!(restored.status, 200, "{restored:?}");
        assert_eq!((&restored.body["user"]["id"], &restored.body["user"]["name"]), (&ours, &json!("Ada")));
        let row = app.user(&id).await;
        assert_eq!((&row["status"], &row["deleted_at"]), (&json!("active"), &json!(null)));
        assert_eq!(app.looks(), 1);
        assert_eq!(app.me(&id).await.status, 200);
        assert_eq!(app.looks(), 1);
    }

    async fn a_row_that_is_absent_stays_so_where_the_provider_does_not_know_the_user(engine) {
        let app = TestApp::builder(engine).emulated().start().await;
        app.sign_up_and_settle("Grace").await;
        let id = app.sign_up_and_settle("Ada").await;
        app.quiet().await;
        let token = app.emulator.session_token(&id);
        app.emulator.deliver_to(None);
        assert!(app.emulator.delete_user(&id));
        assert_eq!(app.resync_one(&id).await.0, "absent");
        assert_refused(&app.get_as(&token, "/v1/me").await, "user_unknown");
        assert_eq!(app.user(&id).await["status"], "deleted");
    }
}
