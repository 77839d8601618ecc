//! Finding a file by its address, waiting for it when it was promised.

use crate::content::Content;
use crate::kind::Kind;
use crate::{Media, files};
use kontor_model::{Code, Error, Nid, Result};
use kontor_store::log::Topic;
use kontor_store::media::{MediaContent, MediaRow, media_by_id};
use std::time::Duration;
use tokio::time::Instant;

/// Longest that anybody waits for a promised file.
pub const MAX_WAIT: Duration = Duration::from_secs(60);

/// A file that is there.
#[derive(Clone, Debug)]
pub struct Found {
    pub(crate) nid: Nid,
    pub(crate) uri: String,
    pub(crate) kind: Kind,
    unauthenticated_ok: bool,
    content: MediaContent,
}

/// Media ids have these letters only, so that none of them is a path.
pub(crate) fn check_id(media_id: &str) -> Result<()> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if media_id.is_empty() || media_id.len() > 255 || !media_id.bytes().all(letter) {
        return Err(unknown());
    }
    Ok(())
}

pub(crate) fn unknown() -> Error {
    Error::not_found("There is no such file on this server.")
}

impl Found {
    /// What the uploader said the file is.
    pub fn content_type(&self) -> &str {
        &self.content.content_type
    }

    /// The name that the uploader gave it.
    pub fn file_name(&self) -> Option<&str> {
        self.content.file_name.as_deref()
    }

    /// A name of the content that changes when the content does: SHA-256, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.content.sha256
    }

    /// Whether it may be shown inside a page.
    pub fn is_inline(&self) -> bool {
        self.kind.is_inline(&self.content.content_type)
    }
}

impl Media {
    /// Finds a file; one that is only promised is waited for.
    ///
    /// # Errors
    /// `NotFound` when there is none, `NotYetUploaded` when it did not come in time.
    pub async fn find(&self, server: &str, media_id: &str, wait: Duration) -> Result<Found> {
        check_id(media_id)?;
        if server != self.options.server_name.as_str() {
            return Err(unknown());
        }
        let row = self.row(media_id).await?;
        if row.content.is_some() {
            return self.found(row);
        }
        // Registered before the row is read again, so that no arrival falls between.
        let waiter = self.store.log().wait_for([Topic::User(row.nid)]);
        let deadline = Instant::now() + wait.min(MAX_WAIT);
        let row = self.row(media_id).await?;
        if row.content.is_none() {
            // Nobody else wakes this waiter than the arrival, and the server when it stops.
            let _ = tokio::time::timeout_at(deadline, waiter.woken()).await;
            let row = self.row(media_id).await?;
            return self.found(row);
        }
        self.found(row)
    }

    /// Finds a file for somebody who did not log in: one that came while this was allowed.
    ///
    /// # Errors
    /// As [`Media::find`]; `NotFound` also when it is not for everybody.
    pub async fn find_unauthenticated(&self, server: &str, media_id: &str, wait: Duration) -> Result<Found> {
        if !self.options.legacy_unauthenticated {
            return Err(unknown());
        }
        let found = self.find(server, media_id, wait).await?;
        if found.unauthenticated_ok { Ok(found) } else { Err(unknown()) }
    }

    /// Opens a file that was found.
    ///
    /// # Errors
    /// `Internal` when it is missing on the disk or damaged.
    pub async fn open(&self, found: &Found) -> Result<Content> {
        let content = Content::open(self.folder.path(&found.content.sha256)).await?;
        let whole = content.filter(|content| i64::try_from(content.size) == Ok(found.content.size));
        whole.ok_or_else(|| {
            let missing = std::io::Error::other("the content is missing on the disk, or damaged");
            files::disk(missing)
        })
    }

    async fn row(&self, media_id: &str) -> Result<MediaRow> {
        let row = media_by_id(&mut self.store.reader(), media_id).await?.ok_or_else(unknown)?;
        let lapsed = row.expires.is_some_and(|expires| expires <= self.clock.now());
        if lapsed { Err(unknown()) } else { Ok(row) }
    }

    fn found(&self, row: MediaRow) -> Result<Found> {
        let content = row.content.ok_or_else(|| {
            Error::new(Code::NotYetUploaded, "The file has not been uploaded yet. Try again in a moment.")
        })?;
        Ok(Found {
            nid: row.nid,
            uri: self.uri(&row.media_id),
            kind: Kind::from_word(&content.kind),
            unauthenticated_ok: row.unauthenticated_ok,
            content,
        })
    }
}
