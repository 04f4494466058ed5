//! `PATCH /v1/users/{id}`: an operator sets a role or a plan, here and at the provider.

mod persistence;
mod request;
mod write_back;

use crate::support::{ADMIN_TOKEN, Answer, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

impl TestApp {
    async fn choose(&self, id: &str, body: impl ToString) -> Answer {
        self.patch(ADMIN_TOKEN, id, body.to_string()).await
    }

    async fn patch(&self, token: &str, id: &str, body: String) -> Answer {
        self.ask_as(Some(token), Method::PATCH, &format!("/v1/users/{id}"), Some(body)).await
    }

    async fn words(&self, id: &str) -> (Value, Value) {
        let user = self.user(id).await;
        (user["role"].clone(), user["plan"].clone())
    }

    fn chosen(&self) -> Vec<Option<String>> {
        ["set_role", "set_plan"]
            .iter()
            .flat_map(|name| {
                self.database.query(&format!("SELECT {name} AS value FROM users ORDER BY id"))
            })
            .collect()
    }
}

fn words(role: &str, plan: &str) -> (Value, Value) {
    (json!(role), json!(plan))
}
