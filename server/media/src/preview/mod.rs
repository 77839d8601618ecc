//! What a page of the web looks like ("GET /preview_url" of the client-server API).
//!
//! Pages come from strangers: their bytes are read by a tokenizer that has no stack to exhaust, into
//! a fixed list of short texts, and nothing of a page's own markup is handed on. Fetching is not done
//! here.

mod charset;
mod page;

pub use page::{Page, read};

use crate::kind::{HEAD, Kind};
use crate::receive::{Incoming, Received};
use crate::thumbnail::dimensions;
use crate::{Media, upload};
use kontor_model::random::opaque;
use kontor_model::{Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::media::preview::NewPreview;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Largest picture that is kept for a preview, bytes.
pub const MOST_PICTURE: usize = 5 << 20;
/// Most of a page that is read, bytes. Some well-known sites say what they are about only after
/// several hundred kilobytes.
pub const MOST_PAGE: usize = 2 << 20;
/// How long a preview is shown before the page is asked again.
const LIFE: Ms = 24 * 3_600_000;
/// How long it is remembered that a page shows nothing.
const LIFE_OF_NOTHING: Ms = 10 * 60_000;
/// How much longer the picture of a preview is kept: clients show it from messages they have.
const PICTURES_STAY: Ms = 14 * LIFE;
/// Pictures that one step of the sweep removes.
const SWEEP: i64 = 100;

/// A picture of a preview, kept as a file.
pub struct Picture {
    /// Its `mxc://` address.
    pub uri: String,
    /// Its content type, by its bytes.
    pub content_type: &'static str,
    /// Width and height, pixels, if they can be read.
    pub size: Option<(u32, u32)>,
    /// Bytes.
    pub bytes: usize,
    /// To be submitted while this value is kept alive.
    pub change: Change,
    _received: Received,
}

/// By what a preview is known: the address, without what a browser keeps to itself, and the language.
pub fn digest(url: &str, language: &str) -> Vec<u8> {
    Sha256::digest(format!("{url}\n{language}")).to_vec()
}

impl Media {
    /// A preview that is known and not too old: the text that was given out, if any.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn known_preview(&self, digest: &[u8]) -> Result<Option<Option<String>>> {
        kontor_store::media::preview::find(&mut self.store.reader(), digest, self.clock.now()).await
    }

    /// Remembers what a page looks like, or that it shows nothing.
    pub fn remember_preview(&self, change: &mut Change, digest: &[u8], shown: Option<&str>) {
        let now = self.clock.now();
        let life = if shown.is_some() { LIFE } else { LIFE_OF_NOTHING };
        change.remember_preview(NewPreview { digest, shown, now, expires: now + life });
    }

    /// Keeps the picture of a preview; `None` for what is no picture that clients can show.
    ///
    /// # Errors
    /// `Unavailable` when the disk is full or the database gone.
    pub async fn keep_picture(&self, asker: Nid, bytes: &[u8]) -> Result<Option<Picture>> {
        let kind = Kind::of(bytes.get(..HEAD).unwrap_or(bytes));
        let content_type = match kind {
            Kind::Png => "image/png",
            Kind::Jpeg => "image/jpeg",
            Kind::Gif => "image/gif",
            Kind::Webp => "image/webp",
            _ => return Ok(None),
        };
        let mut incoming = Incoming::new(Arc::clone(&self.folder), MOST_PICTURE as u64);
        incoming.write(bytes).await?;
        let received = incoming.finish().await?;
        let media_id = opaque(self.random.as_ref(), upload::ID_LENGTH);
        let media = self.store.nid().await?;
        let about = crate::About { content_type: Some(content_type.to_owned()), file_name: None };
        let mut change = Change::default();
        let open = self.options.legacy_unauthenticated;
        let content = upload::known(&received, about);
        let now = self.clock.now();
        change.add_media(media, &media_id, asker, content, now, open);
        change.keep_preview_picture(media, now + LIFE + PICTURES_STAY);
        Ok(Some(Picture {
            uri: self.uri(&media_id),
            content_type,
            size: dimensions(bytes, kind),
            bytes: bytes.len(),
            change,
            _received: received,
        }))
    }

    /// Plans one step of removing previews that are not shown any more, and old pictures.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn sweep_previews(&self) -> Result<Change> {
        let now = self.clock.now();
        let old = kontor_store::media::preview::old_pictures(&mut self.store.reader(), now, SWEEP).await?;
        let mut change = Change::default();
        change.sweep_previews(&old, now);
        Ok(change)
    }
}
