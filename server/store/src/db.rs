//! Opening the archive, and reading from it.

use crate::dialect::Dialect;
use crate::direct::Direct;
use crate::log::Log;
use crate::names::Names;
use crate::readers::{Moment, Readers};
use crate::rooms::cache::Memory;
use crate::search::Search;
use crate::value::{Cells, Row, Value, arguments, packing, unpack};
use crate::writer::{self, Queue};
use crate::{Change, Committed, Receipt, migrate};
use kontor_model::{Code, Error, Ms, Nid, Result};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Executor};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// How to open the archive.
#[derive(Clone, Debug)]
pub struct Options {
    /// `sqlite:///abs/kontor.db` or `postgres://user:pw@host/db`.
    pub url: String,
    /// Connections for reading.
    pub readers: u32,
}

/// Settings of every SQLite connection. The first two must precede the first table.
pub(crate) const PRAGMAS: &[(&str, &str)] = &[
    ("auto_vacuum", "INCREMENTAL"),
    ("secure_delete", "ON"),
    ("journal_mode", "WAL"),
    // An acknowledged message is on the disk.
    ("synchronous", "FULL"),
    ("busy_timeout", "10000"),
    ("foreign_keys", "OFF"),
    ("temp_store", "MEMORY"),
    // KiB, per connection.
    ("cache_size", "-2000"),
];

/// Rows of the log that are kept, about 60 bytes each.
const LOG_KEPT: i64 = 500_000;

/// The archive: one per process, cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dialect: Dialect,
    readers: Readers,
    direct: Direct,
    queue: Queue,
    log: Arc<Log>,
    names: Names,
    statements: Statements,
    search: Search,
    remembered: Memory,
    /// Newest position when tables were last counted.
    counted: AtomicI64,
    writers: AnyPool,
    /// A number that no other process has.
    process: Nid,
}

/// Statements as rendered for this database; rendered once each.
#[derive(Default)]
pub(crate) struct Statements(RwLock<HashMap<&'static str, Arc<str>>>);

impl Statements {
    pub fn get(&self, dialect: Dialect, sql: &'static str) -> Arc<str> {
        self.made(sql, || dialect.render(sql))
    }

    /// The statement that packs the rows of `sql`. No statement is used both packed and not.
    pub fn packed(&self, dialect: Dialect, sql: &'static str, columns: usize) -> Arc<str> {
        self.made(sql, || packing(&dialect.render(sql), columns))
    }

    fn made(&self, sql: &'static str, make: impl FnOnce() -> String) -> Arc<str> {
        if let Some(text) = self.0.read().ok().and_then(|map| map.get(sql).cloned()) {
            return text;
        }
        let text: Arc<str> = make().into();
        if let Ok(mut map) = self.0.write() {
            map.insert(sql, Arc::clone(&text));
        }
        text
    }
}

async fn pool(url: &str, dialect: Dialect, size: u32) -> Result<AnyPool> {
    AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(30))
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if dialect == Dialect::Sqlite {
                    for (key, value) in PRAGMAS {
                        connection.execute(AssertSqlSafe(format!("PRAGMA {key} = {value}"))).await?;
                    }
                } else {
                    // Compiling a plan, or making it anew for each set of ids, takes longer than any
                    // of our statements.
                    connection.execute("SET jit = off").await?;
                    connection.execute("SET plan_cache_mode = force_generic_plan").await?;
                    // Starting a helper process takes longer as well.
                    connection.execute("SET max_parallel_workers_per_gather = 0").await?;
                    // All of our statements walk by index from few rows; a planner that does not know
                    // how few would read whole tables to join them.
                    for method in ["hashjoin", "mergejoin", "seqscan"] {
                        connection.execute(AssertSqlSafe(format!("SET enable_{method} = off"))).await?;
                    }
                }
                Ok(())
            })
        })
        .connect(url)
        .await
        .map_err(|cause| {
            Error::new(Code::Unavailable, "The database cannot be opened. Check database.url.").because(cause)
        })
}

impl Store {
    /// Opens the archive, brings the schema up to date and starts the writer and the watcher.
    ///
    /// # Errors
    /// `Unavailable` when the database cannot be reached or is newer than this binary.
    pub async fn open(options: &Options) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (dialect, url) = if options.url.starts_with("sqlite:") {
            let glue = if options.url.contains('?') { '&' } else { '?' };
            (Dialect::Sqlite, format!("{}{glue}mode=rwc", options.url))
        } else {
            (Dialect::Postgres, options.url.clone())
        };
        let writers = pool(&url, dialect, 2).await?;
        migrate::run(&writers, dialect).await?;
        let count = options.readers.max(1);
        // One more than readers have, for the watcher.
        let readers = Readers::new(pool(&url, dialect, count + 1).await?, count as usize);
        let newest = newest(readers.pool()).await?;
        let log = Arc::new(Log::new(newest));
        let names = Names::new(writers.clone());
        let process = names.reserve().await?;
        let queue = writer::start(writers.clone(), dialect, Arc::clone(&log), process);
        if dialect == Dialect::Postgres {
            crate::log::watch(Arc::downgrade(&log), readers.pool().clone(), url);
        }
        let (statements, direct) = (Statements::default(), Direct::of(&options.url));
        let search = Search::of(&options.url, dialect);
        let inner = Inner {
            dialect,
            readers,
            direct,
            queue,
            log,
            names,
            statements,
            search,
            remembered: Memory::default(),
            counted: AtomicI64::new(0),
            writers,
            process,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Writes a change with the next group commit and waits until it is durable.
    ///
    /// # Errors
    /// `Conflict` when a guard, a revision or a unique key refused it; `Unavailable` when the
    /// database is gone or full. Nothing of a refused change is written.
    pub async fn submit(&self, change: Change) -> Result<Committed> {
        self.enqueue(change).await.wait().await
    }

    /// Puts a change into the queue and returns at once; changes are written in this order.
    ///
    /// Waits only while the queue is full, which is how load is held back.
    pub async fn enqueue(&self, change: Change) -> Receipt {
        self.inner.queue.interactive(change).await
    }

    /// Like [`Store::submit`], for imports and purges: written only while nobody else waits.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub async fn submit_bulk(&self, change: Change) -> Result<Committed> {
        self.inner.queue.bulk(change).await.wait().await
    }

    /// Forgets the oldest rows of the log, and transaction ids nobody repeats any more; one bounded
    /// step. Readers whose token is older look at all of their rooms instead; application services need
    /// every row until they were told of it.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub async fn prune(&self, now: Ms) -> Result<()> {
        let mut change = Change::default();
        change.run(
            "DELETE FROM stream_log WHERE position IN (SELECT position FROM stream_log \
             WHERE position < (SELECT max(position) FROM stream_log) - $1 \
             AND position <= (SELECT coalesce(min(pos), 9223372036854775807) FROM follower \
             WHERE name LIKE 'appservice:%') ORDER BY position LIMIT 2000)",
            vec![LOG_KEPT.into()],
        );
        change.run(
            "DELETE FROM sent_txn WHERE event_nid IN \
             (SELECT event_nid FROM sent_txn WHERE until_ts < $1 ORDER BY until_ts LIMIT 1000)",
            vec![now.into()],
        );
        self.submit_bulk(change).await.map(|_| ())
    }

    /// A number that no other process on this database has.
    pub(crate) fn process(&self) -> Nid {
        self.inner.process
    }

    /// Lets PostgreSQL count its tables again when the archive grew to twice its size: plans are kept,
    /// and its own look once a minute is late for a house that people have just moved into.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn tend(&self) -> Result<()> {
        let newest = self.inner.log.newest().0;
        let counted = self.inner.counted.load(Ordering::Relaxed);
        if self.inner.dialect != Dialect::Postgres || newest < counted * 2 + 500 {
            return Ok(());
        }
        self.inner.counted.store(newest, Ordering::Relaxed);
        self.inner.writers.execute("ANALYZE").await.map_err(unavailable)?;
        Ok(())
    }

    /// The order of everything, and waiting for news in it.
    pub fn log(&self) -> &Log {
        &self.inner.log
    }

    /// The search index.
    pub fn search(&self) -> &Search {
        &self.inner.search
    }

    /// A numeric id that nothing else has or will have.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn nid(&self) -> Result<Nid> {
        self.inner.names.reserve().await
    }

    /// The numeric id of a user id or state key; made when absent.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn name(&self, text: &str) -> Result<Nid> {
        let sql = "SELECT nid FROM name WHERE text = $1";
        if let Some(nid) = self.inner.names.cached(text) {
            return Ok(nid);
        }
        if let Some(row) = self.reader().one(sql, vec![text.into()]).await? {
            let nid = row.int(0)?;
            self.inner.names.remember(text, nid);
            return Ok(nid);
        }
        self.inner.names.make(text).await
    }

    /// The numeric id of a user id or state key, if anybody ever used it. Never makes one.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn known_name(&self, text: &str) -> Result<Option<Nid>> {
        if let Some(nid) = self.inner.names.cached(text) {
            return Ok(Some(nid));
        }
        let row = self.reader().one("SELECT nid FROM name WHERE text = $1", vec![text.into()]).await?;
        let nid = row.map(|row| row.int(0)).transpose()?;
        if let Some(nid) = nid {
            self.inner.names.remember(text, nid);
        }
        Ok(nid)
    }

    /// Reads single statements, each in a moment of its own.
    pub fn reader(&self) -> Reader<'_> {
        Reader { store: self }
    }

    /// Reads several statements in one moment.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn snapshot(&self) -> Result<Snapshot<'_>> {
        let begin = self.inner.dialect.begin_read();
        let moment = self.inner.readers.take().await?.begin(begin).await?;
        Ok(Snapshot { store: self, moment })
    }

    /// Like [`Store::snapshot`], for statements that walk along an index and stop early: PostgreSQL would rather
    /// mark all rows first where it does not know how many there are.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn walk(&self) -> Result<Snapshot<'_>> {
        let mut snapshot = self.snapshot().await?;
        if self.inner.dialect == Dialect::Postgres {
            let connection = snapshot.moment.connection();
            connection.execute("SET LOCAL enable_bitmapscan = off").await.map_err(unavailable)?;
        }
        Ok(snapshot)
    }

    /// The statement by which the database checks its own files, if it has one.
    pub(crate) fn integrity_check(&self) -> Option<&'static str> {
        (self.inner.dialect == Dialect::Sqlite).then_some("PRAGMA integrity_check")
    }

    /// Executes one statement beside the order: for what no client ever sees.
    pub(crate) async fn execute(&self, sql: &'static str, values: Vec<Value>) -> Result<()> {
        let sql = self.inner.statements.get(self.inner.dialect, sql);
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments(&values)?);
        query.execute(&self.inner.writers).await.map(drop).map_err(unavailable)
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    #[cfg(test)]
    pub(crate) fn direct(&self) -> &Direct {
        &self.inner.direct
    }

    #[cfg(test)]
    pub(crate) fn pools(&self) -> [&AnyPool; 2] {
        self.inner.readers.let_go();
        [self.inner.readers.pool(), &self.inner.writers]
    }

    /// Waits until everything that was queued is written, then closes all connections.
    pub async fn close(&self) {
        self.inner.queue.close().await;
        self.inner.search.close().await;
        self.inner.direct.close();
        self.inner.readers.close().await;
        self.inner.writers.close().await;
    }
}

async fn newest(pool: &AnyPool) -> Result<i64> {
    use sqlx::Row as _;
    pool.fetch_one("SELECT coalesce(max(position), 0) FROM stream_log")
        .await
        .and_then(|row| row.try_get(0))
        .map_err(unavailable)
}

pub(crate) fn unavailable(cause: sqlx::Error) -> Error {
    match cause {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            Error::new(Code::Unavailable, "The database does not answer. Try again in a moment.")
                .because(cause)
        }
        other => Error::internal(other),
    }
}

pub(crate) async fn rows(
    connection: &mut AnyConnection,
    sql: Arc<str>,
    values: Vec<Value>,
) -> Result<Vec<Row>> {
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments(&values)?);
    let rows = query.fetch_all(connection).await.map_err(unavailable)?;
    Ok(rows.into_iter().map(|row| Row(Cells::Database(row))).collect())
}

pub(crate) async fn packed(
    connection: &mut AnyConnection,
    sql: Arc<str>,
    values: Vec<Value>,
) -> Result<Vec<Row>> {
    let answer = rows(connection, sql, values).await?;
    let text = answer.first().map_or(Ok(None), |row| row.text_opt(0))?;
    Ok(text.map_or_else(Vec::new, |text| unpack(&text)))
}

/// Reads single statements.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    store: &'a Store,
}

/// Reads in one moment: everything that is visible was complete when it began.
pub struct Snapshot<'a> {
    store: &'a Store,
    moment: Moment,
}

/// What queries are written against: a [`Reader`] or a [`Snapshot`].
pub trait Source: Send {
    /// What was read lately.
    #[doc(hidden)]
    fn remembered(&self) -> &Memory;

    /// All rows of a statement.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone, `Internal` when the statement fails.
    fn all(&mut self, sql: &'static str, values: Vec<Value>)
    -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// All rows of a statement that gives many: they come packed into one text. Its columns are
    /// named `c1` to `cN` and are numbers or texts that passed `storable_key`, or JSON.
    ///
    /// # Errors
    /// As [`Source::all`].
    fn packed(
        &mut self,
        sql: &'static str,
        columns: usize,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// Like [`Source::packed`], for a statement that is a few look-ups by key however much the archive
    /// holds: SQLite answers it in place.
    ///
    /// # Errors
    /// As [`Source::all`].
    fn quick(
        &mut self,
        sql: &'static str,
        columns: usize,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Vec<Row>>> + Send {
        self.packed(sql, columns, values)
    }

    /// The first row of a statement, if there is one.
    ///
    /// # Errors
    /// As [`Source::all`].
    fn first(
        &mut self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> impl Future<Output = Result<Option<Row>>> + Send {
        let all = self.all(sql, values);
        async { Ok(all.await?.into_iter().next()) }
    }
}

impl Reader<'_> {
    pub(crate) async fn one(self, sql: &'static str, values: Vec<Value>) -> Result<Option<Row>> {
        let mut reader = self;
        reader.first(sql, values).await
    }
}

impl Source for Reader<'_> {
    fn remembered(&self) -> &Memory {
        &self.store.inner.remembered
    }

    async fn all(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>> {
        let inner = &self.store.inner;
        let mut lent = inner.readers.take().await?;
        let rows = rows(lent.connection(), inner.statements.get(inner.dialect, sql), values).await?;
        lent.keep();
        Ok(rows)
    }

    async fn packed(&mut self, sql: &'static str, columns: usize, values: Vec<Value>) -> Result<Vec<Row>> {
        let inner = &self.store.inner;
        let mut lent = inner.readers.take().await?;
        let sql = inner.statements.packed(inner.dialect, sql, columns);
        let rows = packed(lent.connection(), sql, values).await?;
        lent.keep();
        Ok(rows)
    }

    async fn quick(&mut self, sql: &'static str, columns: usize, values: Vec<Value>) -> Result<Vec<Row>> {
        let inner = &self.store.inner;
        let text = inner.statements.packed(inner.dialect, sql, columns);
        match inner.direct.packed(&text, &values) {
            Some(rows) => Ok(rows),
            None => self.packed(sql, columns, values).await,
        }
    }
}

impl Source for Snapshot<'_> {
    fn remembered(&self) -> &Memory {
        &self.store.inner.remembered
    }

    async fn all(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>> {
        let inner = &self.store.inner;
        rows(self.moment.connection(), inner.statements.get(inner.dialect, sql), values).await
    }

    async fn packed(&mut self, sql: &'static str, columns: usize, values: Vec<Value>) -> Result<Vec<Row>> {
        let inner = &self.store.inner;
        packed(self.moment.connection(), inner.statements.packed(inner.dialect, sql, columns), values).await
    }
}

impl Snapshot<'_> {
    /// The newest position in this moment.
    ///
    /// # Errors
    /// As [`Source::all`].
    pub async fn position(&mut self) -> Result<kontor_model::Pos> {
        let row = self.first("SELECT coalesce(max(position), 0) FROM stream_log", Vec::new()).await?;
        Ok(kontor_model::Pos(row.map_or(Ok(0), |row| row.int(0))?))
    }
}
