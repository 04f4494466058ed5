//! How replicas write: events, pages of a job and of the watch, absences.

use super::USERS;
use super::sight::{Look, Sight};
use crate::convergence::fetches::{Fetching, START};
use crate::support::{TestDatabase, configuration};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use usersync::config::Config;
use usersync::domain::{Change, JobKind, Timestamp};
use usersync::store::jobs::{JobLease, JobMode, JobPage, JobRequest};
use usersync::store::leases::ScheduledRun;
use usersync::store::write_backs::WriteBackPolicy;
use usersync::store::{Store, StoredUser};

pub struct Pending {
    pub way: Way,
    pub things: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    Job,
    Watch,
    Alone,
}

pub struct Jobs {
    fetching: Fetching,
    policy: WriteBackPolicy,
    lease: Mutex<JobLease>,
    shift: Mutex<ScheduledRun>,
}

impl Jobs {
    pub async fn start(database: &TestDatabase) -> Self {
        let config = Arc::new(configuration(database, &[]));
        let store = Store::new(&config.database);
        let prepared = store.clone();
        tokio::task::spawn_blocking(move || prepared.migrate().unwrap()).await.unwrap();
        let policy = policy(&config);
        let lease = Mutex::new(claim_job(&store, &policy).await);
        let shift = Mutex::new(claim_scheduled_run(&store).await);
        Self { fetching: Fetching { store, config }, policy, lease, shift }
    }

    /// What is to be committed once this is seen. Only a live row can be found absent.
    pub async fn see(&self, sight: &Sight, ids: &[String; USERS], instant: i64) -> Pending {
        let shown = |page: &[Option<Look>; USERS]| {
            let looks = page.iter().zip(ids);
            looks
                .filter_map(|(look, id)| Some(look.as_ref()?.thing("fetched", id, instant)))
                .collect()
        };
        let (way, things) = match sight {
            Sight::Event(user, look) => {
                (Way::Alone, vec![look.thing("user.updated", &ids[*user], instant)])
            }
            Sight::Deletion(user) => {
                let data = json!({"id": ids[*user], "deleted": true});
                (Way::Alone, vec![json!({"type": "user.deleted", "data": data})])
            }
            Sight::Page(page) => (Way::Job, shown(page)),
            Sight::Watch(page) => (Way::Watch, shown(page)),
            Sight::Absence(user) => {
                let (store, source) = (&self.fetching.store, self.policy.defaults.source);
                let row = store.stored_user(source, ids[*user].clone()).await.unwrap();
                let absence = row.filter(StoredUser::is_live).map(|row| {
                    let data = json!({"id": ids[*user], "updated_at": row.version_updated_at});
                    json!({"type": "absence", "timestamp": START + 100 + instant, "data": data})
                });
                (Way::Alone, absence.into_iter().collect())
            }
        };
        Pending { way, things }
    }

    pub async fn commit(&self, way: Way, things: &[Value]) {
        let now = Timestamp::from(jiff::Timestamp::now());
        let id = |thing: &Value| thing["data"]["id"].as_str().unwrap().to_owned();
        let change = |thing: &Value| self.fetching.change(&id(thing), thing);
        let users: Vec<Change> = things.iter().map(change).collect();
        let (store, policy) = (&self.fetching.store, || self.policy.clone());
        match way {
            Way::Alone => {
                store.apply(policy().defaults, now, users).await.unwrap();
            }
            Way::Job => {
                let mut page = JobPage { users, mode: JobMode::Apply, ..JobPage::default() };
                page.progress.cursor = "null".into();
                let page = Arc::new(page);
                let mut lease = self.lease.lock().await;
                // On a busy machine the lease may be lost.
                while store
                    .commit_page(lease.clone(), policy(), now, page.clone())
                    .await
                    .unwrap()
                    .is_none()
                {
                    *lease = claim_job(store, &self.policy).await;
                }
            }
            Way::Watch => {
                let mut shift = self.shift.lock().await;
                while store
                    .apply_users(shift.clone(), policy(), now, users.clone())
                    .await
                    .unwrap()
                    .is_none()
                {
                    *shift = claim_scheduled_run(store).await;
                }
            }
        }
    }
}

fn policy(config: &Config) -> WriteBackPolicy {
    let provider = &config.provider;
    WriteBackPolicy {
        defaults: config.row_defaults(),
        entitlements: provider.entitlements.clone(),
        names: provider.names.clone(),
    }
}

async fn claim_job(store: &Store, policy: &WriteBackPolicy) -> JobLease {
    let (source, kind) = (policy.defaults.source, JobKind::Reconcile);
    let asked = JobRequest { kind, dry_run: false, allow_mass_delete: false };
    store.enqueue_job(source, asked).await.unwrap();
    store.claim_job(source, kind, None).await.unwrap().unwrap().lease()
}

async fn claim_scheduled_run(store: &Store) -> ScheduledRun {
    let shift = store.claim_scheduled_run("watch", Duration::ZERO, Duration::ZERO).await;
    shift.unwrap().unwrap()
}
