//! Rows of uploaded and promised files. The files themselves are the media department's; here is
//! only what is known about them.

pub mod preview;

use crate::change::{Change, Stream};
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, id_set, text_set};
use kontor_model::{Ms, Nid, Result};

/// One uploaded or promised file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaRow {
    /// Its numeric id.
    pub nid: Nid,
    /// The last part of its `mxc://` address.
    pub media_id: String,
    /// The account that uploaded or promised it.
    pub uploader: Nid,
    /// Its content, once it is there.
    pub content: Option<MediaContent>,
    /// When it was uploaded or promised.
    pub created: Ms,
    /// When the promise lapses, if it is one.
    pub expires: Option<Ms>,
    /// Whether it may be fetched without logging in.
    pub unauthenticated_ok: bool,
}

/// What is known of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaContent {
    /// As the uploader said.
    pub content_type: String,
    /// What the first bytes look like, a word of the media department.
    pub kind: String,
    /// The name that the uploader gave it.
    pub file_name: Option<String>,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of the content, hexadecimal: the name of the file.
    pub sha256: String,
}

const READY: &str = "ready";

fn row(row: &Row) -> Result<MediaRow> {
    let sha256 = row.text_opt(7)?;
    let content = match sha256 {
        Some(sha256) => Some(MediaContent {
            content_type: row.text(3)?,
            kind: row.text(4)?,
            file_name: row.text_opt(5)?,
            size: row.int(6)?,
            sha256,
        }),
        None => None,
    };
    Ok(MediaRow {
        nid: row.int(0)?,
        media_id: row.text(1)?,
        uploader: row.int(2)?,
        content,
        created: row.int(8)?,
        expires: row.int_opt(9)?,
        unauthenticated_ok: row.bool(10)?,
    })
}

/// The file of that id, lapsed promises included.
///
/// # Errors
/// As [`Source::all`].
pub async fn media_by_id<S: Source>(source: &mut S, media_id: &str) -> Result<Option<MediaRow>> {
    let sql = "SELECT media_nid, media_id, uploader_nid, content_type, kind, file_name, size, sha256, \
               created_ts, expires_ts, unauthenticated_ok FROM media WHERE media_id = $1";
    source.first(sql, vec![media_id.into()]).await?.as_ref().map(row).transpose()
}

/// Which of these contents (SHA-256, hexadecimal) no row names.
///
/// # Errors
/// As [`Source::all`].
pub async fn unreferenced<S: Source>(source: &mut S, contents: &[String]) -> Result<Vec<String>> {
    let sql = "SELECT asked.text FROM TEXT_SET($1) AS asked \
               WHERE NOT EXISTS (SELECT 1 FROM media WHERE media.sha256 = asked.text)";
    let rows = source.all(sql, vec![text_set(contents)]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Up to `limit` promises that lapsed before `now`.
///
/// # Errors
/// As [`Source::all`].
pub async fn lapsed<S: Source>(source: &mut S, now: Ms, limit: i64) -> Result<Vec<Nid>> {
    let sql = "SELECT media_nid FROM media WHERE state = 'pending' AND expires_ts <= $1 \
               ORDER BY expires_ts LIMIT $2";
    let rows = source.all(sql, vec![now.into(), limit.into()]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

impl Change {
    /// Adds an uploaded file. Its content must be durable before this is submitted.
    pub fn add_media(
        &mut self,
        nid: Nid,
        media_id: &str,
        uploader: Nid,
        content: MediaContent,
        now: Ms,
        unauthenticated_ok: bool,
    ) {
        self.insert(
            Table::Media,
            vec![
                nid.into(),
                media_id.into(),
                uploader.into(),
                READY.into(),
                content.content_type.into(),
                content.kind.into(),
                content.file_name.into(),
                content.size.into(),
                content.sha256.into(),
                now.into(),
                None::<i64>.into(),
                unauthenticated_ok.into(),
            ],
        );
    }

    /// Adds a promise to upload until `expires`; refused with `Conflict` when the uploader has
    /// `limit` promises already that neither were kept nor lapsed.
    pub fn promise_media(
        &mut self,
        nid: Nid,
        media_id: &str,
        uploader: Nid,
        now: Ms,
        expires: Ms,
        limit: i64,
    ) {
        self.guard(
            "INSERT INTO media (media_nid, media_id, uploader_nid, state, content_type, kind, size, \
             created_ts, expires_ts, unauthenticated_ok) \
             SELECT $1, $2, $3, 'pending', '', '', 0, $4, $5, 0 \
             WHERE (SELECT count(*) FROM media \
                    WHERE uploader_nid = $3 AND state = 'pending' AND expires_ts > $4) < $6",
            vec![nid.into(), media_id.into(), uploader.into(), now.into(), expires.into(), limit.into()],
        );
    }

    /// Keeps a promise and wakes those who wait for the file; refused with `Conflict` when it was
    /// kept already or has lapsed. The content must be durable before this is submitted.
    pub fn fulfil_media(&mut self, nid: Nid, content: MediaContent, now: Ms, unauthenticated_ok: bool) {
        self.guard(
            "UPDATE media SET state = 'ready', content_type = $2, kind = $3, file_name = $4, size = $5, \
             sha256 = $6, expires_ts = NULL, unauthenticated_ok = $8 \
             WHERE media_nid = $1 AND state = 'pending' AND expires_ts > $7",
            vec![
                nid.into(),
                content.content_type.into(),
                content.kind.into(),
                content.file_name.into(),
                content.size.into(),
                content.sha256.into(),
                now.into(),
                unauthenticated_ok.into(),
            ],
        );
        // Only its waking is wanted: no row carries this position.
        let _ = self.position(Stream::Media, None, Some(nid));
    }

    /// Removes files; their contents go with the next sweep, unless other rows name them.
    pub fn forget_media(&mut self, nids: impl IntoIterator<Item = Nid>) {
        self.run("DELETE FROM media WHERE media_nid IN ID_SET($1)", vec![id_set(nids)]);
    }

    /// Removes promises that lapsed before `now`; one that was kept meanwhile stays.
    pub fn forget_lapsed_media(&mut self, nids: impl IntoIterator<Item = Nid>, now: Ms) {
        self.run(
            "DELETE FROM media WHERE media_nid IN ID_SET($1) AND state = 'pending' AND expires_ts <= $2",
            vec![id_set(nids), now.into()],
        );
    }
}
