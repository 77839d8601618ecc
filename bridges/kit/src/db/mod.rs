//! The bridge's own memory, in SQLite or PostgreSQL. Here and nowhere else in bridges is SQL.
//!
//! Rules about what happens when may not enter: functions here read and write rows.

pub(crate) mod channel;
mod dialect;
pub(crate) mod inbox;
pub(crate) mod journal;
pub(crate) mod kept;
pub(crate) mod lane;
pub(crate) mod link;
pub(crate) mod media;
mod migrate;
pub(crate) mod notice;
pub(crate) mod outbox;
pub(crate) mod take;
#[cfg(test)]
mod tests;
pub(crate) mod value;
mod writer;

pub(crate) use value::{Row, Value};
pub(crate) use writer::{Answers, Change};

use dialect::Dialect;
use kontor_model::{Code, Error, Result};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, AssertSqlSafe, Executor as _};
use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// Connections that read. A statement takes a fraction of a millisecond, and each connection of SQLite is a thread with
/// a cache of its own.
const READERS: u32 = 2;

/// The memory: cheap to clone.
#[derive(Clone)]
pub(crate) struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    dialect: Dialect,
    readers: AnyPool,
    writers: AnyPool,
    writer: writer::Writer,
    rendered: Rendered,
}

/// Statements as written for this database; each is rendered once.
#[derive(Default)]
struct Rendered(RwLock<HashMap<&'static str, Arc<str>>>);

impl Rendered {
    fn get(&self, dialect: Dialect, sql: &'static str) -> Arc<str> {
        if let Some(text) = self.0.read().ok().and_then(|map| map.get(sql).cloned()) {
            return text;
        }
        let text: Arc<str> = dialect.render(sql).into();
        if let Ok(mut map) = self.0.write() {
            map.insert(sql, Arc::clone(&text));
        }
        text
    }
}

fn unavailable(cause: sqlx::Error) -> Error {
    match cause {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            Error::new(Code::Unavailable, "The bridge's database does not answer. Try again in a moment.")
                .because(cause)
        }
        other => Error::internal(other),
    }
}

async fn pool(url: &str, dialect: Dialect, size: u32) -> Result<AnyPool> {
    AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(30))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(dialect == Dialect::Postgres)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                for setting in dialect.settings() {
                    connection.execute(*setting).await?;
                }
                Ok(())
            })
        })
        .connect(url)
        .await
        .map_err(|cause| {
            let text = "The bridge's database cannot be opened. Check its database url.";
            Error::new(Code::Unavailable, text).because(cause)
        })
}

impl Db {
    /// Opens the memory and brings its schema up to date.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached or is newer than this program.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (dialect, url) = if url.starts_with("sqlite:") {
            let glue = if url.contains('?') { '&' } else { '?' };
            (Dialect::Sqlite, format!("{url}{glue}mode=rwc"))
        } else {
            (Dialect::Postgres, url.to_owned())
        };
        let writers = pool(&url, dialect, 1).await?;
        migrate::run(&writers, dialect).await?;
        let readers = pool(&url, dialect, READERS).await?;
        let writer = writer::Writer::start(writers.clone(), dialect);
        let inner = Inner { dialect, readers, writers, writer, rendered: Rendered::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone, `Internal` when the statement fails.
    pub async fn all(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>> {
        let sql = self.inner.rendered.get(self.inner.dialect, sql);
        let query = sqlx::query_with(AssertSqlSafe(sql), value::arguments(&values)?);
        let rows = query.fetch_all(&self.inner.readers).await.map_err(unavailable)?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// The first row of a statement.
    ///
    /// # Errors
    /// As [`Db::all`].
    pub async fn first(&self, sql: &'static str, values: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// Writes a change with the next commit and waits until it is on the disk.
    ///
    /// # Errors
    /// `Conflict` when its guard failed; otherwise as [`Db::all`]. Nothing of it is written then.
    pub async fn write(&self, change: Change) -> Result<Answers> {
        if change.is_empty() {
            return Ok(Vec::new());
        }
        self.inner.writer.write(change).await
    }

    /// Writes one statement; gives the rows that it returned.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn run(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>> {
        let mut change = Change::default();
        change.run(sql, values);
        Ok(self.write(change).await?.into_iter().next().unwrap_or_default())
    }

    /// Whether the database answers, within five seconds.
    pub async fn answers(&self) -> bool {
        let asked = self.first("SELECT 1", Vec::new());
        tokio::time::timeout(Duration::from_secs(5), asked).await.is_ok_and(|row| row.is_ok())
    }

    /// Closes all connections; what was handed to [`Db::write`] and not waited for may be lost.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.writers.close().await;
    }
}
