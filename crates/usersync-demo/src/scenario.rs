//! The scenario of a demo: a list of actions of invented users, derived from the seed.
//!
//! Called by [`crate::run()`]. Pure: the same number of users and the same seed give the same list. Users are
//! numbers here; `run` maps them to the emulator's ids.

use fastrand::Rng;
use serde_json::{Value, json};

const FIRST: [&str; 8] = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Radia", "Zoë", "Łukasz"];

const LAST: [&str; 7] = ["Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Perlman", "O'Neil"];

/// How far apart two sign-ups are, on the scale on which the actions of one user are at most
/// [`LONGEST_PAUSE`] apart: so what happens to many users is mixed.
const BETWEEN_SIGN_UPS: u64 = 10;
const LONGEST_PAUSE: u64 = 120;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) user: usize,
    pub(crate) action: Action,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    SignUp(Value),
    /// Fields of the user change: names, addresses.
    Change(Value),
    /// Keys of the public metadata change; a null removes one.
    Merge(Value),
    Ban(bool),
    Delete,
    /// The user asks the service who it is, sooner than its event comes if need be; then an
    /// operator may choose its role.
    SignIn {
        role: Option<&'static str>,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Lifecycle {
    Deleted,
    SignsIn,
    Active,
}

pub(crate) fn scenario(users: usize, seed: u64) -> Vec<Step> {
    let mut rng = Rng::with_seed(seed);
    let mut timed = Vec::new();
    let mut begins = 0;
    for user in 0..users {
        begins += BETWEEN_SIGN_UPS;
        let mut at = begins;
        for action in actions_of(user, &mut rng) {
            timed.push((at, Step { user, action }));
            at += 1 + rng.u64(..LONGEST_PAUSE);
        }
    }
    // Stable: the actions of one user keep their order.
    timed.sort_by_key(|(at, _)| *at);
    timed.into_iter().map(|(_, step)| step).collect()
}

fn actions_of(user: usize, rng: &mut Rng) -> Vec<Action> {
    let lifecycle = match rng.u64(..100) {
        0..18 => Lifecycle::Deleted,
        18..32 => Lifecycle::SignsIn,
        _ => Lifecycle::Active,
    };
    let mut life = vec![Action::SignUp(sign_up(user, rng))];
    if lifecycle == Lifecycle::SignsIn {
        let role = [Some("admin"), Some("user"), None];
        life.push(Action::SignIn { role: rng.choice(role).flatten() });
    }
    let changes = rng.u64(..4);
    life.extend((0..changes).map(|number| change(user, number, lifecycle, rng)));
    if lifecycle == Lifecycle::Deleted {
        life.push(Action::Delete);
    }
    life
}

fn sign_up(user: usize, rng: &mut Rng) -> Value {
    let mut fields = json!({"first_name": name(&FIRST, rng)});
    let mut put = |key: &str, value: Value| {
        if let Value::Object(fields) = &mut fields {
            fields.insert(key.to_owned(), value);
        }
    };
    if rng.u64(..8) > 0 {
        put("last_name", name(&LAST, rng));
    }
    if rng.u64(..10) > 0 {
        put("email_address", json!([format!("user.{user}@example.test")]));
    }
    if rng.u64(..5) == 0 {
        put("phone_number", json!([format!("+1555{user:07}")]));
    }
    if rng.u64(..4) == 0 {
        put("username", format!("user_{user}").into());
    }
    if rng.u64(..12) == 0 {
        put("public_metadata", json!({"role": "admin", "theme": "dark"}));
    }
    fields
}

fn change(user: usize, number: u64, lifecycle: Lifecycle, rng: &mut Rng) -> Action {
    match rng.u64(..5) {
        0 => {
            Action::Change(json!({"first_name": name(&FIRST, rng), "last_name": name(&LAST, rng)}))
        }
        1 => {
            Action::Change(json!({"email_address": [format!("user.{user}.{number}@example.test")]}))
        }
        // A banned user cannot sign in.
        2 if lifecycle != Lifecycle::SignsIn => Action::Ban(rng.u64(..3) > 0),
        // The operator may override the role of a user who signs in.
        3 if lifecycle != Lifecycle::SignsIn => Action::Merge(json!({"role": role(rng)})),
        _ => Action::Merge(
            json!({"theme": rng.choice([Some("dark"), Some("light"), None]), "seen": number}),
        ),
    }
}

fn name(names: &[&'static str], rng: &mut Rng) -> Value {
    rng.choice(names.iter().copied()).into()
}

fn role(rng: &mut Rng) -> Option<&'static str> {
    rng.choice(["user", "admin"])
}

#[cfg(test)]
mod tests {
    use super::{Action, scenario};

    #[test]
    fn one_seed_gives_one_script_and_another_gives_another() {
        assert_eq!(scenario(50, 1), scenario(50, 1));
        assert_ne!(scenario(50, 1), scenario(50, 2));
    }

    #[test]
    fn every_user_signs_up_first_and_nothing_follows_a_deletion() {
        let steps = scenario(200, 1);
        for user in 0..200 {
            let life: Vec<&Action> =
                steps.iter().filter(|step| step.user == user).map(|step| &step.action).collect();
            assert!(matches!(life[0], Action::SignUp(_)), "{life:?}");
            let gone = life.iter().position(|action| **action == Action::Delete);
            assert!(gone.is_none_or(|at| at == life.len() - 1), "{life:?}");
        }
    }

    #[test]
    fn every_action_occurs_and_users_are_interleaved() {
        let steps = scenario(200, 1);
        let count = |is: fn(&Action) -> bool| steps.iter().filter(|step| is(&step.action)).count();
        assert_eq!(count(|action| matches!(action, Action::SignUp(_))), 200);
        assert!(count(|action| matches!(action, Action::Change(_))) > 50);
        assert!(count(|action| matches!(action, Action::Merge(_))) > 50);
        assert!(count(|action| *action == Action::Ban(true)) > 10);
        assert!(count(|action| *action == Action::Ban(false)) > 5);
        assert!(count(|action| *action == Action::Delete) > 20);
        assert!(count(|action| matches!(action, Action::SignIn { role: Some(_) })) > 10);
        let order: Vec<usize> = steps.iter().map(|step| step.user).collect();
        assert!(!order.is_sorted());
    }
}
