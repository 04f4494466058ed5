//! Runs the scenario under the emulator's faults.
//!
//! Called by [`crate::run()`]. Sign-ins and overrides of roles are requests to the service; all other actions
//! happen at the emulator.

use crate::DemoError;
use crate::environment::{Environment, POLL_INTERVAL};
use crate::progress::Phase;
use crate::scenario::{Action, Step};
use crate::service_client::{ServiceClient, unexpected};
use clerk_emulator::Emulator;
use reqwest::StatusCode;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::task::JoinSet;

/// How many actions happen before the service is started.
const ACTIONS_BEFORE_SERVICE: usize = 10;

/// The pause between two actions: long enough that some changes come after write-backs and some
/// before.
const PAUSE: Duration = Duration::from_millis(8);

const MOST_SIGN_INS_IN_FLIGHT: usize = 32;

/// A sign-in is repeated while the provider's API fails.
const TRIES: u32 = 40;
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

struct SignIn {
    id: String,
    /// Whether the request made the row because no event had been delivered yet.
    made_row: bool,
    role: Option<&'static str>,
}

pub(crate) struct Run {
    steps: VecDeque<Step>,
    ids: BTreeMap<usize, String>,
    in_flight: JoinSet<Result<SignIn, DemoError>>,
    pub(crate) summary: RunSummary,
}

#[derive(Default)]
pub(crate) struct RunSummary {
    pub(crate) signed_up: usize,
    pub(crate) changed: usize,
    pub(crate) deleted: usize,
    pub(crate) signed_in: usize,
    pub(crate) rows_made_by_signing_in: usize,
    /// The roles that the operator set, by the user's id.
    pub(crate) chosen: BTreeMap<String, String>,
}

impl Run {
    pub(crate) fn new(steps: Vec<Step>) -> Self {
        let (ids, in_flight, summary) = (BTreeMap::new(), JoinSet::new(), RunSummary::default());
        Self { steps: steps.into(), ids, in_flight, summary }
    }

    /// Signs up the first users while there is no service; returns once a delivery failed for that
    /// reason.
    pub(crate) async fn begin(
        &mut self,
        emulator: &Emulator,
        phase: &Phase,
    ) -> Result<(), DemoError> {
        for _ in 0..ACTIONS_BEFORE_SERVICE {
            let is_sign_in = |step: &Step| matches!(step.action, Action::SignIn { .. });
            if self.steps.front().is_none_or(is_sign_in) {
                break;
            }
            if let Some(step) = self.steps.pop_front() {
                self.perform(step, emulator)?;
                phase.step();
            }
        }
        let retried = async {
            while emulator.counts().deliveries.retried == 0 {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        tokio::select! {
            () = retried => {}
            // All events were dropped.
            () = emulator.wait_until_idle() => {}
        }
        Ok(())
    }

    /// Performs the remaining actions.
    pub(crate) async fn finish(
        mut self,
        environment: &Environment,
        phase: &Phase,
    ) -> Result<RunSummary, DemoError> {
        while let Some(step) = self.steps.pop_front() {
            match step.action {
                Action::SignIn { role } => {
                    self.sign_in(self.id_of(step.user), role, environment).await?;
                }
                _ => self.perform(step, &environment.emulator)?,
            }
            phase.step();
            tokio::time::sleep(PAUSE).await;
        }
        while let Some(one) = self.in_flight.join_next().await {
            self.summary.add_sign_in(one)?;
        }
        Ok(self.summary)
    }

    fn id_of(&self, user: usize) -> String {
        self.ids.get(&user).cloned().unwrap_or_default()
    }

    fn perform(&mut self, step: Step, emulator: &Emulator) -> Result<(), DemoError> {
        let id = self.id_of(step.user);
        let done = match step.action {
            Action::SignUp(fields) => return self.sign_up(step.user, fields, emulator),
            Action::SignIn { .. } => return Ok(()),
            Action::Delete => {
                self.summary.deleted += 1;
                return ensure(emulator.delete_user(&id), "deleted");
            }
            Action::Change(fields) => emulator.update_user(&id, fields),
            Action::Merge(metadata) => emulator.merge_public_metadata(&id, metadata),
            Action::Ban(banned) => emulator.ban(&id, banned),
        };
        self.summary.changed += 1;
        ensure(done.is_some(), "changed")
    }

    fn sign_up(
        &mut self,
        user: usize,
        fields: Value,
        emulator: &Emulator,
    ) -> Result<(), DemoError> {
        let made = emulator.create_user(fields);
        let Some(id) = made.get("id").and_then(Value::as_str) else {
            return Err(DemoError(format!("the emulator refused a user: {made}")));
        };
        self.summary.signed_up += 1;
        self.ids.insert(user, id.to_owned());
        Ok(())
    }

    async fn sign_in(
        &mut self,
        id: String,
        role: Option<&'static str>,
        environment: &Environment,
    ) -> Result<(), DemoError> {
        if self.in_flight.len() == MOST_SIGN_INS_IN_FLIGHT
            && let Some(one) = self.in_flight.join_next().await
        {
            self.summary.add_sign_in(one)?;
        }
        let (client, token) = (environment.client.clone(), environment.emulator.session_token(&id));
        self.in_flight.spawn(sign_in(client, token, id, role));
        Ok(())
    }
}

fn ensure(done: bool, what: &str) -> Result<(), DemoError> {
    if done { Ok(()) } else { Err(DemoError(format!("a user could not be {what}"))) }
}

impl RunSummary {
    fn add_sign_in(
        &mut self,
        one: Result<Result<SignIn, DemoError>, tokio::task::JoinError>,
    ) -> Result<(), DemoError> {
        let one = one.map_err(|error| DemoError(error.to_string()))??;
        self.signed_in += 1;
        self.rows_made_by_signing_in += usize::from(one.made_row);
        if let Some(role) = one.role {
            self.chosen.insert(one.id, role.to_owned());
        }
        Ok(())
    }
}

async fn sign_in(
    client: ServiceClient,
    token: String,
    id: String,
    role: Option<&'static str>,
) -> Result<SignIn, DemoError> {
    let mut tries = 0;
    let made_row = loop {
        match client.me(&token).await? {
            (StatusCode::OK, body) => break body.get("created") == Some(&Value::Bool(true)),
            (StatusCode::SERVICE_UNAVAILABLE, _) if tries < TRIES => tries += 1,
            (status, body) => return Err(unexpected("GET /v1/me", status, &body)),
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    };
    if let Some(role) = role {
        let (status, body) = client.set_role(&id, role).await?;
        if status != StatusCode::OK {
            return Err(unexpected("PATCH /v1/users/{id}", status, &body));
        }
    }
    Ok(SignIn { id, made_row, role })
}
