//! Random numbers that can be repeated: the same seed gives the same run.

/// `SplitMix64`.
pub struct Rng(u64);

impl Rng {
    /// Seeds from `USERSYNC_TEST_SEED`, where that is set, else with `seed`, and prints the
    /// seed in the output of a test that fails.
    pub fn seeded(seed: u64) -> Self {
        let given = std::env::var("USERSYNC_TEST_SEED").ok();
        let seed = given.map_or(seed, |text| text.parse().unwrap());
        eprintln!("to repeat this run: USERSYNC_TEST_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap();
        usize::try_from(self.next() % bound).unwrap()
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}
