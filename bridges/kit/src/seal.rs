//! Encryption of what lies on the disk: ChaCha20-Poly1305 with the bridge's key file.

use kontor_model::{Code, Error, Random, Result};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Which key closed it; there is one so far.
const VERSION: u8 = 1;
const KEY_LENGTH: usize = 32;

/// The bridge's key.
#[derive(Clone)]
pub(crate) struct Seal {
    key: Arc<LessSafeKey>,
    random: Arc<dyn Random>,
}

fn broken() -> Error {
    Error::internal(
        "a sealed value cannot be opened: the bridge's key file is not the one it was closed with",
    )
}

impl Seal {
    /// With this key.
    ///
    /// # Errors
    /// `Internal` when the key has another length than 32 bytes.
    pub fn new(key: &[u8], random: Arc<dyn Random>) -> Result<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key)
            .map_err(|_| Error::internal("a key of the wrong length"))?;
        Ok(Self { key: Arc::new(LessSafeKey::new(key)), random })
    }

    /// With the key in `file`, which is made when it does not exist, readable for its owner only.
    ///
    /// # Errors
    /// `Unavailable` when the file can be neither read nor made, or is no key.
    pub fn of_file(file: &Path, random: Arc<dyn Random>) -> Result<Self> {
        let failed = |cause: std::io::Error| {
            let text = format!("The bridge's key file {} cannot be read or made.", file.display());
            Error::new(Code::Unavailable, text).because(cause)
        };
        match std::fs::read(file) {
            Ok(key) if key.len() == KEY_LENGTH => Self::new(&key, random),
            Ok(_) => {
                let text = format!("{} is no key of a bridge: it must hold 32 bytes.", file.display());
                Err(Error::new(Code::Unavailable, text))
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                let mut key = [0_u8; KEY_LENGTH];
                random.fill(&mut key);
                write_private(file, &key).map_err(failed)?;
                Self::new(&key, random)
            }
            Err(cause) => Err(failed(cause)),
        }
    }

    /// Closes `plain`. It opens only with the same `purpose`.
    ///
    /// # Errors
    /// `Internal` when it is too large to be closed.
    pub fn close(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0_u8; NONCE_LEN];
        self.random.fill(&mut nonce);
        let mut text = plain.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut text,
            )
            .map_err(|_| Error::internal("a value cannot be sealed"))?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut text);
        Ok(sealed)
    }

    /// Opens what was closed for this `purpose`.
    ///
    /// # Errors
    /// `Internal` when it was closed with another key or for another purpose, or was changed.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let (version, rest) = sealed.split_first().ok_or_else(broken)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
        if *version != VERSION {
            return Err(broken());
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let mut text = text.to_vec();
        let plain =
            self.key.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut text).map_err(|_| broken())?;
        Ok(plain.to_vec())
    }
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Dice, folder};

    #[test]
    fn what_was_closed_opens_only_with_key_and_purpose_and_unchanged() {
        let seal = Seal::new(&[7; 32], Arc::new(Dice::default())).unwrap();
        let sealed = seal.close("inbox", "żółw".as_bytes()).unwrap();
        assert!(!sealed.windows(4).any(|part| part == &"żółw".as_bytes()[..4]));
        assert_eq!(seal.open("inbox", &sealed).unwrap(), "żółw".as_bytes());
        assert!(seal.open("kept", &sealed).is_err());
        let other = Seal::new(&[8; 32], Arc::new(Dice::default())).unwrap();
        assert!(other.open("inbox", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(seal.open("inbox", &changed).is_err(), "byte {index}");
        }
        assert!(seal.open("inbox", &[]).is_err());
    }

    #[test]
    fn the_key_file_is_made_once_and_found_again() {
        let folder = folder();
        let file = folder.path().join("bridge.key");
        let first = Seal::of_file(&file, Arc::new(Dice::default())).unwrap();
        let sealed = first.close("x", b"secret").unwrap();
        let second = Seal::of_file(&file, Arc::new(Dice::default())).unwrap();
        assert_eq!(second.open("x", &sealed).unwrap(), b"secret");
        std::fs::write(&file, b"short").unwrap();
        assert!(Seal::of_file(&file, Arc::new(Dice::default())).is_err());
    }
}
