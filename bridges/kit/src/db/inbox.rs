//! Rows of the inbox.

use super::{Change, Db, Row};
use crate::channel::Item;
use crate::seal::Seal;
use kontor_model::{Error, Ms, Result};

/// An item that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub id: i64,
    pub item: Item,
    pub received_at: Ms,
    pub tries: i64,
}

const NEW: i64 = 0;
const DONE: i64 = 1;
const DEAD: i64 = 2;
const ASIDE: i64 = 3;

fn read(row: &Row, seal: &Seal) -> Result<Taken> {
    let raw = row.blob_opt(4)?.ok_or_else(|| Error::internal("an item that was purged"))?;
    let item =
        Item { key: row.text(1)?, lane: row.text(2)?, at: row.int(3)?, raw: seal.open("inbox", &raw)? };
    Ok(Taken { id: row.int(0)?, item, received_at: row.int(5)?, tries: row.int(6)? })
}

/// The items at the head of a lane, in order.
///
/// # Errors
/// `Unavailable` when the database is gone, `Internal` when the key file is not the right one; so do all
/// others here.
pub(crate) async fn heads(db: &Db, seal: &Seal, channel: &str, lane: &str) -> Result<Vec<Taken>> {
    let sql = "SELECT id, key, lane, at, raw, received_at, tries FROM inbox \
               WHERE channel = $1 AND lane = $2 AND state = 0 ORDER BY id LIMIT 20";
    let rows = db.all(sql, vec![channel.into(), lane.into()]).await?;
    rows.iter().map(|row| read(row, seal)).collect()
}

/// Whether something waits in a lane that was not looked at yet.
pub(crate) async fn is_waiting(db: &Db, channel: &str, lane: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM inbox WHERE channel = $1 AND lane = $2 AND state = 0 LIMIT 1";
    Ok(db.first(sql, vec![channel.into(), lane.into()]).await?.is_some())
}

/// Items that were set aside and may be looked at again.
pub(crate) async fn aside(db: &Db, seal: &Seal, channel: &str, now: Ms) -> Result<Vec<Taken>> {
    let sql = "SELECT id, key, lane, at, raw, received_at, tries FROM inbox \
               WHERE channel = $1 AND state = 3 AND next_at <= $2 ORDER BY next_at LIMIT 50";
    let rows = db.all(sql, vec![channel.into(), now.into()]).await?;
    rows.iter().map(|row| read(row, seal)).collect()
}

/// Done. The change is refused when it was done by somebody else.
pub(crate) fn done(id: i64) -> Change {
    let sql = "UPDATE inbox SET state = $2, error = NULL WHERE id = $1 AND state IN (0, 3) RETURNING id";
    Change::guarded(sql, vec![id.into(), DONE.into()])
}

/// To be looked at again at `at`, out of the line.
pub(crate) async fn set_aside(db: &Db, id: i64, at: Ms) -> Result<()> {
    let sql = "UPDATE inbox SET state = $2, next_at = $3 WHERE id = $1 AND state IN (0, 3)";
    db.run(sql, vec![id.into(), ASIDE.into(), at.into()]).await.map(drop)
}

/// It was refused once more.
pub(crate) async fn tried(db: &Db, id: i64, error: &str) -> Result<()> {
    let sql = "UPDATE inbox SET tries = tries + 1, error = $2 WHERE id = $1";
    db.run(sql, vec![id.into(), error.into()]).await.map(drop)
}

/// Dead, until somebody replays it.
pub(crate) async fn dead(db: &Db, id: i64, error: &str) -> Result<()> {
    let sql = "UPDATE inbox SET state = $2, error = $3, tell = 1 WHERE id = $1 AND state IN (0, 3)";
    db.run(sql, vec![id.into(), DEAD.into(), error.into()]).await.map(drop)
}

/// Puts a dead item back at its place in its lane. Nothing happens to others.
pub(crate) fn replay(change: &mut Change, channel: &str, id: i64, now: Ms) {
    change.run(
        "UPDATE inbox SET state = $3, tries = 0, error = NULL, tell = 0, replays = replays + 1 \
         WHERE id = $1 AND channel = $2 AND state = 2",
        vec![id.into(), channel.into(), NEW.into()],
    );
    change.run(
        "UPDATE lane SET in_at = coalesce(in_at, $3) \
         WHERE channel = $2 AND lane = (SELECT lane FROM inbox WHERE id = $1 AND channel = $2)",
        vec![id.into(), channel.into(), now.into()],
    );
}

/// A dead item as people are told of it.
#[derive(Clone, Debug, serde::Serialize)]
pub(crate) struct Dead {
    pub id: i64,
    pub lane: String,
    pub at: Ms,
    pub error: String,
    pub replays: i64,
    #[serde(skip)]
    pub key: String,
}

fn read_dead(row: &Row) -> Result<Dead> {
    let error = row.text_opt(3)?.unwrap_or_default();
    Ok(Dead {
        id: row.int(0)?,
        lane: row.text(1)?,
        at: row.int(2)?,
        error,
        replays: row.int(4)?,
        key: row.text(5)?,
    })
}

/// Dead items people were not told of yet.
pub(crate) async fn dead_to_tell(db: &Db, channel: &str) -> Result<Vec<Dead>> {
    let sql = "SELECT id, lane, at, error, replays, key FROM inbox \
               WHERE channel = $1 AND tell = 1 ORDER BY id LIMIT 20";
    db.all(sql, vec![channel.into()]).await?.iter().map(read_dead).collect()
}

/// Dead items after a number, for the administrator.
pub(crate) async fn all_dead(db: &Db, channel: &str, after: i64) -> Result<Vec<Dead>> {
    let sql = "SELECT id, lane, at, error, replays, key FROM inbox \
               WHERE channel = $1 AND state = 2 AND id > $2 ORDER BY id LIMIT 100";
    db.all(sql, vec![channel.into(), after.into()]).await?.iter().map(read_dead).collect()
}

/// People were told.
pub(crate) fn told(change: &mut Change, id: i64) {
    change.run("UPDATE inbox SET tell = 0 WHERE id = $1", vec![id.into()]);
}

/// New and dead items.
pub(crate) async fn counts(db: &Db, channel: &str) -> Result<(i64, i64)> {
    let sql = "SELECT (SELECT count(*) FROM (SELECT 1 FROM inbox WHERE channel = $1 AND state = 0 LIMIT 10000) n), \
               (SELECT count(*) FROM (SELECT 1 FROM inbox WHERE channel = $1 AND state = 2 LIMIT 10000) d)";
    let row = db.first(sql, vec![channel.into()]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.int(0)?, row.int(1)?)))
}

/// Forgets raw bytes of what is done since before `before`; key and row stay. Gives how many.
pub(crate) async fn purge(db: &Db, channel: &str, before: Ms) -> Result<usize> {
    let sql = "UPDATE inbox SET raw = NULL WHERE id IN (SELECT id FROM inbox \
               WHERE channel = $1 AND received_at < $2 AND raw IS NOT NULL AND state = 1 LIMIT 500) RETURNING id";
    Ok(db.run(sql, vec![channel.into(), before.into()]).await?.len())
}
