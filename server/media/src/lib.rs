//! Department of files: upload, download, thumbnails ("Content repository" of the client-server
//! API).
//!
//! It owns the folder of files and decides what a file is, who may fetch it, and when it goes. What
//! is known about files is in the store: this department reads it there and hands out [`Change`]s,
//! it submits none. Names of other departments, status codes and header syntax may not enter.
//!
//! Memory is bounded: files pass in pieces of 256 KiB; only pictures that are being made small are
//! in memory whole, within the limits of [`thumbnail`].
//!
//! [`Change`]: kontor_store::Change

mod content;
mod files;
mod find;
mod kind;
pub mod preview;
mod read;
mod receive;
mod sweep;
pub mod thumbnail;
mod upload;
mod words;

#[cfg(test)]
pub(crate) mod tests;

pub use content::{Content, PIECE};
pub use find::{Found, MAX_WAIT};
pub use kind::Kind;
pub use receive::{Incoming, Received};
pub use upload::{About, Promise, Promised, Uploaded};
pub use words::{content_type, file_name};

use files::Folder;
use kontor_model::{Clock, Random, Result};
use kontor_store::Store;
use ruma::OwnedServerName;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;

/// Configuration of the department.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder for files (`data_dir/media`); made when absent.
    pub dir: PathBuf,
    /// The server's name, the first part of the addresses of its files.
    pub server_name: OwnedServerName,
    /// Largest file that is taken, bytes.
    pub upload_limit: u64,
    /// Whether files may be fetched without logging in, from the older addresses: those that come
    /// while this is on.
    pub legacy_unauthenticated: bool,
}

/// The department.
pub struct Media {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    options: Options,
    folder: Arc<Folder>,
    thumbnails: thumbnail::Workshop,
    readings: read::Readings,
    /// The shelf that the next sweep looks at.
    next_shelf: AtomicU8,
}

impl Media {
    /// Opens the department.
    ///
    /// # Errors
    /// `Unavailable` when its folder cannot be made.
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        options: Options,
    ) -> Result<Self> {
        let folder = Arc::new(Folder::open(options.dir.clone(), random.as_ref())?);
        Ok(Self {
            thumbnails: thumbnail::Workshop::new(Arc::clone(&folder)),
            readings: read::Readings::default(),
            next_shelf: AtomicU8::new(0),
            store,
            clock,
            random,
            options,
            folder,
        })
    }

    /// Largest file that is taken, bytes (`m.upload.size`).
    pub fn upload_limit(&self) -> u64 {
        self.options.upload_limit
    }

    /// Whether the older addresses that ask for no login are open at all.
    pub fn legacy_unauthenticated(&self) -> bool {
        self.options.legacy_unauthenticated
    }

    fn uri(&self, media_id: &str) -> String {
        format!("mxc://{}/{media_id}", self.options.server_name)
    }
}
