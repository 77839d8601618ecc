//! Opaque tokens: 256 bits of randomness towards the client, a SHA-256 towards the archive.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use kontor_model::{Error, Result};
use sha2::{Digest, Sha256};

/// SHA-256 of a token.
pub type Hash = [u8; 32];

/// Bytes of the salt with which the next pair of tokens is made.
pub const SALT_BYTES: usize = 32;

/// The hash under which a token is kept.
pub fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

/// Access and refresh token that follow a refresh token.
///
/// Made from the old token, which only the client has, and a salt, which only the archive has: so
/// the same answer can be given again when the first one was lost, and neither side alone can
/// make it.
///
/// # Errors
/// `Internal` if the hash function refuses its key, which it never does.
pub fn next_pair(refresh_token: &str, salt: &[u8]) -> Result<(String, String)> {
    let derived = |what: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(refresh_token.as_bytes()).map_err(Error::internal)?;
        mac.update(what.as_bytes());
        mac.update(salt);
        Ok::<_, Error>(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    };
    Ok((derived("access")?, derived("refresh")?))
}

/// Whether two byte strings are equal, in a time that does not tell where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_pair_depends_on_the_token_and_on_the_salt_and_on_nothing_else() {
        let pair = next_pair("token", b"salt").unwrap();
        assert_eq!(pair, next_pair("token", b"salt").unwrap());
        assert_ne!(pair.0, pair.1);
        assert_eq!((pair.0.len(), pair.1.len()), (43, 43));
        for other in [next_pair("token", b"tals").unwrap(), next_pair("nekot", b"salt").unwrap()] {
            assert!(other.0 != pair.0 && other.1 != pair.1);
        }
    }

    #[test]
    fn comparing_looks_at_every_byte() {
        assert!(same(b"abc", b"abc"));
        for (a, b) in [(&b"abc"[..], &b"abd"[..]), (b"abc", b"xbc"), (b"abc", b"ab"), (b"", b"a")] {
            assert!(!same(a, b));
        }
    }
}
