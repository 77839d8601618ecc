//! Handing a file out piece by piece, for as long as the session behind the request lasts.

use crate::receive::blocking;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use kontor_model::{Error, Guard, Result};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes per piece: also the memory that a download takes, and how much may still be sent after its
/// session ended.
pub const PIECE: u64 = 256 * 1_024;

/// A file that is open for reading.
#[derive(Clone)]
pub struct Content {
    file: Arc<File>,
    /// Bytes.
    pub size: u64,
}

impl Content {
    /// Opens a file; nothing when it does not exist.
    pub(crate) async fn open(path: PathBuf) -> Result<Option<Self>> {
        blocking(move || match File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file))) {
            Ok((size, file)) => Ok(Some(Self { file: Arc::new(file), size })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::internal(error)),
        })
        .await
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The bytes of a range. The stream fails, so that the connection breaks off, when the session
    /// ended or the file is shorter than it was.
    pub fn part(
        &self,
        range: Range<u64>,
        guard: Arc<dyn Guard>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let file = Arc::clone(&self.file);
        stream::try_unfold(range, move |Range { start, end }| {
            let (file, guard) = (Arc::clone(&file), Arc::clone(&guard));
            async move {
                if start >= end {
                    return Ok(None);
                }
                if guard.ended() {
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the session ended"));
                }
                let next = end.min(start + PIECE);
                let piece = read(file, start..next).await?;
                // Reading may have waited: what was not handed out yet is withheld.
                if guard.ended() {
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the session ended"));
                }
                Ok(Some((piece, next..end)))
            }
        })
    }
}

async fn read(file: Arc<File>, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let work = move || {
        let mut piece = vec![0; length];
        file.read_exact_at(&mut piece, range.start)?;
        Ok(Bytes::from(piece))
    };
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
