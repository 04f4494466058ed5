//! Tests of listing all users against the emulator, which pages as Clerk's API does.

use super::client::{CountingBudget, clock, settings};
use crate::provider::Priority::Background;
use crate::provider::clerk::api::ClerkApi;
use crate::provider::{Directory as _, ListQuery, Position};
use clerk_emulator::{Emulator, Settings};
use std::collections::BTreeSet;
use std::sync::Arc;

const USERS: usize = 25;
const LIMIT: u16 = 10;

#[tokio::test]
async fn trap_33_users_deleted_between_two_pages_hide_no_other() {
    let emulator = Emulator::start(Settings { users: USERS, ..Settings::default() }).unwrap();
    let credentials = emulator.credentials();
    let mut settings = settings(&credentials.api_url);
    settings.secret_key = credentials.secret_key.clone().into();
    let api = ClerkApi::new(settings, Arc::new(CountingBudget::default()), Arc::default(), clock())
        .unwrap();
    let mut query = ListQuery { limit: LIMIT, ..ListQuery::default() };
    let (mut seen, mut created_at) = (Vec::new(), Vec::new());
    loop {
        let page = api.users(&query, Background).await.unwrap();
        for user in &page.users {
            seen.push(user.external_id.clone());
            created_at.push(user.profile.source_created_at);
        }
        let Some(last) = page.users.last() else {
            break;
        };
        // With offsets, these would pull as many unseen users to the front.
        for deleted in page.users.iter().take(3) {
            emulator.delete_user(&deleted.external_id);
        }
        query.position = Position::After(last.external_id.clone());
    }
    let issued: BTreeSet<String> = emulator.issued_ids().into_iter().collect();
    assert_eq!(seen.len(), USERS, "no user twice");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), issued, "no user missed");
    assert!(created_at.is_sorted());
}
