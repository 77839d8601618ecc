//! The search index: which words stand at which places of rooms.
//!
//! It is derived data. A follower of the log keeps it up to date ([`write`], fed by [`feed`]); its
//! cursor lies in the index itself, so that an index that was lost, on either database, is simply
//! made anew from the archive. On SQLite it is a file beside the archive's, on PostgreSQL unlogged
//! tables; neither belongs into a backup.
//!
//! Words are kept by room, so that a question costs what the asker's own rooms hold, and counting
//! what the asker may see is exact. What a text's words are and who may see which place is not
//! decided here.

pub mod around;
pub mod feed;
mod places;
pub mod read;
#[cfg(test)]
mod tests;
pub mod write;

pub use places::MAX_WEIGHT;

use crate::db::{PRAGMAS, Statements, packed, rows, unavailable};
use crate::dialect::Dialect;
use crate::migrate::statements;
use crate::value::{Row, Value};
use kontor_model::{Nid, Result};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Executor, Row as _};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Form of the tables, and of the words in them: text is folded before it comes here, so that this
/// number must grow too when folding changes.
const FORM: i64 = 1;

/// Connections, opened when they are needed.
const CONNECTIONS: u32 = 4;
/// How long an unused connection stays.
const IDLE: Duration = Duration::from_secs(60);

const TABLES: [&str; 4] = ["search_state", "search_chunk", "search_posting", "search_edit"];

/// The index. Opened when it is first used.
pub struct Search {
    dialect: Dialect,
    url: String,
    /// Its own file, where it has one.
    file: Option<PathBuf>,
    pool: OnceCell<AnyPool>,
    statements: Statements,
}

/// A stretch of a room that is indexed together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chunk {
    /// The first place.
    pub base: i64,
    /// The room.
    pub room: Nid,
}

impl Search {
    /// The index of the archive at `url`, as [`crate::Store::open`] takes it.
    pub(crate) fn of(url: &str, dialect: Dialect) -> Self {
        let path = url.split('?').next().unwrap_or(url);
        let path = path.trim_start_matches("sqlite:").trim_start_matches("//");
        let file = (dialect == Dialect::Sqlite).then(|| PathBuf::from(format!("{path}-search")));
        let url = match &file {
            Some(file) => format!("sqlite://{}?mode=rwc", file.display()),
            None => url.to_owned(),
        };
        Self { dialect, url, file, pool: OnceCell::new(), statements: Statements::default() }
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        if let Some(pool) = self.pool.get() {
            pool.close().await;
        }
    }

    async fn pool(&self) -> Result<&AnyPool> {
        self.pool.get_or_try_init(|| self.open()).await
    }

    /// Opens the index and makes what is missing. A file that is no index any more is made anew.
    async fn open(&self) -> Result<AnyPool> {
        // Apart from the pool, which would try a file that is none again and again.
        if self.file.is_some()
            && let Err(sqlx::Error::Database(error)) = self.look().await
            && error.code().is_some_and(|code| code == "11" || code == "26")
        {
            tracing::warn!(%error, "The search index is damaged; it is made anew.");
            self.remove_files();
        }
        self.try_open().await.map_err(unavailable)
    }

    /// Reads the first page of the file.
    async fn look(&self) -> Result<(), sqlx::Error> {
        let mut connection = AnyConnection::connect(&self.url).await?;
        let looked = connection.fetch_one("SELECT count(*) FROM sqlite_schema").await;
        let _ = connection.close().await;
        looked.map(drop)
    }

    fn remove_files(&self) {
        let Some(file) = &self.file else { return };
        for end in ["", "-wal", "-shm"] {
            let mut name = file.clone().into_os_string();
            name.push(end);
            let _ = std::fs::remove_file(name);
        }
    }

    async fn try_open(&self) -> Result<AnyPool, sqlx::Error> {
        let dialect = self.dialect;
        let options = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(30))
            .idle_timeout(Some(IDLE))
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    for setting in settings(dialect) {
                        connection.execute(AssertSqlSafe(setting)).await?;
                    }
                    Ok(())
                })
            });
        let pool = options.connect(&self.url).await?;
        let made = self.make(&pool).await;
        if made.is_err() {
            pool.close().await;
        }
        made.map(|()| pool)
    }

    /// Makes the tables, or makes them anew if they are of another form.
    async fn make(&self, pool: &AnyPool) -> Result<(), sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let mut tx = connection.begin_with(self.dialect.begin_write()).await?;
        if let Some(lock) = self.dialect.write_lock() {
            tx.execute(AssertSqlSafe(lock)).await?;
        }
        let schema = statements(&self.dialect.render(include_str!("schema.sql")));
        for statement in &schema {
            tx.execute(AssertSqlSafe(statement.clone())).await?;
        }
        let found = tx.fetch_optional("SELECT form FROM search_state").await?;
        let form = found.map(|row| row.try_get::<i64, _>(0)).transpose()?;
        if form.is_some_and(|form| form != FORM) {
            for table in TABLES {
                tx.execute(AssertSqlSafe(format!("DROP TABLE {table}"))).await?;
            }
            for statement in schema {
                tx.execute(AssertSqlSafe(statement)).await?;
            }
        }
        tx.commit().await
    }

    async fn all(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>> {
        let mut connection = self.pool().await?.acquire().await.map_err(unavailable)?;
        rows(&mut connection, self.statements.get(self.dialect, sql), values).await
    }

    async fn packed(&self, sql: &'static str, columns: usize, values: Vec<Value>) -> Result<Vec<Row>> {
        let mut connection = self.pool().await?.acquire().await.map_err(unavailable)?;
        packed(&mut connection, self.statements.packed(self.dialect, sql, columns), values).await
    }
}

/// What each connection is told first. Nothing here must survive a crash at once: the cursor lies in
/// the same file, and what a crash takes is indexed again.
fn settings(dialect: Dialect) -> Vec<String> {
    if dialect == Dialect::Postgres {
        let off = ["jit", "enable_hashjoin", "enable_mergejoin", "enable_seqscan"];
        let mut settings: Vec<String> = off.iter().map(|name| format!("SET {name} = off")).collect();
        settings.push("SET plan_cache_mode = force_generic_plan".to_owned());
        settings.push("SET synchronous_commit = off".to_owned());
        return settings;
    }
    let own = |key: &str, value: &str| match key {
        "synchronous" => "NORMAL".to_owned(),
        _ => value.to_owned(),
    };
    PRAGMAS.iter().map(|(key, value)| format!("PRAGMA {key} = {}", own(key, value))).collect()
}
