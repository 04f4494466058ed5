//! What a finished job has counted: exactly what there was to do. Users that cannot be read, or
//! stored, are counted and stop no other user.

use super::fixture::{JobFixture, PAGE, all_new, counted};
use super::page_gate::SPOILT;
use crate::support::{TestApp, TestClient, deleted};
use serde_json::json;

async fn delete(sender: &TestClient, id: &str) {
    assert_eq!(sender.send(&deleted(id)).await.outcome(), "applied");
}

async fn backfill(app: &TestApp, dry_run: bool) -> serde_json::Value {
    counted(&app.finish_job(json!({"kind": "backfill", "dry_run": dry_run})).await)
}

both_engines! {
    async fn a_backfill_creates_every_user_once_and_then_finds_all_right(engine) {
        let (fixture, app) = JobFixture::with_replica(engine, 37).await;
        assert_eq!(backfill(&app, true).await, all_new(37));
        assert_eq!(fixture.database.count("users"), 0);
        assert_eq!(backfill(&app, false).await, all_new(37));
        fixture.assert_complete();
        let rows = fixture.rows();
        for dry_run in [false, true] {
            assert_eq!(backfill(&app, dry_run).await, json!({"seen": 37, "unchanged": 37}));
        }
        assert!(fixture.rows() == rows, "a row that was right was written");
    }

    async fn a_provider_without_users_makes_no_rows(engine) {
        let (_fixture, app) = JobFixture::with_replica(engine, 0).await;
        let job = app.finish_job(json!({"kind": "backfill"})).await;
        assert_eq!((counted(&job), &job["expected"]), (json!({}), &json!(0)));
    }

    /// The dry run says beforehand what the run does then.
    async fn what_was_missed_is_made_good_and_counted_by_what_it_was(engine) {
        let (fixture, app) = JobFixture::with_replica(engine, 40).await;
        backfill(&app, false).await;
        let ids = fixture.ids();
        let [dead, gone, banned, renamed, lost] = [0, 1, 2, 3, 4].map(|number| &ids[number]);
        for id in [dead, gone] {
            delete(&app.client, id).await;
        }
        fixture.emulator.delete_user(gone);
        fixture.emulator.delete_user(lost);
        fixture.emulator.ban(banned, true);
        fixture.emulator.update_user(renamed, json!({"first_name": "Augusta"}));
        for name in ["Radia", "Frances", "Barbara"] {
            fixture.emulator.create_user(json!({"first_name": name}));
        }
        let rows = fixture.rows();
        let expected = json!({
            "seen": 41, "created": 3, "missing": 3, "updated": 2, "stale": 2, "unchanged": 35, "tombstoned": 1,
        });
        assert_eq!(backfill(&app, true).await, expected);
        assert!(fixture.rows() == rows, "a dry run changed something");
        assert_eq!(backfill(&app, false).await, expected);
        assert_eq!(fixture.database.count("users WHERE status = 'banned'"), 1);
        assert_eq!(fixture.database.count("users WHERE first_name = 'Augusta'"), 1);
        // Deleted users stay deleted; a backfill does not look for lost deletions.
        let statuses = "SELECT external_id AS value FROM users WHERE status = 'deleted' ORDER BY 1";
        let mut tombstones = [Some(dead.clone()), Some(gone.clone())];
        tombstones.sort_unstable();
        assert_eq!(fixture.database.query(statuses), tombstones);
        assert_eq!(fixture.database.count(&format!("users WHERE external_id = '{lost}' AND status = 'active'")), 1);
        assert_eq!(backfill(&app, false).await, json!({"seen": 41, "unchanged": 40, "tombstoned": 1}));
    }

    async fn a_user_who_was_absent_comes_back(engine) {
        let (fixture, app) = JobFixture::with_replica(engine, 3).await;
        backfill(&app, false).await;
        let id = &fixture.ids()[0];
        // As an absence leaves it.
        fixture.database.execute(&format!(
            "UPDATE users SET status = 'deleted', deletion_kind = 'absent', deleted_at = synced_at, email = NULL, \
             email_lower = NULL, email_verified = FALSE, phone = NULL, username = NULL, first_name = NULL, \
             last_name = NULL, name = NULL, image_url = NULL, role = NULL, source_role = NULL, plan = NULL, \
             source_plan = NULL, source_external_id = NULL, source_created_at = NULL \
             WHERE external_id = '{id}'"
        ));
        let expected = json!({"seen": 3, "updated": 1, "missing": 1, "unchanged": 2});
        assert_eq!(backfill(&app, true).await, expected);
        assert_eq!(backfill(&app, false).await, expected);
        fixture.assert_complete();
    }

    async fn a_reconcile_counts_likewise_where_no_user_is_gone(engine) {
        let (fixture, app) = JobFixture::with_replica(engine, 20).await;
        let reconcile = json!({"kind": "reconcile"});
        assert_eq!(counted(&app.finish_job(reconcile.clone()).await), all_new(20));
        assert_eq!(counted(&app.finish_job(reconcile).await), json!({"seen": 20, "unchanged": 20}));
        fixture.assert_complete();
    }

    async fn an_unreadable_user_has_failed_and_hides_no_other(engine) {
        let fixture = JobFixture::of(engine, 9);
        let ids = fixture.ids();
        let app = fixture.replica(&[]).await;
        // The first, one in between, and the last.
        for number in [0, 4, 8] {
            fixture.pages.spoil(&ids[number]);
        }
        let expected = json!({"seen": 9, "failed": 3, "created": 6, "missing": 6});
        for dry_run in [true, false] {
            let job = app.finish_job(json!({"kind": "backfill", "dry_run": dry_run})).await;
            assert_eq!((counted(&job), &job["error"]), (expected.clone(), &json!(null)));
        }
        assert_eq!(fixture.database.count("users"), 6);
        assert!(!fixture.database.dump().contains(SPOILT));
    }

    async fn every_user_may_be_unreadable(engine) {
        let (fixture, app) = JobFixture::with_replica(engine, 3).await;
        for id in fixture.ids() {
            fixture.pages.spoil(&id);
        }
        let job = app.finish_job(json!({"kind": "backfill"})).await;
        assert_eq!(counted(&job), json!({"seen": 3, "failed": 3}));
    }

    /// Behind an unreadable user no page can be asked for, so they come again in the next one.
    async fn unreadable_users_at_the_end_of_a_page_are_counted_once(engine) {
        let fixture = JobFixture::of(engine, PAGE + 20);
        let ids = fixture.ids();
        let app = fixture.replica(&[]).await;
        for id in &ids[PAGE - 2..=PAGE] {
            fixture.pages.spoil(id);
        }
        let job = app.finish_job(json!({"kind": "backfill"})).await;
        let created = PAGE + 17;
        let expected = json!({"seen": PAGE + 20, "failed": 3, "created": created, "missing": created});
        assert_eq!(counted(&job), expected);
        assert_eq!(fixture.database.count("users"), created);
    }

    async fn a_user_whom_the_database_refuses_has_failed_and_hides_no_other(engine) {
        let fixture = JobFixture::of(engine, PAGE + 20);
        let ids = fixture.ids();
        let app = fixture.replica(&[]).await;
        fixture.database.refuse_users("first_name", "Unbearable");
        for number in [0, 77, PAGE - 1, PAGE] {
            fixture.emulator.update_user(&ids[number], json!({"first_name": "Unbearable"}));
        }
        let (created, failed) = (PAGE + 16, 4);
        let job = app.finish_job(json!({"kind": "backfill"})).await;
        let expected = json!({"seen": PAGE + 20, "failed": failed, "created": created, "missing": created});
        assert_eq!((counted(&job), &job["error"]), (expected, &json!(null)));
        assert_eq!(fixture.database.count("users"), created);
        // Rows that are there are not written again, so the database refuses nothing.
        let again = app.finish_job(json!({"kind": "backfill"})).await;
        assert_eq!(counted(&again), json!({"seen": PAGE + 20, "failed": failed, "unchanged": created}));
    }
}
