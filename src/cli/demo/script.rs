//! What happens in a demo: one list of actions, made from the seed.
//!
//! Called by `demo`. Pure: the same number of users and the same seed give the same list. Users
//! are numbers here; their ids are the emulator's business. All names and addresses are invented.

use serde_json::{Value, json};

const FIRST: [&str; 8] = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Radia", "Zoë", "Łukasz"];

const LAST: [&str; 7] = ["Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Perlman", "O'Neil"];

/// How far apart two sign-ups are, on the scale on which the actions of one user are at most
/// [`LONGEST_PAUSE`] apart: so what happens to many users is mixed.
const BETWEEN_SIGN_UPS: u64 = 10;
const LONGEST_PAUSE: u64 = 120;

/// One thing that happens to one user.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) user: usize,
    pub(super) action: Action,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Action {
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

/// What a user is in this play for.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Goes,
    SignsIn,
    Stays,
}

/// The actions of a run, in their order.
pub(super) fn script(users: usize, seed: u64) -> Vec<Step> {
    let mut dice = Dice(seed);
    let mut timed = Vec::new();
    let mut begins = 0;
    for user in 0..users {
        begins += BETWEEN_SIGN_UPS;
        let mut at = begins;
        for action in life(user, &mut dice) {
            timed.push((at, Step { user, action }));
            at += 1 + dice.below(LONGEST_PAUSE);
        }
    }
    // Stable: the actions of one user keep their order.
    timed.sort_by_key(|(at, _)| *at);
    timed.into_iter().map(|(_, step)| step).collect()
}

/// Everything that happens to one user.
fn life(user: usize, dice: &mut Dice) -> Vec<Action> {
    let part = match dice.below(100) {
        0..18 => Part::Goes,
        18..32 => Part::SignsIn,
        _ => Part::Stays,
    };
    let mut life = vec![Action::SignUp(sign_up(user, dice))];
    if part == Part::SignsIn {
        let role = [Some("admin"), Some("user"), None];
        life.push(Action::SignIn { role: dice.pick(&role).flatten() });
    }
    let changes = dice.below(4);
    life.extend((0..changes).map(|number| change(user, number, part, dice)));
    if part == Part::Goes {
        life.push(Action::Delete);
    }
    life
}

fn sign_up(user: usize, dice: &mut Dice) -> Value {
    let mut fields = json!({"first_name": name(&FIRST, dice)});
    let mut put = |key: &str, value: Value| {
        if let Value::Object(fields) = &mut fields {
            fields.insert(key.to_owned(), value);
        }
    };
    if dice.below(8) > 0 {
        put("last_name", name(&LAST, dice));
    }
    if dice.below(10) > 0 {
        put("email_address", json!([format!("user.{user}@example.test")]));
    }
    if dice.below(5) == 0 {
        put("phone_number", json!([format!("+1555{user:07}")]));
    }
    if dice.below(4) == 0 {
        put("username", format!("user_{user}").into());
    }
    if dice.below(12) == 0 {
        put("public_metadata", json!({"role": "admin", "theme": "dark"}));
    }
    fields
}

fn change(user: usize, number: u64, part: Part, dice: &mut Dice) -> Action {
    match dice.below(5) {
        0 => Action::Change(
            json!({"first_name": name(&FIRST, dice), "last_name": name(&LAST, dice)}),
        ),
        1 => {
            Action::Change(json!({"email_address": [format!("user.{user}.{number}@example.test")]}))
        }
        // Who is banned cannot sign in.
        2 if part != Part::SignsIn => Action::Ban(dice.below(3) > 0),
        // Whose role an operator chooses is given none at the provider.
        3 if part != Part::SignsIn => Action::Merge(json!({"role": role(dice)})),
        _ => Action::Merge(
            json!({"theme": dice.pick(&[Some("dark"), Some("light"), None]), "seen": number}),
        ),
    }
}

fn name(names: &[&'static str], dice: &mut Dice) -> Value {
    dice.pick(names).into()
}

fn role(dice: &mut Dice) -> Option<&'static str> {
    dice.pick(&["user", "admin"])
}

/// Chance that can be repeated (splitmix64).
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.throw().checked_rem(bound).unwrap_or(0)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let index = self.below(u64::try_from(from.len()).unwrap_or(0));
        from.get(usize::try_from(index).unwrap_or(0)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, script};

    #[test]
    fn one_seed_gives_one_script_and_another_gives_another() {
        assert_eq!(script(50, 1), script(50, 1));
        assert_ne!(script(50, 1), script(50, 2));
    }

    #[test]
    fn every_user_signs_up_first_and_nothing_follows_a_deletion() {
        let steps = script(200, 1);
        for user in 0..200 {
            let life: Vec<&Action> =
                steps.iter().filter(|step| step.user == user).map(|step| &step.action).collect();
            assert!(matches!(life[0], Action::SignUp(_)), "{life:?}");
            let gone = life.iter().position(|action| **action == Action::Delete);
            assert!(gone.is_none_or(|at| at == life.len() - 1), "{life:?}");
        }
    }

    #[test]
    fn everything_happens_and_lives_are_mixed() {
        let steps = script(200, 1);
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
