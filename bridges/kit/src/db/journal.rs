//! The journal of conversations whose far end is ours: append-only, numbered without gaps.

use super::{Answers, Change, Db};
use crate::channel::{Entry, Noted};
use crate::seal::Seal;
use kontor_model::{Error, Ms, Result};

/// Where the answers about an appended entry are.
pub(crate) struct Place {
    insert: usize,
    look: usize,
}

impl Place {
    /// What became of the entry.
    ///
    /// # Errors
    /// `Internal` when the answers are not those of the entry's change.
    pub fn read(&self, answers: &Answers) -> Result<Noted> {
        let rows = |place: usize| answers.get(place).and_then(|rows| rows.first());
        let row = rows(self.look).ok_or_else(|| Error::internal("an entry that is not there"))?;
        Ok(Noted { seq: row.int(0)?, fresh: rows(self.insert).is_some() })
    }
}

/// Appends an entry, unless its key is there. The writer is the only one that appends in its process;
/// with several processes the key of the table refuses the second of two and it is tried again.
///
/// # Errors
/// `Internal` when it cannot be sealed.
pub(crate) fn append(
    change: &mut Change,
    channel: &str,
    seal: &Seal,
    entry: &Entry,
    now: Ms,
) -> Result<Place> {
    let insert = change.run(
        "INSERT INTO journal (channel, lane, seq, key, at, body) \
         SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), \
           coalesce((SELECT max(seq) FROM journal WHERE channel = $1 AND lane = $2), 0) + 1, \
           CAST($3 AS TEXT), CAST($4 AS BIGINT), CAST($5 AS BYTES) \
         WHERE NOT EXISTS (SELECT 1 FROM journal WHERE channel = $1 AND lane = $2 AND key = $3) \
         RETURNING seq",
        vec![
            channel.into(),
            (&entry.lane).into(),
            (&entry.key).into(),
            now.into(),
            seal.close("journal", entry.body.as_bytes())?.into(),
        ],
    );
    let look = change.run(
        "SELECT seq FROM journal WHERE channel = $1 AND lane = $2 AND key = $3",
        vec![channel.into(), (&entry.lane).into(), (&entry.key).into()],
    );
    Ok(Place { insert, look })
}

/// An entry as it is read: number, key, time, body.
pub(crate) type Read = (i64, String, Ms, Vec<u8>);

/// Entries after `after`, oldest first.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(crate) async fn since(db: &Db, channel: &str, lane: &str, after: i64, limit: i64) -> Result<Vec<Read>> {
    let sql = "SELECT seq, key, at, body FROM journal WHERE channel = $1 AND lane = $2 AND seq > $3 \
               ORDER BY seq LIMIT $4";
    let rows = db.all(sql, vec![channel.into(), lane.into(), after.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?, row.int(2)?, row.blob(3)?))).collect()
}

/// The newest number; 0 when there is none.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(crate) async fn newest(db: &Db, channel: &str, lane: &str) -> Result<i64> {
    let sql = "SELECT coalesce(max(seq), 0) FROM journal WHERE channel = $1 AND lane = $2";
    db.first(sql, vec![channel.into(), lane.into()]).await?.map_or(Ok(0), |row| row.int(0))
}

/// Forgets all entries of a conversation.
pub(crate) fn forget(change: &mut Change, channel: &str, lane: &str) {
    change.run("DELETE FROM journal WHERE channel = $1 AND lane = $2", vec![channel.into(), lane.into()]);
}
