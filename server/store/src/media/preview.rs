//! What pages of the web look like.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use kontor_model::{Ms, Nid, Result};

/// What a page looks like, to be remembered.
#[derive(Clone, Copy, Debug)]
pub struct NewPreview<'a> {
    /// Digest of address and language.
    pub digest: &'a [u8],
    /// What is given out, JSON; `None` when there is nothing.
    pub shown: Option<&'a str>,
    /// When the page was asked.
    pub now: Ms,
    /// When it is to be asked again.
    pub expires: Ms,
}

/// What is known of a page at this time: nothing at all, that it shows nothing, or what it shows.
///
/// # Errors
/// As [`Source::all`].
pub async fn find<S: Source>(source: &mut S, digest: &[u8], now: Ms) -> Result<Option<Option<String>>> {
    let sql = "SELECT preview FROM url_preview WHERE digest = $1 AND expires_ts > $2";
    let row = source.first(sql, vec![digest.into(), now.into()]).await?;
    row.map(|row| row.text_opt(0)).transpose()
}

/// Pictures of previews that may go.
///
/// # Errors
/// As [`Source::all`].
pub async fn old_pictures<S: Source>(source: &mut S, now: Ms, limit: i64) -> Result<Vec<Nid>> {
    let sql = "SELECT media_nid FROM url_preview_picture WHERE until_ts < $1 ORDER BY until_ts LIMIT $2";
    source.all(sql, vec![now.into(), limit.into()]).await?.iter().map(|row| row.int(0)).collect()
}

impl Change {
    /// Remembers what a page looks like.
    pub fn remember_preview(&mut self, preview: NewPreview<'_>) {
        self.insert(
            Table::UrlPreview,
            vec![preview.digest.into(), preview.shown.into(), preview.now.into(), preview.expires.into()],
        );
    }

    /// Keeps the picture of a preview until a time.
    pub fn keep_preview_picture(&mut self, media: Nid, until: Ms) {
        self.insert(Table::UrlPreviewPicture, vec![media.into(), until.into()]);
    }

    /// Removes pictures of previews, and previews that are not shown any more.
    pub fn sweep_previews(&mut self, pictures: &[Nid], now: Ms) {
        for media in pictures {
            self.run("DELETE FROM url_preview_picture WHERE media_nid = $1", vec![(*media).into()]);
        }
        self.forget_media(pictures.iter().copied());
        self.run(
            "DELETE FROM url_preview WHERE digest IN (SELECT digest FROM url_preview WHERE expires_ts < $1 \
             ORDER BY expires_ts LIMIT 500)",
            vec![now.into()],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    #[tokio::test]
    async fn previews_are_known_until_they_expire_and_pictures_stay_longer() {
        for store in stores().await {
            let mut change = Change::default();
            for (digest, shown) in [(b"a", Some("{}")), (b"b", None)] {
                change.remember_preview(NewPreview { digest, shown, now: 0, expires: 10 });
            }
            change.keep_preview_picture(7, 20);
            store.submit(change).await.unwrap();
            let mut reader = store.reader();
            assert_eq!(find(&mut reader, b"a", 5).await.unwrap(), Some(Some("{}".into())));
            assert_eq!(find(&mut reader, b"b", 5).await.unwrap(), Some(None));
            assert_eq!(find(&mut reader, b"c", 5).await.unwrap(), None);
            assert_eq!(find(&mut reader, b"a", 10).await.unwrap(), None);
            assert!(old_pictures(&mut reader, 15, 9).await.unwrap().is_empty());
            assert_eq!(old_pictures(&mut reader, 25, 9).await.unwrap(), [7]);
            let mut change = Change::default();
            change.sweep_previews(&[7], 15);
            store.submit(change).await.unwrap();
            assert_eq!(find(&mut reader, b"a", 5).await.unwrap(), None);
            assert!(old_pictures(&mut reader, 25, 9).await.unwrap().is_empty());
            store.close().await;
        }
    }
}
