//! Ids as Clerk makes them: a prefix and a KSUID, 27 base62 characters of a 32-bit time and 128 random bits.
//! They sort by time, which is what gives the indexes of a real table their shape.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 27;

/// KSUID times count from here, so that 32 bits last until 2150.
const KSUID_EPOCH_SECONDS: u64 = 1_400_000_000;

/// `prefix` followed by the KSUID of a Unix time in seconds and 128 bits of entropy.
pub(crate) fn ksuid(prefix: &str, unix_seconds: u64, entropy: u128) -> String {
    let seconds = unix_seconds.saturating_sub(KSUID_EPOCH_SECONDS) as u32;
    let mut limbs = [
        seconds,
        (entropy >> 96) as u32,
        (entropy >> 64) as u32,
        (entropy >> 32) as u32,
        entropy as u32,
    ];
    let mut digits = [0_u8; LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[divide_by_62(&mut limbs)];
    }
    let mut id = String::with_capacity(prefix.len() + LENGTH);
    id.push_str(prefix);
    id.extend(digits.iter().map(|&digit| char::from(digit)));
    id
}

/// Divides the 160-bit number in place and returns the remainder.
fn divide_by_62(limbs: &mut [u32; 5]) -> usize {
    let mut remainder = 0_u64;
    for limb in limbs {
        let value = (remainder << 32) | u64::from(*limb);
        *limb = (value / 62) as u32;
        remainder = value % 62;
    }
    remainder as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_length_and_order_of_ksuids() {
        let earlier = ksuid("user_", 1_754_012_591, u128::MAX);
        let later = ksuid("user_", 1_754_012_592, 0);
        assert_eq!(earlier.len(), "user_".len() + 27);
        assert!(earlier < later);
    }

    #[test]
    fn the_largest_value_is_the_one_that_ksuid_documents() {
        let last = KSUID_EPOCH_SECONDS + u64::from(u32::MAX);
        assert_eq!(ksuid("", last, u128::MAX), "aWgEPTl1tmebfsQzFP4bxwgy80V");
    }
}
