//! Files of the network that have to come home.

use super::{Change, Db};
use crate::channel::File;
use crate::seal::Seal;
use kontor_model::{Error, Ms, Result};

/// A file to fetch.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub id: i64,
    pub lane: String,
    pub room: String,
    pub event_id: String,
    pub file: File,
    pub tries: i64,
    /// Set once it was uploaded.
    pub mxc: Option<String>,
    pub at: Ms,
}

/// Wants a file, once for its placeholder.
///
/// # Errors
/// `Internal` when it cannot be sealed.
pub(crate) fn want(
    change: &mut Change,
    channel: &str,
    seal: &Seal,
    at: (&str, &str, &str),
    file: &File,
    now: Ms,
) -> Result<()> {
    let (lane, room, event_id) = at;
    let file = serde_json::to_vec(file).map_err(Error::internal)?;
    change.run(
        "INSERT INTO media (channel, lane, room, event_id, file, state, tries, next_at, at) \
         VALUES ($1, $2, $3, $4, $5, 0, 0, $6, $6) ON CONFLICT DO NOTHING",
        vec![
            channel.into(),
            lane.into(),
            room.into(),
            event_id.into(),
            seal.close("media", &file)?.into(),
            now.into(),
        ],
    );
    Ok(())
}

/// Files to fetch now.
///
/// # Errors
/// `Unavailable` when the database is gone; so do all others here.
pub(crate) async fn due(db: &Db, seal: &Seal, channel: &str, now: Ms) -> Result<Vec<Wanted>> {
    let sql = "SELECT id, lane, room, event_id, file, tries, mxc, at FROM media \
               WHERE channel = $1 AND state = 0 AND next_at <= $2 ORDER BY next_at LIMIT 8";
    let rows = db.all(sql, vec![channel.into(), now.into()]).await?;
    let wanted = rows.iter().map(|row| {
        let file = serde_json::from_slice(&seal.open("media", &row.blob(4)?)?).map_err(Error::internal)?;
        Ok(Wanted {
            id: row.int(0)?,
            lane: row.text(1)?,
            room: row.text(2)?,
            event_id: row.text(3)?,
            file,
            tries: row.int(5)?,
            mxc: row.text_opt(6)?,
            at: row.int(7)?,
        })
    });
    wanted.collect()
}

/// It was uploaded.
pub(crate) async fn uploaded(db: &Db, id: i64, mxc: &str) -> Result<()> {
    db.run("UPDATE media SET mxc = $2 WHERE id = $1", vec![id.into(), mxc.into()]).await.map(drop)
}

/// Nothing is left to do.
pub(crate) async fn over(db: &Db, id: i64, fetched: bool) -> Result<()> {
    let state = if fetched { 1_i64 } else { 2 };
    db.run("UPDATE media SET state = $2 WHERE id = $1", vec![id.into(), state.into()]).await.map(drop)
}

/// To be tried again at `at`.
pub(crate) async fn later(db: &Db, id: i64, at: Ms) -> Result<()> {
    let sql = "UPDATE media SET tries = tries + 1, next_at = $2 WHERE id = $1";
    db.run(sql, vec![id.into(), at.into()]).await.map(drop)
}

/// Forgets what is over since before `before`.
pub(crate) async fn purge(db: &Db, channel: &str, before: Ms) -> Result<()> {
    let sql = "DELETE FROM media WHERE id IN \
               (SELECT id FROM media WHERE channel = $1 AND state <> 0 AND at < $2 LIMIT 500)";
    db.run(sql, vec![channel.into(), before.into()]).await.map(drop)
}
