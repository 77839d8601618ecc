//! Running a claim on each database.

use std::future::Future;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use crate::config::Db;
use crate::homeserver::Homeserver;
use crate::shared;

/// Time limit of one claim in the fast tier.
const LIMIT: Duration = Duration::from_secs(600);

/// True when the issues' full sizes are asked for (`./tests/run --full`).
pub fn full_tier() -> bool {
    std::env::var_os("KONTOR_TESTS_FULL").is_some_and(|value| value == "1")
}

/// Says, also when the test passes, that a claim was not tried here and why.
pub fn skip(why: &str) {
    // Straight to the file: what goes through the macros is only shown for failures.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Runs a claim that starts servers of its own.
pub fn run_claim<F: Future<Output = ()>>(claim: impl FnOnce(Db) -> F, db: Db) {
    runtime().block_on(within_limit(claim(db)));
}

/// Runs a claim against the long-lived server of that database, or against the homeserver that
/// `KONTOR_TEST_URL` names (then once, not per database).
pub fn run_shared_claim<F: Future<Output = ()>>(claim: impl FnOnce(Homeserver) -> F, db: Db) {
    let runtime = runtime();
    if let Some(other) = shared::other_homeserver() {
        if db == Db::Sqlite {
            runtime.block_on(within_limit(claim(other)));
        }
        return;
    }
    let server = shared::server(db);
    let log_before = server.log().len();
    let result = runtime
        .block_on(AssertUnwindSafe(within_limit(async { claim(server.homeserver()).await })).catch_unwind());
    if let Err(panic) = result {
        eprintln!("--- trouble in the shared server's log ---\n{}", server.trouble_since(log_before));
        std::panic::resume_unwind(panic);
    }
}

async fn within_limit(claim: impl Future<Output = ()>) {
    if full_tier() {
        claim.await;
    } else {
        tokio::time::timeout(LIMIT, claim).await.expect("the claim did not end in time");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// Lists claims, `async fn claim(server: Homeserver)`, that each run against the long-lived
/// server on SQLite and against the one on PostgreSQL.
#[macro_export]
macro_rules! both_databases {
    ($($claim:ident),+ $(,)?) => { $(
        mod $claim {
            #[test]
            fn on_sqlite() {
                $crate::run_shared_claim(super::$claim, $crate::Db::Sqlite);
            }
            #[test]
            fn on_postgresql() {
                $crate::run_shared_claim(super::$claim, $crate::Db::Postgres);
            }
        }
    )+ };
}

/// Lists claims, `async fn claim(db: Db)`, that start servers of their own, on each database.
#[macro_export]
macro_rules! on_each_database {
    ($($claim:ident),+ $(,)?) => { $(
        mod $claim {
            #[test]
            fn on_sqlite() {
                $crate::run_claim(super::$claim, $crate::Db::Sqlite);
            }
            #[test]
            fn on_postgresql() {
                $crate::run_claim(super::$claim, $crate::Db::Postgres);
            }
        }
    )+ };
}
