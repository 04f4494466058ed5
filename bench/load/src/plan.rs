//! Which event comes when: the order of users and the version of each update.
//!
//! Updates walk over the users by a constant step near the golden section of their number. The walk is spread
//! uniformly, and comes back to a user only after all others had their turn, so two events of one user are never
//! in flight together and every update is newer than what the service holds.

use fastrand::Rng;

use crate::options::{Mix, Options};

/// What happened to a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Created,
    /// `updated_at` of the newer snapshot, and how many updates of this run came before it.
    Updated {
        at_ms: u64,
        round: u64,
    },
}

pub(crate) struct Plan {
    mix: Mix,
    first: u64,
    users: u64,
    start: u64,
    step: u64,
    now_ms: u64,
}

impl Plan {
    pub(crate) fn new(options: &Options, now_ms: u64) -> Self {
        Self {
            mix: options.mix,
            first: options.first,
            users: options.users,
            start: Rng::with_seed(options.seed).u64(..options.users),
            step: coprime_step(options.users),
            now_ms,
        }
    }

    /// The user number and the change of the event at `index`.
    pub(crate) fn event(&self, index: u64) -> (u64, Change) {
        match self.mix {
            Mix::Created => (self.first + index, Change::Created),
            Mix::Updated => self.updated(index),
            Mix::Mixed if index.is_multiple_of(2) => (self.first + index / 2, Change::Created),
            Mix::Mixed => self.updated(index / 2),
        }
    }

    fn updated(&self, index: u64) -> (u64, Change) {
        let round = index / self.users;
        let offset =
            u128::from(index % self.users) * u128::from(self.step) + u128::from(self.start);
        let user = (offset % u128::from(self.users)) as u64;
        (user, Change::Updated { at_ms: self.now_ms + round, round })
    }
}

/// A step that visits every one of `users` before it repeats.
fn coprime_step(users: u64) -> u64 {
    let golden = (users as f64 * 0.618_033_988_749_894_9) as u64;
    (golden.max(1)..=users).find(|&step| greatest_common_divisor(step, users) == 1).unwrap_or(1)
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn plan(mix: Mix, users: u64) -> Plan {
        Plan::new(&Options { mix, users, first: 100, seed: 7, ..Options::default() }, 1_000_000)
    }

    #[test]
    fn updates_visit_every_user_once_a_round_and_grow_newer() {
        for users in [1, 2, 10, 997, 1000] {
            let plan = plan(Mix::Updated, users);
            let visited: HashSet<u64> = (0..users).map(|index| plan.event(index).0).collect();
            assert_eq!(visited.len() as u64, users);
            let (user, change) = plan.event(users);
            assert_eq!(
                (user, change),
                (plan.event(0).0, Change::Updated { at_ms: 1_000_001, round: 1 })
            );
        }
    }

    #[test]
    fn created_users_are_new_and_ascend() {
        let plan = plan(Mix::Created, 10);
        assert_eq!(plan.event(0), (100, Change::Created));
        assert_eq!(plan.event(5), (105, Change::Created));
    }

    #[test]
    fn mixed_takes_turns() {
        let plan = plan(Mix::Mixed, 10);
        assert_eq!(plan.event(2), (101, Change::Created));
        assert!(matches!(plan.event(3).1, Change::Updated { .. }));
    }
}
