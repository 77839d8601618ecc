//! Files that came with requests, put aside until they are home. Named by their contents.

use bytes::Bytes;
use futures_util::StreamExt as _;
use kontor_model::{Code, Error, Result};
use ring::digest::{SHA256, digest};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

use crate::channel::Download;

/// What locators of put-aside files begin with. No network's own locator may.
pub(crate) const PREFIX: &str = "aside:";
/// Bytes that are read from the disk at once.
const CHUNK: usize = 64 << 10;

/// By what a file with these contents is found.
pub(crate) fn locator(bytes: &[u8]) -> String {
    format!("{PREFIX}{}", crate::ids::hex(digest(&SHA256, bytes).as_ref()))
}

/// The folder of put-aside files.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    folder: PathBuf,
}

fn failed(cause: std::io::Error) -> Error {
    Error::new(Code::Unavailable, "The bridge cannot write its files. Is the disk full?").because(cause)
}

impl Files {
    /// In this folder, which is made.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be made.
    pub fn new(folder: PathBuf) -> Result<Self> {
        std::fs::create_dir_all(&folder).map_err(failed)?;
        Ok(Self { folder })
    }

    /// The path of a locator; `None` when it names no put-aside file.
    fn path(&self, locator: &str) -> Option<PathBuf> {
        let name = locator.strip_prefix(PREFIX)?;
        let plain = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| self.folder.join(name))
    }

    /// Writes a file so that it is there after a crash.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full.
    pub async fn stow(&self, bytes: Bytes) -> Result<()> {
        let Some(path) = self.path(&locator(&bytes)) else { return Err(Error::internal("a locator")) };
        let write = move || {
            if path.exists() {
                return Ok(());
            }
            let half = path.with_extension("half");
            let mut file = std::fs::File::create(&half)?;
            std::io::Write::write_all(&mut file, &bytes)?;
            file.sync_all()?;
            std::fs::rename(&half, &path)?;
            path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
        };
        tokio::task::spawn_blocking(write).await.map_err(Error::internal)?.map_err(failed)
    }

    /// Opens a put-aside file; `None` when the locator is a network's own.
    ///
    /// # Errors
    /// `NotFound` when it was removed.
    pub async fn open(&self, locator: &str) -> Result<Option<Download>> {
        let Some(path) = self.path(locator) else { return Ok(None) };
        let gone = |cause: std::io::Error| Error::not_found("The file is not there any more.").because(cause);
        let file = tokio::fs::File::open(path).await.map_err(gone)?;
        let size = file.metadata().await.ok().map(|about| about.len());
        let bytes = futures_util::stream::try_unfold(file, |mut file| async move {
            let mut chunk = vec![0_u8; CHUNK];
            let read = file.read(&mut chunk).await.map_err(Error::internal)?;
            chunk.truncate(read);
            Ok((read > 0).then(|| (Bytes::from(chunk), file)))
        });
        Ok(Some(Download { media_type: None, size, bytes: bytes.boxed() }))
    }

    /// Removes files that lie here for longer than `age`.
    pub async fn prune(&self, age: Duration) {
        let folder = self.folder.clone();
        let _ = tokio::task::spawn_blocking(move || remove_older(&folder, age)).await;
    }
}

fn remove_older(folder: &Path, age: Duration) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let touched = entry.metadata().and_then(|about| about.modified()).ok();
        if touched.and_then(|at| at.elapsed().ok()).is_some_and(|old| old > age) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::folder;

    #[tokio::test]
    async fn what_was_put_aside_is_found_by_its_contents_and_nothing_else_is() {
        let folder = folder();
        let files = Files::new(folder.path().join("files")).unwrap();
        let bytes = Bytes::from(vec![3; 200_000]);
        files.stow(bytes.clone()).await.unwrap();
        files.stow(bytes.clone()).await.unwrap();
        let mut download = files.open(&locator(&bytes)).await.unwrap().unwrap();
        let mut read = Vec::new();
        while let Some(chunk) = download.bytes.next().await {
            read.extend_from_slice(&chunk.unwrap());
        }
        assert_eq!(read, bytes);
        for other in ["https://x/y", "aside:../../etc/passwd", "aside:", "aside:00"] {
            assert!(files.open(other).await.unwrap().is_none(), "{other}");
        }
        files.prune(Duration::ZERO).await;
        assert!(files.open(&locator(&bytes)).await.is_err());
    }
}
