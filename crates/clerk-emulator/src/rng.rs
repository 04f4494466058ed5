//! SeededRng that can be repeated: a draw is a function of seed, purpose and number.
//!
//! Called by whatever in this room makes something up: ids, secrets, faults. Holds no state
//! and knows no clock, so two runs with one seed that ask in the same order get the same.

use sha2::{Digest as _, Sha256};

/// The digits of the provider's ids.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Where draws come from.
#[derive(Clone, Debug)]
pub(super) struct SeededRng {
    seed: u64,
    instance: String,
}

/// One draw: 256 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draw([u8; 32]);

impl SeededRng {
    /// Draws of two instances differ, also where they have one seed.
    pub(super) fn new(seed: u64, instance: &str) -> Self {
        Self { seed, instance: instance.to_owned() }
    }

    /// The draw of a number for a purpose; always the same one.
    pub(super) fn draw(&self, purpose: &str, number: u64) -> Draw {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        for text in [self.instance.as_str(), purpose] {
            hash.update(text.as_bytes());
            hash.update([0]);
        }
        hash.update(number.to_le_bytes());
        Draw(hash.finalize().into())
    }
}

impl Draw {
    /// All of its bytes.
    pub(super) fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// A number from 0 to `bound - 1`; 0 where there is nothing to choose from.
    pub(super) fn below(self, bound: u64) -> u64 {
        let eight = self.0.first_chunk::<8>().copied().unwrap_or_default();
        u64::from_le_bytes(eight).checked_rem(bound).unwrap_or(0)
    }

    /// True for `permille` of a thousand draws.
    pub(super) fn happens(self, permille: u64) -> bool {
        self.below(1_000) < permille
    }

    /// Letters and digits, 32 at most.
    pub(super) fn letters(self, count: usize) -> String {
        let letter = |byte: u8| BASE62.get(usize::from(byte) % BASE62.len()).copied().unwrap_or(0);
        self.0.into_iter().take(count).map(|byte| char::from(letter(byte))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::SeededRng;

    #[test]
    fn a_draw_depends_on_seed_instance_purpose_and_number_alone() {
        let rng = SeededRng::new(7, "ins_1");
        let same = SeededRng::new(7, "ins_1").draw("a", 1);
        assert_eq!(rng.draw("a", 1), same);
        for other in [
            rng.draw("a", 2),
            rng.draw("b", 1),
            SeededRng::new(8, "ins_1").draw("a", 1),
            SeededRng::new(7, "ins_2").draw("a", 1),
        ] {
            assert_ne!(other, same);
        }
        assert_eq!(same.letters(27).len(), 27);
    }

    #[test]
    fn what_should_happen_now_and_then_does() {
        let rng = SeededRng::new(1, "ins_1");
        let happened = (0..10_000).filter(|number| rng.draw("x", *number).happens(100)).count();
        assert!((800..1_200).contains(&happened), "{happened}");
    }
}
