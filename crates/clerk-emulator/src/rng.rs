//! Seeded draws for ids, secrets and faults: each is a function of seed, instance, purpose and number.
//!
//! Keeps no state and reads no clock, so two runs with one seed that make the same requests in the
//! same order get the same ids and the same faults.

use fastrand::Rng;

/// The initial state of FNV-1a with 64 bits.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

#[derive(Clone, Debug)]
pub(crate) struct SeededRng(u64);

impl SeededRng {
    /// Two instances draw different values even if they share a seed.
    pub(crate) fn new(seed: u64, instance_id: &str) -> Self {
        Self(hash(hash(OFFSET_BASIS, &seed.to_le_bytes()), instance_id.as_bytes()))
    }

    fn draw(&self, purpose: &str, number: u64) -> Rng {
        Rng::with_seed(hash(hash(self.0, purpose.as_bytes()), &number.to_le_bytes()))
    }

    /// A number from 0 to `bound - 1`.
    pub(crate) fn below(&self, purpose: &str, number: u64, bound: u64) -> u64 {
        self.draw(purpose, number).u64(..bound.max(1))
    }

    /// True for `permille` of a thousand numbers.
    pub(crate) fn happens(&self, purpose: &str, number: u64, permille: u64) -> bool {
        self.below(purpose, number, 1_000) < permille
    }

    /// Letters and digits, as in the provider's ids.
    pub(crate) fn letters(&self, purpose: &str, number: u64, count: usize) -> String {
        let mut rng = self.draw(purpose, number);
        (0..count).map(|_| rng.alphanumeric()).collect()
    }
}

/// FNV-1a: unlike the standard library's hasher it never changes.
fn hash(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, byte| (state ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::SeededRng;

    #[test]
    fn a_draw_depends_on_seed_instance_purpose_and_number_alone() {
        let draw = |seed, instance, purpose, number| {
            SeededRng::new(seed, instance).letters(purpose, number, 27)
        };
        let first = draw(7, "ins_1", "a", 1);
        assert_eq!(draw(7, "ins_1", "a", 1), first);
        for other in [
            draw(7, "ins_1", "a", 2),
            draw(7, "ins_1", "b", 1),
            draw(8, "ins_1", "a", 1),
            draw(7, "ins_2", "a", 1),
        ] {
            assert_ne!(other, first);
        }
    }

    #[test]
    fn events_happen_as_often_as_their_odds_say() {
        let rng = SeededRng::new(1, "ins_1");
        let happened = (0..10_000).filter(|number| rng.happens("x", *number, 100)).count();
        assert!((800..1_200).contains(&happened), "{happened}");
    }
}
