//! The play: performs the script, while everything that can go wrong does.
//!
//! Called by `demo`. Users who sign in and operators who choose roles ask the service at the
//! same time; everything else happens at the emulator.

use super::super::Failure;
use super::caller::{Caller, unexpected};
use super::progress::Phase;
use super::script::{Action, Step};
use super::stage::{LOOK_EVERY, Stage};
use clerk_emulator::Emulator;
use reqwest::StatusCode;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tokio::task::JoinSet;

/// How much happens before the service is ready.
const OVERTURE: usize = 10;

/// How long nothing happens between two actions: write-backs go on meanwhile, so that some changes
/// come after them and some before.
const PACE: Duration = Duration::from_millis(8);

/// How many people ask the service at once.
const AT_ONCE: usize = 32;

/// How often somebody who signs in tries, and how long they wait in between: the provider's
/// API fails them too.
const TRIES: u32 = 40;
const TRY_EVERY: Duration = Duration::from_millis(250);

/// Somebody who signed in.
struct SignedIn {
    id: String,
    /// Whether the row was made for them, because no event had come yet.
    made_row: bool,
    role: Option<&'static str>,
}

/// A play under way.
pub(super) struct Play {
    steps: VecDeque<Step>,
    ids: BTreeMap<usize, String>,
    under_way: JoinSet<Result<SignedIn, Failure>>,
    pub(super) played: Played,
}

/// What happened.
#[derive(Default)]
pub(super) struct Played {
    pub(super) signed_up: usize,
    pub(super) changed: usize,
    pub(super) deleted: usize,
    pub(super) signed_in: usize,
    pub(super) rows_made_by_signing_in: usize,
    /// The roles that operators chose, by the user's id.
    pub(super) chosen: BTreeMap<String, String>,
}

impl Play {
    pub(super) fn new(steps: Vec<Step>) -> Self {
        let (ids, under_way, played) = (BTreeMap::new(), JoinSet::new(), Played::default());
        Self { steps: steps.into(), ids, under_way, played }
    }

    /// The first users sign up while there is no service; ends when a delivery was put off for
    /// that reason.
    pub(super) async fn begin(
        &mut self,
        emulator: &Emulator,
        phase: &Phase,
    ) -> Result<(), Failure> {
        for _ in 0..OVERTURE {
            let asks = |step: &Step| matches!(step.action, Action::SignIn { .. });
            if self.steps.front().is_none_or(asks) {
                break;
            }
            if let Some(step) = self.steps.pop_front() {
                self.perform(step, emulator)?;
                phase.step();
            }
        }
        let put_off = async {
            while emulator.counts().deliveries.retried == 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            () = put_off => {}
            // Everything that there was to deliver was dropped.
            () = emulator.wait_until_idle() => {}
        }
        Ok(())
    }

    /// Performs the rest.
    pub(super) async fn go_on(mut self, stage: &Stage, phase: &Phase) -> Result<Played, Failure> {
        while let Some(step) = self.steps.pop_front() {
            match step.action {
                Action::SignIn { role } => self.sign_in(self.id_of(step.user), role, stage).await?,
                _ => self.perform(step, &stage.emulator)?,
            }
            phase.step();
            tokio::time::sleep(PACE).await;
        }
        while let Some(one) = self.under_way.join_next().await {
            self.played.note(one)?;
        }
        Ok(self.played)
    }

    fn id_of(&self, user: usize) -> String {
        self.ids.get(&user).cloned().unwrap_or_default()
    }

    /// What happens at the provider alone.
    fn perform(&mut self, step: Step, emulator: &Emulator) -> Result<(), Failure> {
        let id = self.id_of(step.user);
        let done = match step.action {
            Action::SignUp(fields) => return self.sign_up(step.user, fields, emulator),
            Action::SignIn { .. } => return Ok(()),
            Action::Delete => {
                self.played.deleted += 1;
                return done(emulator.delete_user(&id), "deleted");
            }
            Action::Change(fields) => emulator.update_user(&id, fields),
            Action::Merge(metadata) => emulator.merge_public_metadata(&id, metadata),
            Action::Ban(banned) => emulator.ban(&id, banned),
        };
        self.played.changed += 1;
        self::done(done.is_some(), "changed")
    }

    fn sign_up(&mut self, user: usize, fields: Value, emulator: &Emulator) -> Result<(), Failure> {
        let made = emulator.create_user(fields);
        let Some(id) = made.get("id").and_then(Value::as_str) else {
            return Err(Failure::Message(format!("the emulator refused a user: {made}")));
        };
        self.played.signed_up += 1;
        self.ids.insert(user, id.to_owned());
        Ok(())
    }

    async fn sign_in(
        &mut self,
        id: String,
        role: Option<&'static str>,
        stage: &Stage,
    ) -> Result<(), Failure> {
        if self.under_way.len() == AT_ONCE
            && let Some(one) = self.under_way.join_next().await
        {
            self.played.note(one)?;
        }
        let (caller, token) = (stage.caller.clone(), stage.emulator.session_token(&id));
        self.under_way.spawn(sign_in(caller, token, id, role));
        Ok(())
    }
}

fn done(done: bool, what: &str) -> Result<(), Failure> {
    if done { Ok(()) } else { Err(Failure::Message(format!("a user could not be {what}"))) }
}

impl Played {
    fn note(
        &mut self,
        one: Result<Result<SignedIn, Failure>, tokio::task::JoinError>,
    ) -> Result<(), Failure> {
        let one = one.map_err(|error| Failure::Message(error.to_string()))??;
        self.signed_in += 1;
        self.rows_made_by_signing_in += usize::from(one.made_row);
        if let Some(role) = one.role {
            self.chosen.insert(one.id, role.to_owned());
        }
        Ok(())
    }
}

async fn sign_in(
    caller: Caller,
    token: String,
    id: String,
    role: Option<&'static str>,
) -> Result<SignedIn, Failure> {
    let mut tries = 0;
    let made_row = loop {
        match caller.me(&token).await? {
            (StatusCode::OK, body) => break body.get("created") == Some(&Value::Bool(true)),
            (StatusCode::SERVICE_UNAVAILABLE, _) if tries < TRIES => tries += 1,
            (status, body) => return Err(unexpected("GET /v1/me", status, &body)),
        }
        tokio::time::sleep(TRY_EVERY).await;
    };
    if let Some(role) = role {
        let (status, body) = caller.choose_role(&id, role).await?;
        if status != StatusCode::OK {
            return Err(unexpected("PATCH /v1/users/{id}", status, &body));
        }
    }
    Ok(SignedIn { id, made_row, role })
}
