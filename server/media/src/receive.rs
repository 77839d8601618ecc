//! Taking a file in piece by piece: never more than one piece of it is in memory.

use crate::files::{Folder, Hold, Temp, disk};
use crate::kind::{HEAD, Kind};
use kontor_model::{Code, Error, Result};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::sync::Arc;

/// Bytes that are collected before they are written: also the memory that an upload takes.
const PIECE: usize = 256 * 1_024;

/// A file on its way in. Dropped unfinished, it leaves nothing behind.
pub struct Incoming {
    folder: Arc<Folder>,
    limit: u64,
    received: u64,
    collected: Vec<u8>,
    work: Work,
}

/// What moves to a blocking thread and back.
#[derive(Default)]
struct Work {
    temp: Option<Temp>,
    hasher: Sha256,
    head: Vec<u8>,
}

/// A file that is whole and durable, but not yet known to anybody. Keep it until its row is
/// committed: the sweep spares the content so long.
pub struct Received {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// What it looks like.
    pub kind: Kind,
    _hold: Hold,
}

impl Incoming {
    pub(crate) fn new(folder: Arc<Folder>, limit: u64) -> Self {
        Self { folder, limit, received: 0, collected: Vec::new(), work: Work::default() }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// `TooLarge` as soon as the limit is passed; `Unavailable` when the disk is full.
    pub async fn write(&mut self, piece: &[u8]) -> Result<()> {
        self.received += piece.len() as u64;
        if self.received > self.limit {
            return Err(too_large(self.limit));
        }
        self.collected.extend_from_slice(piece);
        if self.collected.len() < PIECE {
            return Ok(());
        }
        let mut collected = std::mem::take(&mut self.collected);
        let mut work = std::mem::take(&mut self.work);
        let folder = Arc::clone(&self.folder);
        (self.work, self.collected) = blocking(move || {
            work.append(&folder, &collected)?;
            collected.clear();
            Ok((work, collected))
        })
        .await?;
        Ok(())
    }

    /// Ends the file. When this returns, it will outlast a crash.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full.
    pub async fn finish(self) -> Result<Received> {
        let Self { folder, received, collected, mut work, .. } = self;
        blocking(move || {
            work.append(&folder, &collected)?;
            let sha256: String = work.hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            let temp = work.temp.take().ok_or_else(|| Error::internal("a file without a file"))?;
            let hold = folder.place(temp, &sha256).map_err(disk)?;
            Ok(Received { sha256, size: received, kind: Kind::of(&work.head), _hold: hold })
        })
        .await
    }
}

impl Work {
    fn append(&mut self, folder: &Folder, piece: &[u8]) -> Result<()> {
        let temp = match &mut self.temp {
            Some(temp) => temp,
            none => none.insert(folder.temp().map_err(disk)?),
        };
        let missing = HEAD.saturating_sub(self.head.len());
        self.head.extend(piece.iter().take(missing));
        self.hasher.update(piece);
        temp.file.write_all(piece).map_err(disk)
    }
}

/// The refusal of a file over the limit.
pub(crate) fn too_large(limit: u64) -> Error {
    let readable = match limit {
        _ if limit.is_multiple_of(1 << 20) => format!("{} MiB", limit >> 20),
        _ if limit.is_multiple_of(1 << 10) => format!("{} KiB", limit >> 10),
        _ => format!("{limit} bytes"),
    };
    Error::new(Code::TooLarge, format!("The file is larger than this server takes: {readable} at most."))
}

/// Runs what blocks on a thread for such things.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(cause) => Err(Error::internal(cause)),
    }
}
