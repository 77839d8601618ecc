//! Ids that sort by the moment at which they were made: 48 bits of milliseconds, 80 random ones, in
//! Crockford's base 32.

use kontor_model::{Ms, Random};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new id, 26 letters and digits.
pub fn ulid(now: Ms, random: &dyn Random) -> String {
    let mut noise = [0_u8; 16];
    random.fill(&mut noise);
    of(now, noise)
}

/// No id that was made at a moment or later comes before this.
pub fn first_at(now: Ms) -> String {
    of(now, [0; 16])
}

fn of(now: Ms, noise: [u8; 16]) -> String {
    let moment = u128::from(u64::try_from(now).unwrap_or_default() & 0xffff_ffff_ffff);
    let value = (moment << 80) | (u128::from_be_bytes(noise) >> 48);
    let letter = |place: u32| {
        let index = usize::try_from((value >> (5 * place)) & 31).unwrap_or_default();
        char::from(ALPHABET.get(index).copied().unwrap_or(b'0'))
    };
    (0..26).rev().map(letter).collect()
}

/// Whether a text could be such an id.
pub fn is_ulid(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn ids_sort_by_their_moment() {
        let (early, late) = (ulid(1_000, &Fixed(255)), ulid(1_001, &Fixed(0)));
        assert!(early < late);
        assert_eq!(early, "00000000Z8ZZZZZZZZZZZZZZZZ");
        assert!(first_at(1_000) < early && early < first_at(1_001) && first_at(1_001) <= late);
        assert!(is_ulid(&early) && !is_ulid("x") && !is_ulid(&late.to_lowercase().replace('0', "u")));
    }
}
