//! A SQLite log that is deleted under the running service: what it held is saved, and nothing more is
//! acknowledged until the service is restarted.

use crate::support::{Engine, TestApp, TestDatabase, user, user_id};

#[tokio::test]
async fn what_was_acknowledged_survives_a_deleted_log_and_a_crash() {
    let database = TestDatabase::new(Engine::Sqlite);
    let mut service = TestApp::builder(&database).start_process().await;
    for number in 0..5 {
        assert_eq!(service.send(&user(&user_id(number), 1_000)).await.status, 200);
    }
    for ending in ["-wal", "-shm"] {
        std::fs::remove_file(format!("{}{ending}", database.sqlite_path().display())).unwrap();
    }
    for number in 5..10 {
        let answer = service.send(&user(&user_id(number), 1_000)).await;
        answer.assert_unavailable("database_unavailable");
    }
    assert_eq!(service.get("/readyz").await.status, 503);
    assert!(service.logged("deliveries are answered 503").await.contains("restart the service"));
    service.kill();
    service.start_again();
    service.until_ready().await;
    for number in 0..5 {
        assert_eq!(service.user(&user_id(number)).await["status"], "active");
    }
    assert_eq!(service.send(&user(&user_id(9), 1_000)).await.status, 200);
}
