//! The folder of files: contents named by their SHA-256, what was made from them beside them, and
//! files that are being written. Everything here blocks; nothing here knows the database.
//!
//! ```text
//! media/ab/abcdef…            a content
//! media/ab/abcdef….96x96c.jpg a thumbnail of it
//! media/tmp/…                 being written
//! ```

use kontor_model::random::opaque;
use kontor_model::{Code, Error, Ms, Random, Result};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

/// Letters of a content's name: SHA-256, hexadecimal.
const NAME: usize = 64;

/// A content that no row names may belong to an upload that another process is about to
/// acknowledge: it is left alone until it is so old.
const UNNAMED_FOR: Ms = 60 * 60 * 1_000;

/// A file that is being written belongs to a living process unless it is so old.
const WRITTEN_FOR: Ms = 24 * 60 * 60 * 1_000;

/// The folder.
pub(crate) struct Folder {
    root: PathBuf,
    /// Begins the names of files that this process is writing.
    tag: String,
    next: AtomicU64,
    /// Contents that are in place, but whose rows may not be committed yet.
    held: Mutex<HashMap<String, usize>>,
}

/// A file that is being written; gone when dropped, unless it was put in its place.
pub(crate) struct Temp {
    path: PathBuf,
    pub file: File,
}

/// Keeps a content from being swept away until its row is committed.
pub struct Hold {
    folder: Arc<Folder>,
    content: String,
}

/// What a failure of the disk means to the person.
pub(crate) fn disk(cause: io::Error) -> Error {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Error::new(Code::Unavailable, "The server's disk is full. Tell your administrator.")
                .because(cause)
        }
        _ => Error::internal(cause),
    }
}

impl Folder {
    /// Opens the folder, making it when absent.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be made or written to.
    pub fn open(root: PathBuf, random: &dyn Random) -> Result<Self> {
        fs::create_dir_all(root.join("tmp")).map_err(|cause| {
            let message = format!("The folder {} cannot be made. Check data_dir.", root.display());
            Error::new(Code::Unavailable, message).because(cause)
        })?;
        let tag = format!("{}-", opaque(random, 12));
        Ok(Self { root, tag, next: AtomicU64::new(0), held: Mutex::default() })
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<String, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self, content: &str) -> PathBuf {
        self.root.join(content.get(..2).unwrap_or("tmp"))
    }

    /// Where a content lies.
    pub fn path(&self, content: &str) -> PathBuf {
        self.shelf(content).join(content)
    }

    /// Where something made from a content lies.
    pub fn derived(&self, content: &str, what: &str) -> PathBuf {
        self.shelf(content).join(format!("{content}.{what}"))
    }

    /// A new file to write.
    pub fn temp(&self) -> io::Result<Temp> {
        let name = format!("{}{}", self.tag, self.next.fetch_add(1, Ordering::Relaxed));
        let path = self.root.join("tmp").join(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(Temp { path, file })
    }

    /// Puts a written file in the place of a content. When this returns, it will outlast a crash.
    ///
    /// A file that is there already is replaced: it is the same, but the new one is certainly
    /// whole, and its age protects it from the sweep.
    pub fn place(self: &Arc<Self>, temp: Temp, content: &str) -> io::Result<Hold> {
        temp.file.sync_data()?;
        *self.held().entry(content.to_owned()).or_default() += 1;
        let hold = Hold { folder: Arc::clone(self), content: content.to_owned() };
        let shelf = self.make_shelf(content)?;
        temp.rename(&self.path(content))?;
        File::open(shelf)?.sync_all()?;
        Ok(hold)
    }

    /// Puts a written file beside the content that it was made from. Its loss in a crash would
    /// harm nobody, a half one would: so only the file itself is made durable.
    pub fn place_derived(&self, temp: Temp, content: &str, what: &str) -> io::Result<()> {
        temp.file.sync_data()?;
        temp.rename(&self.derived(content, what))
    }

    fn make_shelf(&self, content: &str) -> io::Result<PathBuf> {
        let shelf = self.shelf(content);
        match fs::create_dir(&shelf) {
            Ok(()) => File::open(&self.root)?.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(shelf)
    }

    /// The contents on one of the 256 shelves.
    pub fn contents_on(&self, shelf: u8) -> io::Result<Vec<String>> {
        let mut contents: Vec<_> = names(&self.root.join(format!("{shelf:02x}")))?
            .into_iter()
            .filter_map(|name| name.get(..NAME).map(str::to_owned))
            .collect();
        contents.sort_unstable();
        contents.dedup();
        Ok(contents)
    }

    /// Removes a content that no row names, with everything that was made from it. Returns whether
    /// it was: what is new, or held by an upload of this process, stays.
    pub fn remove_unnamed(&self, content: &str, now: Ms) -> io::Result<bool> {
        // The lock is held to the end: an upload that begins now waits with its renaming.
        let held = self.held();
        let path = self.path(content);
        if held.contains_key(content) || age(&path, now)?.is_some_and(|age| age < UNNAMED_FOR) {
            return Ok(false);
        }
        remove(&path)?;
        for name in names(&self.shelf(content))? {
            if name.strip_prefix(content).is_some_and(|rest| rest.starts_with('.')) {
                remove(&self.shelf(content).join(name))?;
            }
        }
        drop(held);
        Ok(true)
    }

    /// Removes what processes that are gone left unfinished, at most `limit` files.
    pub fn remove_unfinished(&self, now: Ms, limit: usize) -> io::Result<usize> {
        let folder = self.root.join("tmp");
        let mut removed = 0;
        for name in names(&folder)?.into_iter().filter(|name| !name.starts_with(&self.tag)).take(limit) {
            let path = folder.join(name);
            if age(&path, now)?.is_some_and(|age| age >= WRITTEN_FOR) {
                remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

impl Temp {
    fn rename(self, to: &Path) -> io::Result<()> {
        // Afterwards there is nothing at the old path that dropping could remove.
        fs::rename(&self.path, to)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.folder.held();
        if let Some(count) = held.get_mut(&self.content) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.content);
            }
        }
    }
}

/// Names in a folder; none when it does not exist.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// How long ago a file was written; nothing when it does not exist.
fn age(path: &Path, now: Ms) -> io::Result<Option<Ms>> {
    match fs::metadata(path).and_then(|data| data.modified()) {
        Ok(modified) => {
            let since = modified.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
            Ok(Some(now - Ms::try_from(since).unwrap_or(Ms::MAX)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file that may be gone already.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
