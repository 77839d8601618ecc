//! The data folder: made when absent, for the owner's eyes only, and held by one process when the
//! database in it is SQLite.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Makes the folder, readable by its owner only; an existing one stays as it is.
///
/// # Errors
/// A sentence that names the folder.
pub fn make(folder: &Path) -> Result<(), String> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("The data folder {} cannot be made: {error}.", folder.display()))
}

/// Holds the folder for this process until dropped, so that two servers never share one SQLite
/// database: each would miss what the other writes.
///
/// # Errors
/// A sentence when another process holds it.
pub fn hold(folder: &Path) -> Result<File, String> {
    let path = folder.join("kontor.lock");
    let file =
        File::create(&path).map_err(|error| format!("{} cannot be written: {error}.", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!(
            "Another Kontor already runs with the data folder {}. End it first, or give this one another data_dir.",
            folder.display()
        )),
        Err(TryLockError::Error(error)) => Err(format!("{} cannot be locked: {error}.", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_at_a_time() {
        let folder = std::env::temp_dir().join(format!("kontor-hold-{}", std::process::id()));
        make(&folder).expect("made");
        let held = hold(&folder).expect("first");
        assert!(hold(&folder).expect_err("second").contains("already runs"));
        drop(held);
        hold(&folder).expect("third, after the first ended");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
