//! Signatures and comparisons that networks need, in constant time.

use ring::digest::{SHA256, digest};
use ring::hmac;

/// HMAC-SHA256 of a message.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

/// Whether `tag` is the HMAC-SHA256 of a message.
pub fn is_hmac_sha256(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, tag).is_ok()
}

/// SHA-256 as hexadecimal digits, for values that are stored to be recognised and never read.
pub fn sha256_hex(bytes: &[u8]) -> String {
    crate::ids::hex(digest(&SHA256, bytes).as_ref())
}

/// Whether two secrets are the same. How long it takes tells nothing about where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    // Any key will do: only their tags are compared.
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"same");
    hmac::verify(&key, a, hmac::sign(&key, b).as_ref()).is_ok()
}

/// The bytes of hexadecimal digits; `None` when it is something else.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_fit_their_message_and_key_only() {
        // RFC 4231, test case 2.
        let tag = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(crate::ids::hex(&tag), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(is_hmac_sha256(b"Jefe", b"what do ya want for nothing?", &tag));
        assert!(!is_hmac_sha256(b"jefe", b"what do ya want for nothing?", &tag));
        assert!(!is_hmac_sha256(b"Jefe", b"what do ya want for nothing", &tag));
        assert!(same(b"a", b"a") && !same(b"a", b"b") && !same(b"", b"a"));
        assert_eq!(from_hex("00fF"), Some(vec![0, 255]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("+1"), None);
    }
}
