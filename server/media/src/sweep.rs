//! Closing the gap between what is and what should be: promises that lapsed, files that nobody
//! finished, contents that no row names. One call is one bounded step.

use crate::Media;
use crate::files::disk;
use crate::receive::blocking;
use kontor_model::{Nid, Result};
use kontor_store::Change;
use kontor_store::media::{lapsed, unreferenced};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Promises and unfinished files of one step at most.
const STEP: usize = 500;

/// What one step of the sweep did.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// To be submitted, if it is not empty: lapsed promises go.
    pub change: Change,
    /// Contents that no row named any more, removed with their thumbnails.
    pub contents: usize,
    /// Unfinished files of processes that are gone, removed.
    pub unfinished: usize,
}

impl Media {
    /// Makes one step: lapsed promises, unfinished files, and one of the 256 shelves of contents.
    /// Call it about once a minute: then a content is gone some four hours after its last row.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone, `Internal` when the disk fails.
    pub async fn sweep(&self) -> Result<Swept> {
        let now = self.clock.now();
        let mut swept = Swept::default();
        let promises = lapsed(&mut self.store.reader(), now, STEP as i64).await?;
        if !promises.is_empty() {
            swept.change.forget_lapsed_media(promises, now);
        }
        let shelf = self.next_shelf.fetch_add(1, Ordering::Relaxed);
        let folder = Arc::clone(&self.folder);
        let (unfinished, contents) = blocking(move || {
            let unfinished = folder.remove_unfinished(now, STEP).map_err(disk)?;
            Ok((unfinished, folder.contents_on(shelf).map_err(disk)?))
        })
        .await?;
        swept.unfinished = unfinished;
        for some in contents.chunks(STEP) {
            swept.contents += self.remove_unnamed(some).await?;
        }
        Ok(swept)
    }

    /// Forgets files. Submit the change, then call [`Media::remove_unnamed`] with the contents, or
    /// leave that to the sweep.
    pub fn forget(&self, files: impl IntoIterator<Item = Nid>) -> Change {
        let mut change = Change::default();
        change.forget_media(files);
        change
    }

    /// Removes those of these contents (SHA-256, hexadecimal) that no row names any more, with
    /// their thumbnails; returns how many. Contents younger than an hour stay for the sweep.
    ///
    /// # Errors
    /// As [`Media::sweep`].
    pub async fn remove_unnamed(&self, contents: &[String]) -> Result<usize> {
        if contents.is_empty() {
            return Ok(0);
        }
        let unnamed = unreferenced(&mut self.store.reader(), contents).await?;
        let (folder, now) = (Arc::clone(&self.folder), self.clock.now());
        blocking(move || {
            let mut removed = 0;
            for content in unnamed {
                removed += usize::from(folder.remove_unnamed(&content, now).map_err(disk)?);
            }
            Ok(removed)
        })
        .await
    }
}
