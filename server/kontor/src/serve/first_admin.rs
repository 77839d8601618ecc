//! The one-time token with which the first administrator is made. It is printed as a link and
//! kept in a file for scripts; both are worth nothing once an administrator exists.

use kontor_model::Random;
use kontor_model::random::{TOKEN_LENGTH, opaque};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Name of the file in the data folder.
const FILE: &str = "first-admin-token";

/// Where the token is kept.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// The token of the file, which is made, readable by its owner only, when absent. A restart keeps
/// the token, so that a link that was already sent stays good.
///
/// # Errors
/// A sentence that names the file.
pub fn token(data_dir: &Path, random: &dyn Random) -> Result<String, String> {
    let path = path(data_dir);
    let failed = |error: std::io::Error| format!("{} cannot be used: {error}.", path.display());
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().len() == TOKEN_LENGTH => return Ok(text.trim().to_owned()),
        // Half written before a crash: worth nothing.
        Ok(_) => fs::remove_file(&path).map_err(failed)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = match opened {
        Ok(file) => file,
        // Another process with the same data folder starts at the same moment.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return token(data_dir, random),
        Err(error) => return Err(failed(error)),
    };
    let token = opaque(random, TOKEN_LENGTH);
    file.write_all(token.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(token)
}

/// Removes the file, once an administrator exists.
pub fn forget(data_dir: &Path) {
    let path = path(data_dir);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            // Not dangerous: the token is refused as soon as there is an administrator.
            tracing::warn!(file.path = %path.display(), %error, "The used first administrator's token was not removed.");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemRandom;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_token_stays_the_same_until_it_is_forgotten_and_is_its_owners_only() {
        let folder = std::env::temp_dir().join(format!("kontor-first-admin-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("made");
        let first = token(&folder, &SystemRandom).expect("made");
        assert_eq!(token(&folder, &SystemRandom).expect("kept"), first);
        let mode = fs::metadata(path(&folder)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::write(path(&folder), "half").expect("written");
        assert_ne!(token(&folder, &SystemRandom).expect("made anew"), first);
        forget(&folder);
        forget(&folder);
        assert!(!path(&folder).exists());
        fs::remove_dir_all(&folder).expect("removed");
    }
}
