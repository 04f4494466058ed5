//! All users of the provider: how many there are, and in which order they came.

use crate::payload::Change;
use crate::user::User;

/// Of each run of so many users …
const RUN: u64 = 61;

/// … the first ones came in the same millisecond. The run is prime, so that a page of any size ends inside such a
/// millisecond sooner or later.
const TOGETHER: u64 = 3;

/// The time from a user's first day to the latest change.
const CHANGED_AFTER_MS: u64 = 86_400_000;

/// The users 0 to N-1, oldest first.
pub(super) struct Crowd {
    pub(super) users: u64,
}

impl Crowd {
    pub(super) fn user(number: u64) -> User {
        User { created_at: created_at(number), ..User::number(number) }
    }

    /// The latest change of a user: some never came back after they signed up.
    pub(super) fn change(number: u64, created_at: u64) -> Change {
        if number.is_multiple_of(4) {
            Change::Created
        } else {
            Change::Updated { at_ms: created_at + CHANGED_AFTER_MS, round: 3 }
        }
    }

    /// Whose id it is, if there is such a user.
    pub(super) fn number_of(&self, id: &str) -> Option<u64> {
        User::number_of(id).filter(|number| *number < self.users)
    }

    /// The first user who came at this time or later; their number if nobody did.
    pub(super) fn first_since(&self, ms: u64) -> u64 {
        let (mut low, mut high) = (0, self.users);
        while low < high {
            let middle = low + (high - low) / 2;
            if created_at(middle) < ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// When user `number` came. It never falls, and is the same for a few users now and then.
fn created_at(number: u64) -> u64 {
    let place = number % RUN;
    User::signed_up_at(if place < TOGETHER { number - place } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_one_after_the_other_and_a_few_together() {
        let times: Vec<u64> = (0..5_000).map(created_at).collect();
        assert!(times.is_sorted());
        assert_eq!(times[61..64], [times[61]; 3]);
        let shared = times.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert_eq!(shared, 2 * 5_000_usize.div_ceil(61));
        assert_eq!(Crowd::user(62).created_at, times[61]);
    }

    #[test]
    fn the_first_since_a_time_is_found() {
        let crowd = Crowd { users: 1_000 };
        let at = created_at(61);
        assert_eq!(crowd.first_since(0), 0);
        assert_eq!((crowd.first_since(at), crowd.first_since(at + 1)), (61, 64));
        assert_eq!(crowd.first_since(created_at(999)), 999);
        assert_eq!(crowd.first_since(u64::MAX), 1_000);
    }

    #[test]
    fn only_those_who_are_there_are_known() {
        let crowd = Crowd { users: 10 };
        assert_eq!(crowd.number_of(&Crowd::user(9).id), Some(9));
        assert_eq!(crowd.number_of(&Crowd::user(10).id), None);
    }
}
