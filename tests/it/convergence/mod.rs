//! The final state is a function of the set of things seen: order, repetition, batches and
//! replicas do not matter.

mod every_order;
mod fetches;
mod model;
mod pages;
mod random_sets;
mod table;

use crate::support::TestClient;
use proptest::prelude::{ProptestConfig, Strategy, TestCaseError};
use proptest::test_runner::{TestError, TestRunner};
use serde_json::Value;

/// A message on its way: whom it is posted to, under which id, and what it says.
#[derive(Clone)]
struct Post {
    sender: TestClient,
    message: String,
    event: Value,
}

/// Posts a group at the same moment, and waits until all of it is accepted.
async fn post_together(group: impl IntoIterator<Item = Post>) {
    let accepted = |post: Post| async move {
        let answer = post.sender.send_as(&post.message, &post.event).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    let posts: Vec<_> = group.into_iter().map(|post| tokio::spawn(accepted(post))).collect();
    for post in posts {
        post.await.unwrap();
    }
}

/// Checks as many random cases as are configured, and prints the smallest one that fails.
fn check_cases<S: Strategy>(cases: &S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(cases, check);
    if let Err(TestError::Fail(reason, case)) = result {
        panic!("{reason}\nof the case {case:#?}");
    }
    result.unwrap();
}
