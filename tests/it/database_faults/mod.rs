//! What is wrong with the database while the service runs: each route answers in time and as the table
//! says, no job fails, nothing acknowledged is lost, and all is well again, without a restart, once the
//! cause is gone.

mod acknowledged;
mod at_start;
mod deleted_log;
mod disk;
mod fault;
mod rig;
mod routes;

use crate::support::{all_stopped, until_true};
use fault::Fault;
use rig::Rig;
use std::sync::Arc;

/// A fault in the midst of all work: jobs and an import that have begun, deliveries, requests.
async fn outlive(fault: Fault) {
    let rig = Arc::new(Rig::start(fault).await);
    let mut work = rig.begin_work().await;
    let end = fault.begin(&rig).await;
    rig.let_work_go_on(&mut work);
    let newcomer = rig.sign_up_during_it();
    routes::assert_answers(&rig, fault).await;
    assert_log(&rig, fault).await;
    end(&rig);
    until_true("deliveries are accepted again", async || rig.deliver().await.status.is_success())
        .await;
    until_true("it is ready again", async || rig.service.get("/readyz").await.status == 200).await;
    routes::assert_all_well(&rig, fault).await;
    rig.assert_work_done(work).await;
    rig.assert_nothing_lost(&newcomer).await;
    drop(rig);
    all_stopped().await;
}

/// The log says why, in words that hold no data.
async fn assert_log(rig: &Rig, fault: Fault) {
    let line = rig.service.logged("deliveries are answered 503").await;
    assert!(fault.words().iter().any(|words| line.contains(words)), "{fault:?}: {line}");
}

/// One test a fault, each with a database of its own.
macro_rules! each_fault {
    ($($name:ident: $fault:ident,)+) => {
        const FAULTS: &[Fault] = &[$(Fault::$fault),+];

        $(
            #[tokio::test]
            async fn $name() {
                outlive(Fault::$fault).await;
            }
        )+
    };
}

each_fault! {
    a_locked_table: TableLocked,
    a_server_that_hangs: ServerHangs,
    a_read_only_server: ServerReadOnly,
    a_schema_that_is_gone: SchemaGone,
    rights_that_are_revoked: RightsRevoked,
    a_full_disk_of_the_server: ServerDiskFull,
    a_file_that_another_process_locks: FileLocked,
    a_file_that_is_gone: FileGone,
    a_file_that_is_replaced: FileReplaced,
    a_full_disk_of_the_file: FileDiskFull,
}
