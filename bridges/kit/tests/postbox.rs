//! The kit put to the test with its reference channel, for each nature of network and both databases.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code: failing loudly is its purpose"
)]

mod channel;

use async_trait::async_trait;
use channel::PostboxChannel;
use kontor_bridge_kit::Channel;
use kontor_emulators::postbox::{Nature, Postbox};
use kontor_emulators::suite::{Emulated, Subject, run_some};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Running(Postbox);

impl Emulated for Running {
    fn url(&self) -> String {
        self.0.url()
    }
}

struct PostboxSubject {
    nature: Nature,
    pulls: bool,
    postgres: Option<String>,
}

#[async_trait]
impl Subject for PostboxSubject {
    fn name(&self) -> String {
        let database = if self.postgres.is_some() { "PostgreSQL" } else { "SQLite" };
        format!("post box {:?} on {database}", self.nature)
    }

    async fn emulator(&self) -> Box<dyn Emulated> {
        Box::new(Running(Postbox::start(self.nature).await))
    }

    fn channel(&self, emulator: &str) -> Arc<dyn Channel> {
        Arc::new(PostboxChannel::new(emulator, self.nature, self.pulls))
    }

    fn hook_path(&self) -> &'static str {
        if self.pulls { "" } else { "/postbox" }
    }

    async fn database(&self, folder: &Path) -> String {
        match &self.postgres {
            None => format!("sqlite://{}/bridge.db", folder.display()),
            Some(server) => new_database(server).await,
        }
    }
}

/// A new database on the server of this URL.
async fn new_database(server: &str) -> String {
    use sqlx::Connection as _;
    static NEXT: AtomicU64 = AtomicU64::new(0);
    sqlx::any::install_default_drivers();
    let name = format!("kit_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut connection = sqlx::AnyConnection::connect(server).await.unwrap();
    let drop = sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"));
    sqlx::query(drop).execute(&mut connection).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut connection).await.unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// Databases of this process are not left behind.
async fn drop_databases(server: &str) {
    use sqlx::{Connection as _, Row as _};
    let Ok(mut connection) = sqlx::AnyConnection::connect(server).await else { return };
    let sql = format!(
        "SELECT datname::text FROM pg_database WHERE datname LIKE 'kit\\_{}\\_%'",
        std::process::id()
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap_or_default();
    for row in rows {
        let name: String = row.try_get(0).unwrap();
        let drop = sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        let _ = sqlx::query(drop).execute(&mut connection).await;
    }
}

fn filter() -> String {
    std::env::var("KONTOR_SUITE").unwrap_or_default()
}

async fn on_sqlite(nature: Nature) {
    run_some(Arc::new(PostboxSubject { nature, pulls: false, postgres: None }), &filter()).await;
}

async fn on_postgres(nature: Nature) {
    // One after the other: each world takes several connections of the server's few.
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let Ok(server) = std::env::var("KONTOR_TEST_PG_URL") else { return };
    let _turn = TURN.lock().await;
    let subject = PostboxSubject { nature, pulls: false, postgres: Some(server.clone()) };
    run_some(Arc::new(subject), &filter()).await;
    drop_databases(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_with_keys() {
    on_sqlite(Nature::Keys).await;
    on_postgres(Nature::Keys).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_with_echoes() {
    on_sqlite(Nature::Echo).await;
    on_postgres(Nature::Echo).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_with_neither() {
    on_sqlite(Nature::Nothing).await;
    on_postgres(Nature::Nothing).await;
}

/// The same things arrive when they are pulled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_is_asked() {
    for scenario in ["everything_arrives", "in_trouble_loses", "again_and_again"] {
        let subject = PostboxSubject { nature: Nature::Keys, pulls: true, postgres: None };
        run_some(Arc::new(subject), scenario).await;
    }
}
