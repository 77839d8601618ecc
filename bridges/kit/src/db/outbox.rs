//! Rows of the outbox.

use super::{Change, Db, Row};
use crate::ladder::{Failure, Rung, Standing};
use crate::seal::Seal;
use kontor_model::{Error, Ms, Result};

/// Something an agent did.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub id: i64,
    pub lane: String,
    pub room: String,
    pub event_id: String,
    pub part: u32,
    /// `send`, `edit`, `delete`, `react`.
    pub act: String,
    pub ours: String,
    pub target: String,
    /// Sealed; empty once purged.
    pub content: Vec<u8>,
    pub queued_at: Ms,
    pub standing: Standing,
    pub open: bool,
    pub tries: i64,
    pub next_at: Ms,
    pub remote: Option<String>,
    pub changed_at: Ms,
    pub waiting: bool,
}

/// A new row, before it has a number.
pub(crate) struct Fresh<'a> {
    pub lane: &'a str,
    pub room: &'a str,
    pub event_id: &'a str,
    pub part: u32,
    pub act: &'a str,
    pub ours: String,
    pub target: &'a str,
    pub content: Vec<u8>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, lane, room, event_id, part, act, ours, target, content, queued_at, rung, failure, ",
            "open, tries, next_at, remote, changed_at, waiting FROM outbox ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<Sending> {
    let rung = Rung::of(row.int(10)?).ok_or_else(|| Error::internal("a rung that is none"))?;
    let failure = row.text_opt(11)?.map(|text| serde_json::from_str::<Failure>(&text)).transpose();
    Ok(Sending {
        id: row.int(0)?,
        lane: row.text(1)?,
        room: row.text(2)?,
        event_id: row.text(3)?,
        part: u32::try_from(row.int(4)?).map_err(Error::internal)?,
        act: row.text(5)?,
        ours: row.text(6)?,
        target: row.text(7)?,
        content: row.blob_opt(8)?.unwrap_or_default(),
        queued_at: row.int(9)?,
        standing: Standing { rung, failure: failure.map_err(Error::internal)? },
        open: row.bool(12)?,
        tries: row.int(13)?,
        next_at: row.int(14)?,
        remote: row.text_opt(15)?,
        changed_at: row.int(16)?,
        waiting: row.bool(17)?,
    })
}

/// Puts a row into its lane's line; once.
///
/// # Errors
/// `Internal` when it cannot be sealed.
pub(crate) fn add(change: &mut Change, channel: &str, seal: &Seal, fresh: &Fresh<'_>, now: Ms) -> Result<()> {
    change.run(
        "INSERT INTO outbox (channel, lane, room, event_id, part, act, ours, target, content, queued_at, \
         rung, open, tries, next_at, changed_at, tell, waiting) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 1, 0, 0, $10, 0, 0) ON CONFLICT DO NOTHING",
        vec![
            channel.into(),
            fresh.lane.into(),
            fresh.room.into(),
            fresh.event_id.into(),
            i64::from(fresh.part).into(),
            fresh.act.into(),
            (&fresh.ours).into(),
            fresh.target.into(),
            seal.close("outbox", &fresh.content)?.into(),
            now.into(),
        ],
    );
    Ok(())
}

/// The row at the head of a lane's line.
///
/// # Errors
/// `Unavailable` when the database is gone; so do all others here.
pub(crate) async fn head(db: &Db, channel: &str, lane: &str) -> Result<Option<Sending>> {
    let sql = select!("WHERE channel = $1 AND lane = $2 AND open = 1 ORDER BY id LIMIT 1");
    db.first(sql, vec![channel.into(), lane.into()]).await?.as_ref().map(read).transpose()
}

/// A row by its number.
pub(crate) async fn get(db: &Db, channel: &str, id: i64) -> Result<Option<Sending>> {
    let sql = select!("WHERE channel = $1 AND id = $2");
    db.first(sql, vec![channel.into(), id.into()]).await?.as_ref().map(read).transpose()
}

/// All rows of an event.
pub(crate) async fn of_event(db: &Db, channel: &str, event_id: &str) -> Result<Vec<Sending>> {
    let sql = select!("WHERE event_id = $2 AND channel = $1 ORDER BY part");
    db.all(sql, vec![channel.into(), event_id.into()]).await?.iter().map(read).collect()
}

/// The row that a receipt is about.
pub(crate) async fn of_receipt(
    db: &Db,
    channel: &str,
    lane: &str,
    ours: Option<&str>,
    remote: Option<&str>,
) -> Result<Option<Sending>> {
    if let Some(ours) = ours {
        let sql = select!("WHERE channel = $1 AND ours = $2 LIMIT 1");
        if let Some(row) = db.first(sql, vec![channel.into(), ours.into()]).await? {
            return read(&row).map(Some);
        }
    }
    let Some(remote) = remote else { return Ok(None) };
    let sql = select!("WHERE channel = $1 AND lane = $2 AND remote = $3 AND act = 'send' LIMIT 1");
    db.first(sql, vec![channel.into(), lane.into(), remote.into()]).await?.as_ref().map(read).transpose()
}

/// Messages whose fate is not known, and those that are about to be sent again, oldest first.
pub(crate) async fn unsettled(db: &Db, channel: &str, lane: &str) -> Result<Vec<Sending>> {
    let sql = select!(
        "WHERE channel = $1 AND lane = $2 AND act = 'send' AND remote IS NULL AND content IS NOT NULL \
         AND (rung IN (1, 2) OR (rung = 0 AND tries > 0)) ORDER BY id LIMIT 10"
    );
    db.all(sql, vec![channel.into(), lane.into()]).await?.iter().map(read).collect()
}

/// Rows up to a number that a receipt "up to here" may lift.
pub(crate) async fn up_to(db: &Db, channel: &str, lane: &str, id: i64, below: Rung) -> Result<Vec<Sending>> {
    let sql = select!(
        "WHERE channel = $1 AND lane = $2 AND id < $3 AND rung IN (3, 4, 6) AND rung < $4 \
         AND act = 'send' ORDER BY id DESC LIMIT 200"
    );
    let values = vec![channel.into(), lane.into(), id.into(), below.number().into()];
    db.all(sql, values).await?.iter().map(read).collect()
}

/// Rows that the room has to be told of; failures and questions at once, others when they rested.
pub(crate) async fn to_tell(db: &Db, channel: &str, rested: Ms) -> Result<Vec<Sending>> {
    let sql = select!(
        "WHERE channel = $1 AND tell = 1 AND (changed_at <= $2 OR rung IN (2, 5)) \
         ORDER BY changed_at LIMIT 50"
    );
    db.all(sql, vec![channel.into(), rested.into()]).await?.iter().map(read).collect()
}

/// The room was told what was so at `changed_at`.
pub(crate) fn told(change: &mut Change, row: &Sending) {
    let sql = "UPDATE outbox SET tell = 0 WHERE id = $1 AND changed_at = $2 AND rung = $3";
    let rung = row.standing.rung.number();
    change.run(sql, vec![row.id.into(), row.changed_at.into(), rung.into()]);
}

/// How a row is to become; what is `None` stays.
#[derive(Clone, Debug)]
pub(crate) struct Becomes {
    pub standing: Standing,
    pub open: bool,
    pub tries: i64,
    pub next_at: Ms,
    pub remote: Option<String>,
    pub tell: bool,
    pub waiting: bool,
}

/// Changes a row that still is as it was read; otherwise the change is refused.
pub(crate) fn become_(row: &Sending, new: &Becomes, now: Ms) -> Result<Change> {
    let failure = new.standing.failure.as_ref().map(serde_json::to_string).transpose();
    // Time of a change never goes back: by it the room is told each change once.
    let at = now.max(row.changed_at + 1);
    Ok(Change::guarded(
        "UPDATE outbox SET rung = $4, failure = $5, open = $6, tries = $7, next_at = $8, \
         remote = coalesce($9, remote), changed_at = $10, \
         tell = CASE WHEN $11 = 1 THEN 1 ELSE tell END, waiting = $12 \
         WHERE id = $1 AND rung = $2 AND changed_at = $3 RETURNING id",
        vec![
            row.id.into(),
            row.standing.rung.number().into(),
            row.changed_at.into(),
            new.standing.rung.number().into(),
            failure.map_err(Error::internal)?.into(),
            new.open.into(),
            new.tries.into(),
            new.next_at.into(),
            new.remote.clone().into(),
            at.into(),
            new.tell.into(),
            new.waiting.into(),
        ],
    ))
}

/// Takes back what of an event was not sent yet.
pub(crate) fn withdraw(change: &mut Change, channel: &str, event_id: &str, failure: &Failure, now: Ms) {
    let failure = serde_json::to_string(failure).ok();
    change.run(
        "UPDATE outbox SET rung = 5, failure = $3, open = 0, changed_at = $4, tell = 0 \
         WHERE event_id = $2 AND channel = $1 AND rung = 0",
        vec![channel.into(), event_id.into(), failure.into(), now.into()],
    );
}

/// One row for each part of an event that is to be taken back, at the end of its lane's line.
///
/// # Errors
/// `Internal` when it cannot be sealed.
pub(crate) fn take_back(
    change: &mut Change,
    channel: &str,
    seal: &Seal,
    (event_id, target): (&str, &str),
    content: &[u8],
    now: Ms,
) -> Result<()> {
    change.run(
        "INSERT INTO outbox (channel, lane, room, event_id, part, act, ours, target, content, queued_at, \
         rung, open, tries, next_at, changed_at, tell, waiting) \
         SELECT channel, lane, room, CAST($2 AS TEXT), part, 'delete', ours || '.d', event_id, \
         CAST($4 AS BYTES), CAST($5 AS BIGINT), 0, 1, 0, 0, CAST($5 AS BIGINT), 0, 0 \
         FROM outbox WHERE channel = $1 AND event_id = $3 AND act IN ('send', 'react') \
         ON CONFLICT DO NOTHING",
        vec![
            channel.into(),
            event_id.into(),
            target.into(),
            seal.close("outbox", content)?.into(),
            now.into(),
        ],
    );
    Ok(())
}

/// Puts a row whose fate is unknown, or that failed, back into its line.
pub(crate) fn again(change: &mut Change, channel: &str, id: i64, now: Ms) {
    change.run(
        "UPDATE outbox SET rung = 0, failure = NULL, open = 1, tries = 0, next_at = 0, queued_at = $3, \
         changed_at = $3, tell = 1, waiting = 0 WHERE id = $1 AND channel = $2 AND rung IN (2, 5)",
        vec![id.into(), channel.into(), now.into()],
    );
    change.run(
        "UPDATE lane SET out_at = $3 WHERE channel = $2 \
         AND lane = (SELECT lane FROM outbox WHERE id = $1 AND channel = $2)",
        vec![id.into(), channel.into(), now.into()],
    );
}

/// An agent says that a message of unknown fate arrived.
pub(crate) fn arrived(change: &mut Change, channel: &str, id: i64, now: Ms) {
    change.run(
        "UPDATE outbox SET rung = 3, open = 0, changed_at = $3, tell = 1 \
         WHERE id = $1 AND channel = $2 AND rung = 2",
        vec![id.into(), channel.into(), now.into()],
    );
}

/// Rows that wait to be sent.
pub(crate) async fn waiting(db: &Db, channel: &str) -> Result<i64> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE channel = $1 AND open = 1 LIMIT 10000) w";
    db.first(sql, vec![channel.into()]).await?.map_or(Ok(0), |row| row.int(0))
}

/// Lanes whose heads are in the middle of being sent: of a process that is no more.
pub(crate) fn wake_interrupted(change: &mut Change, channel: &str, now: Ms) {
    change.run(
        "UPDATE lane SET out_at = $2 WHERE channel = $1 AND lane IN \
         (SELECT lane FROM outbox WHERE channel = $1 AND open = 1 AND rung = 1)",
        vec![channel.into(), now.into()],
    );
}

/// Forgets contents of what is settled since before `before`. Gives how many.
pub(crate) async fn purge(db: &Db, channel: &str, before: Ms) -> Result<usize> {
    let sql = "UPDATE outbox SET content = NULL WHERE id IN (SELECT id FROM outbox \
               WHERE channel = $1 AND queued_at < $2 AND content IS NOT NULL AND open = 0 LIMIT 500) RETURNING id";
    Ok(db.run(sql, vec![channel.into(), before.into()]).await?.len())
}
