//! Fresh archives for tests: SQLite in a temporary folder, and a database of its own on the
//! PostgreSQL server that `KONTOR_TEST_PG_URL` names, if it does.

use crate::{Options, Store};
use sqlx::{AssertSqlSafe, Connection, Executor};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// An archive that disappears when the test ends.
pub struct TestStore {
    store: Store,
    url: String,
    folder: Option<PathBuf>,
    database: Option<(String, String)>,
}

impl std::ops::Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Drop for TestStore {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

impl TestStore {
    /// The same archive as another process opens it.
    pub async fn other_process(&self) -> Store {
        Store::open(&Options { url: self.url.clone(), readers: 1 }).await.unwrap()
    }

    /// Closes the archive and, on PostgreSQL, drops its database.
    pub async fn close(mut self) {
        self.store.close().await;
        if let Some((server, name)) = self.database.take() {
            admin(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn admin(server: &str, sql: String) {
    let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
}

/// One fresh archive for each database there is.
pub async fn stores() -> Vec<TestStore> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let unique = format!("kontor_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(&unique);
    std::fs::create_dir_all(&folder).unwrap();
    let url = format!("sqlite://{}", folder.join("kontor.db").display());
    let store = Store::open(&Options { url: url.clone(), readers: 2 }).await.unwrap();
    let mut stores = vec![TestStore { store, url, folder: Some(folder), database: None }];
    if let Ok(server) = std::env::var("KONTOR_TEST_PG_URL") {
        admin(&server, format!("CREATE DATABASE {unique}")).await;
        let (base, _) = server.rsplit_once('/').unwrap();
        let url = format!("{base}/{unique}");
        let store = Store::open(&Options { url: url.clone(), readers: 2 }).await.unwrap();
        stores.push(TestStore { store, url, folder: None, database: Some((server, unique)) });
    }
    stores
}

impl Store {
    /// Whether the archive is on SQLite.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.dialect() == crate::dialect::Dialect::Sqlite
    }

    /// Lets the database read a statement without running it.
    pub(crate) async fn prepare(&self, sql: String) {
        let [pool, _] = self.pools();
        let mut connection = pool.acquire().await.unwrap();
        let prepared = connection.prepare(sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(sql.clone()))).await;
        assert!(prepared.is_ok(), "{sql}: {:?}", prepared.err());
    }

    /// A setting as the first connection has it.
    pub(crate) async fn setting(&self, sql: &str) -> String {
        self.settings_of_all(sql).await.swap_remove(0)
    }

    /// A setting as every connection of both pools has it.
    pub(crate) async fn settings_of_all(&self, sql: &str) -> Vec<String> {
        let mut answers = Vec::new();
        for pool in self.pools() {
            // All at once, or the pool would hand out the same one again.
            let mut held = Vec::new();
            for _ in 0..pool.options().get_max_connections() {
                held.push(pool.acquire().await.unwrap());
            }
            for connection in &mut held {
                let row = connection.fetch_one(AssertSqlSafe(sql.to_owned())).await.unwrap();
                let number = sqlx::Row::try_get::<i64, _>(&row, 0).map(|number| number.to_string());
                answers.push(number.unwrap_or_else(|_| sqlx::Row::get::<String, _>(&row, 0)));
            }
        }
        answers
    }
}
