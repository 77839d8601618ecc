//! Small pictures of pictures: made when first asked for, kept beside the content.
//!
//! Bounded in every direction: sizes ([`VARIANTS`]), pixels and memory of a picture, jobs at a time,
//! and pictures that failed are remembered, so that asking again costs nothing.

mod decode;
mod headers;
mod render;
mod size;

/// Width and height of a picture as it is seen, by its header alone; `None` when it cannot be read.
pub fn dimensions(bytes: &[u8], kind: Kind) -> Option<(u32, u32)> {
    decode::open(std::io::Cursor::new(bytes), kind).ok().map(|opened| opened.seen_size())
}

#[cfg(test)]
pub(crate) mod tests;

pub use size::{Method, VARIANTS, Variant, Wanted};

use crate::Media;
use crate::content::Content;
use crate::files::{Folder, disk};
use crate::find::Found;
use crate::kind::Kind;
use decode::unprocessable;
use kontor_model::{Code, Error, Result};
pub use render::{Rendered, render};
use std::borrow::Cow;
use std::io::{BufReader, Write};
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// Pictures that are made small at a time.
const JOBS: usize = 2;

/// Verdicts remembered; about 100 bytes each.
const REMEMBERED: u64 = 10_000;

/// Where thumbnails are made.
pub(crate) struct Workshop {
    folder: Arc<Folder>,
    jobs: Semaphore,
    one_large: Arc<Mutex<()>>,
    /// What is known of pictures for which there is no thumbnail on the disk.
    verdicts: moka::sync::Cache<(String, Variant, bool), Verdict>,
}

/// How a request is answered without looking at the picture again.
#[derive(Clone, Debug)]
enum Verdict {
    /// By the picture itself.
    Original,
    /// By the small picture on the disk.
    Stored,
    /// Not at all.
    Refused(Code, Cow<'static, str>),
}

/// A thumbnail.
pub struct Thumbnail {
    /// Its bytes.
    pub content: Content,
    /// Its content type: always one that may be shown inside a page.
    pub content_type: &'static str,
    /// The ending of its file name, with the dot.
    pub ending: &'static str,
    /// A name of the content that changes when the content does.
    pub tag: String,
    /// Which of the sizes it is.
    pub variant: Variant,
}

/// Content type and ending of a picture that serves as its own thumbnail.
fn of_kind(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::Jpeg => Some(("image/jpeg", ".jpg")),
        Kind::Png => Some(("image/png", ".png")),
        Kind::Gif => Some(("image/gif", ".gif")),
        Kind::Webp => Some(("image/webp", ".webp")),
        _ => None,
    }
}

const ENDINGS: [&str; 2] = [".jpg", ".png"];

impl Workshop {
    pub fn new(folder: Arc<Folder>) -> Self {
        Self {
            folder,
            jobs: Semaphore::new(JOBS),
            one_large: Arc::default(),
            verdicts: moka::sync::Cache::new(REMEMBERED),
        }
    }

    async fn stored(&self, content: &str, variant: Variant) -> Result<Option<(Content, &'static str)>> {
        for ending in ENDINGS {
            let path = self.folder.derived(content, &format!("{}{ending}", variant.word()));
            if let Some(content) = Content::open(path).await? {
                return Ok(Some((content, ending)));
            }
        }
        Ok(None)
    }

    /// Makes the small picture and puts it on the disk, or finds out why not.
    async fn make(&self, original: &Content, found: &Found, wanted: Wanted) -> Result<Verdict> {
        let (folder, one_large) = (Arc::clone(&self.folder), Arc::clone(&self.one_large));
        let (file, kind, sha256) = (Arc::clone(original.file()), found.kind, found.sha256().to_owned());
        let job = move || {
            let (bytes, ending) = match render(BufReader::new(&*file), kind, wanted, &one_large) {
                Ok(Rendered::Original) => return Ok(Verdict::Original),
                Ok(Rendered::Jpeg(bytes)) => (bytes, ".jpg"),
                Ok(Rendered::Png(bytes)) => (bytes, ".png"),
                Err(error) if error.code == Code::Internal => return Err(error),
                Err(error) => {
                    tracing::debug!(error.cause = ?error, "no thumbnail");
                    return Ok(Verdict::Refused(error.code, error.message));
                }
            };
            let mut temp = folder.temp().map_err(disk)?;
            temp.file.write_all(&bytes).map_err(disk)?;
            let name = format!("{}{ending}", wanted.variant().word());
            folder.place_derived(temp, &sha256, &name).map_err(disk)?;
            Ok(Verdict::Stored)
        };
        match tokio::task::spawn_blocking(job).await {
            Ok(verdict) => verdict,
            // A decoder that panics on a hostile picture takes nothing else with it.
            Err(panic) => {
                tracing::warn!(error.cause = %panic, media.sha256 = found.sha256(), "a picture broke its decoder");
                let error = unprocessable();
                Ok(Verdict::Refused(error.code, error.message))
            }
        }
    }
}

impl Media {
    /// A small picture of a file, made now if nobody asked before.
    ///
    /// # Errors
    /// `Unprocessable` when the file is no picture that can be read, `TooLarge` when it is too large
    /// to be decoded.
    pub async fn thumbnail(&self, found: &Found, wanted: Wanted) -> Result<Thumbnail> {
        if of_kind(found.kind).is_none() {
            return Err(unprocessable());
        }
        let animated = wanted.animated && found.kind != Kind::Jpeg;
        let wanted = Wanted { animated, ..wanted };
        let (workshop, variant) = (&self.thumbnails, wanted.variant());
        let key = (found.sha256().to_owned(), variant, animated);
        if let Some(verdict) = workshop.verdicts.get(&key)
            && let Some(answer) = self.answer(found, variant, verdict).await?
        {
            return Ok(answer);
        }
        // A still picture on the disk answers everybody who did not ask for a moving one.
        let stored = async || match animated {
            true => Ok(None),
            false => self.answer(found, variant, Verdict::Stored).await,
        };
        if let Some(answer) = stored().await? {
            return Ok(answer);
        }
        let original = self.open(found).await?;
        let _turn = workshop.jobs.acquire().await.map_err(Error::internal)?;
        // Somebody else may have made it while this request waited for its turn.
        if let Some(answer) = stored().await? {
            return Ok(answer);
        }
        let verdict = workshop.make(&original, found, wanted).await?;
        workshop.verdicts.insert(key, verdict.clone());
        let answer = self.answer(found, variant, verdict).await?;
        answer.ok_or_else(|| Error::internal("a thumbnail vanished"))
    }

    /// The answer that a verdict stands for; nothing when the disk no longer has it.
    async fn answer(&self, found: &Found, variant: Variant, verdict: Verdict) -> Result<Option<Thumbnail>> {
        match verdict {
            Verdict::Refused(code, message) => Err(Error::new(code, message)),
            Verdict::Original => {
                let (content_type, ending) = of_kind(found.kind).ok_or_else(unprocessable)?;
                let content = self.open(found).await?;
                let tag = found.sha256().to_owned();
                Ok(Some(Thumbnail { content, content_type, ending, tag, variant }))
            }
            Verdict::Stored => {
                let stored = self.thumbnails.stored(found.sha256(), variant).await?;
                Ok(stored.map(|(content, ending)| {
                    let content_type = if ending == ".png" { "image/png" } else { "image/jpeg" };
                    let tag = format!("{}.{}", found.sha256(), variant.word());
                    Thumbnail { content, content_type, ending, tag, variant }
                }))
            }
        }
    }
}
