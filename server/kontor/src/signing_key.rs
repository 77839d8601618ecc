//! The server's signing key: its identity towards other servers, and in every event that it
//! sends. Kept in a file of one line, `ed25519 <version> <seed in base64>`, the form that other
//! homeservers use as well.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use kontor_model::Random;
use kontor_model::random::opaque;
use ruma::signatures::Ed25519KeyPair;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Base64 without padding, as Matrix writes it; padding is accepted.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What stands before the seed in the smallest PKCS#8 document of an ed25519 key (RFC 8410).
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Reads the key; makes it when there is none.
///
/// # Errors
/// A sentence that names the file. A file that cannot be understood is never overwritten.
pub fn load(path: &Path, random: &dyn Random) -> Result<Ed25519KeyPair, String> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).map_err(|reason| {
            format!(
                "The signing key in {} cannot be used: {reason}. Restore it from a backup. If there is none, remove \
                 the file and a new key is made; other servers then see a server with a new key.",
                path.display()
            )
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(path, random)
                .map_err(|error| format!("The signing key {} cannot be written: {error}.", path.display()))?;
            load(path, random)
        }
        Err(error) => Err(format!("The signing key {} cannot be read: {error}.", path.display())),
    }
}

fn parse(text: &str) -> Result<Ed25519KeyPair, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["ed25519", version, seed] = words.as_slice() else {
        return Err(String::from("it is not one line of the form \"ed25519 version seed\""));
    };
    let seed = BASE64.decode(seed).map_err(|_| String::from("its seed is not base64"))?;
    if seed.len() != 32 {
        return Err(format!("its seed has {} bytes instead of 32", seed.len()));
    }
    let document = [PKCS8_HEAD.as_slice(), &seed].concat();
    Ed25519KeyPair::from_der(&document, (*version).to_owned()).map_err(|error| error.to_string())
}

/// Writes a new key beside its place and links it there, so that neither a crash nor another
/// process that starts at the same moment leaves half a key or a second one.
fn make(path: &Path, random: &dyn Random) -> std::io::Result<()> {
    let mut seed = [0_u8; 32];
    random.fill(&mut seed);
    let beside = path.with_extension(format!("new-{}", opaque(random, 8)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    writeln!(file, "ed25519 a_{} {}", opaque(random, 4), BASE64.encode(seed))?;
    file.sync_all()?;
    let linked = match fs::hard_link(&beside, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    fs::remove_file(&beside)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;
    use ruma::signatures::KeyPair as _;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let folder = std::env::temp_dir().join(format!("kontor-key-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("made");
        let path = folder.join("signing.key");
        let sign = || load(&path, &SystemRandom).expect("a key").sign(b"x").base64();
        assert_eq!(sign(), sign());
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).expect("there").count(), 1, "nothing else is left");
        for text in ["", "ed25519 a_1 short", "ed25519 a_1 !", "rsa a b"] {
            fs::write(&path, text).expect("written");
            assert!(load(&path, &SystemRandom).is_err(), "{text}");
            assert_eq!(fs::read_to_string(&path).expect("there"), text, "never overwritten");
        }
        fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn the_specifications_key_signs_as_the_specification_says() {
        // Appendix "Cryptographic test vectors": the signing key, and the signature of `{}`.
        let key = parse("ed25519 1 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1").expect("the seed");
        assert_eq!(
            key.sign(b"{}").base64(),
            "K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"
        );
    }
}
