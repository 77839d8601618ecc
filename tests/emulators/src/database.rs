//! Where a bridge that is put to the test keeps its memory: every claim is shown on each database.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names the PostgreSQL server whose databases tests may make.
const SERVER: &str = "KONTOR_TEST_PG_URL";

/// A database that bridges keep their memory in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Db {
    /// A file.
    Sqlite,
    /// A database on the server that `KONTOR_TEST_PG_URL` names.
    Postgres,
}

impl Db {
    /// Whether it can be had here; says so if not.
    pub fn is_here(self) -> bool {
        let here = self == Self::Sqlite || std::env::var_os(SERVER).is_some();
        if !here {
            eprintln!("SKIPPED: {SERVER} names no PostgreSQL server");
        }
        here
    }
}

/// An empty database that goes when this is dropped.
pub struct Database {
    url: String,
    /// Server and name, on PostgreSQL.
    made: Option<(String, String)>,
}

impl Database {
    /// A new one; a file lies in `folder`, and goes with it.
    pub fn new(db: Db, folder: &Path) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        if db == Db::Sqlite {
            return Self { url: format!("sqlite://{}/bridge.db", folder.display()), made: None };
        }
        let server = std::env::var(SERVER).expect("a PostgreSQL server");
        let name = format!("bridge_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (base, _) = server.rsplit_once('/').expect("a database's URL");
        let url = format!("{base}/{name}");
        assert!(psql(&server, &format!("CREATE DATABASE {name}")), "psql could not make a database");
        Self { url, made: Some((server, name)) }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some((server, name)) = &self.made {
            psql(server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

fn psql(server: &str, sql: &str) -> bool {
    let done = Command::new("psql").args(["-qX", "-c", sql, server]).status();
    done.is_ok_and(|status| status.success())
}

/// Makes a test on each database of claims, `async fn claim(db: Db)`.
#[macro_export]
macro_rules! on_each_database {
    ($($claim:ident),+ $(,)?) => { $(
        mod $claim {
            use $crate::database::Db;
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                super::$claim(Db::Sqlite).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgresql() {
                if Db::Postgres.is_here() {
                    super::$claim(Db::Postgres).await;
                }
            }
        }
    )+ };
}
