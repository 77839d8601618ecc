//! The channel's own row, and who works on it.

use super::{Db, unavailable};
use crate::db::dialect::Dialect;
use kontor_model::{Error, Ms, Result};
use sqlx::{AnyConnection, AssertSqlSafe, Executor as _, Row as _};
use std::fs::File;
use std::path::Path;

/// What is remembered of a channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// JSON of the health machine.
    pub health: String,
    pub last_in_at: Ms,
    pub last_out_at: Ms,
    /// JSON of the usual gaps.
    pub gaps: String,
    /// An administrator paused it.
    pub paused: bool,
}

/// Reads the channel's row, made when it is not there.
///
/// # Errors
/// `Unavailable` when the database is gone; so do all others here.
pub(crate) async fn get(db: &Db, channel: &str, kind: &str) -> Result<Row> {
    db.run(
        "INSERT INTO channel (channel, kind, health, last_in_at, last_out_at, gaps, paused_until) \
         VALUES ($1, $2, '', 0, 0, '', 0) ON CONFLICT DO NOTHING",
        vec![channel.into(), kind.into()],
    )
    .await?;
    let sql = "SELECT health, last_in_at, last_out_at, gaps, paused_until FROM channel WHERE channel = $1";
    let row = db.first(sql, vec![channel.into()]).await?;
    let row = row.ok_or_else(|| Error::internal("a channel without a row"))?;
    Ok(Row {
        health: row.text(0)?,
        last_in_at: row.int(1)?,
        last_out_at: row.int(2)?,
        gaps: row.text(3)?,
        paused: row.int(4)? > 0,
    })
}

/// Remembers how the channel is.
pub(crate) async fn put(db: &Db, channel: &str, row: &Row) -> Result<()> {
    db.run(
        "UPDATE channel SET health = $2, last_in_at = $3, last_out_at = $4, gaps = $5 WHERE channel = $1",
        vec![
            channel.into(),
            (&row.health).into(),
            row.last_in_at.into(),
            row.last_out_at.into(),
            (&row.gaps).into(),
        ],
    )
    .await
    .map(drop)
}

/// Pauses a channel, or lets it go on: then what waited begins to wait anew, since nobody could have sent it.
pub(crate) async fn pause(db: &Db, channel: &str, kind: &str, paused: bool, now: Ms) -> Result<()> {
    get(db, channel, kind).await?;
    let mut change = super::Change::default();
    let until = if paused { Ms::MAX } else { 0 };
    change.run("UPDATE channel SET paused_until = $2 WHERE channel = $1", vec![channel.into(), until.into()]);
    if !paused {
        let sql = "UPDATE outbox SET queued_at = $2 WHERE channel = $1 AND open = 1";
        change.run(sql, vec![channel.into(), now.into()]);
    }
    db.write(change).await.map(drop)
}

/// The right to work on a channel: held until dropped, also by a crash.
#[derive(Debug)]
pub(crate) enum Lease {
    /// A lock on a file of the machine.
    File { _file: File },
    /// A lock of a connection to PostgreSQL.
    Session { connection: Box<AnyConnection> },
}

impl Lease {
    /// Whether it is still held.
    pub async fn holds(&mut self) -> bool {
        match self {
            Self::File { .. } => true,
            Self::Session { connection } => connection.execute("SELECT 1").await.is_ok(),
        }
    }
}

/// Takes the right to work on a channel; `None` while another process has it.
pub(crate) async fn lease(db: &Db, channel: &str, folder: &Path) -> Result<Option<Lease>> {
    if db.inner.dialect == Dialect::Sqlite {
        let file = File::create(folder.join("bridge.lock")).map_err(Error::internal)?;
        return Ok(file.try_lock().is_ok().then_some(Lease::File { _file: file }));
    }
    // Not given back to the pool: the lock ends with its connection, and never before the work.
    let mut connection = db.inner.readers.acquire().await.map_err(unavailable)?.detach();
    let sql = "SELECT CASE WHEN pg_try_advisory_lock(hashtextextended($1, 1802465140)) THEN 1::bigint ELSE 0::bigint END";
    let row = sqlx::query(AssertSqlSafe(sql)).bind(channel).fetch_one(&mut connection).await;
    let held: i64 = row.and_then(|row| row.try_get(0)).map_err(unavailable)?;
    Ok((held == 1).then(|| Lease::Session { connection: Box::new(connection) }))
}
