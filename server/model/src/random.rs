//! Randomness as a parameter, and the opaque strings made from it.

/// Source of cryptographically secure random bytes.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes` whole.
    fn fill(&self, bytes: &mut [u8]);
}

/// Letters and digits of opaque strings: no character that needs escaping in a URL or a log.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// An opaque string of `length` letters and digits, 5.95 bits of entropy each.
///
/// 43 characters carry 256 bits: the length of every token that grants something.
pub fn opaque(random: &dyn Random, length: usize) -> String {
    let mut out = String::with_capacity(length);
    let mut buffer = [0_u8; 64];
    while out.len() < length {
        random.fill(&mut buffer);
        // 248 = 4 * 62: larger bytes are thrown away, or the first letters would be likelier.
        let letters = buffer.iter().filter(|byte| **byte < 248);
        let letters = letters.filter_map(|byte| ALPHABET.get(usize::from(*byte % 62)));
        for letter in letters.take(length - out.len()) {
            out.push(char::from(*letter));
        }
    }
    out
}

/// Length of tokens that grant something (256 bits).
pub const TOKEN_LENGTH: usize = 43;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering};

    struct Counting(AtomicU8);
    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    #[test]
    fn opaque_strings_have_the_length_asked_for_and_only_letters_and_digits() {
        let random = Counting(AtomicU8::new(0));
        for length in [0, 1, 43, 200] {
            let text = opaque(&random, length);
            assert_eq!(text.len(), length);
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn every_letter_is_equally_likely_over_all_bytes() {
        let random = Counting(AtomicU8::new(0));
        let text = opaque(&random, 248);
        for letter in ALPHABET {
            assert_eq!(text.bytes().filter(|b| b == letter).count(), 4);
        }
    }
}
