//! Schema versions: applied once, in order, each in its own transaction.

use super::dialect::Dialect;
use super::unavailable;
use kontor_model::{Code, Error, Result};
use sqlx::{AnyPool, AssertSqlSafe, Connection as _, Executor as _, Row as _};

/// Every migration that ever was; the number is its place.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/0001_bridge.sql")];

/// Brings the schema up to date.
///
/// # Errors
/// `Unavailable` when the database is newer than this program.
pub(super) async fn run(pool: &AnyPool, dialect: Dialect) -> Result<()> {
    let mut connection = pool.acquire().await.map_err(unavailable)?;
    let mut tx = connection.begin_with(dialect.begin_write()).await.map_err(unavailable)?;
    // Several processes may start at once: the lock makes the second one find the work done.
    if let Some(lock) = dialect.schema_lock() {
        tx.execute(AssertSqlSafe(lock)).await.map_err(unavailable)?;
    }
    tx.execute("CREATE TABLE IF NOT EXISTS bridge_schema (version BIGINT PRIMARY KEY)")
        .await
        .map_err(unavailable)?;
    let newest: i64 = tx
        .fetch_one("SELECT coalesce(max(version), 0) FROM bridge_schema")
        .await
        .and_then(|row| row.try_get(0))
        .map_err(unavailable)?;
    let known = i64::try_from(MIGRATIONS.len()).map_err(Error::internal)?;
    if newest > known {
        let text =
            "The bridge's database was written by a newer Kontor. Start that version, or restore a backup.";
        return Err(Error::new(Code::Unavailable, text));
    }
    for (version, sql) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > newest) {
        for statement in statements(&dialect.render(sql)) {
            tx.execute(AssertSqlSafe(statement)).await.map_err(unavailable)?;
        }
        sqlx::query("INSERT INTO bridge_schema (version) VALUES ($1)")
            .bind(version)
            .execute(&mut *tx)
            .await
            .map_err(unavailable)?;
    }
    tx.commit().await.map_err(unavailable)
}

/// Splits a migration: no statement of ours holds a semicolon inside, except in comments.
fn statements(sql: &str) -> Vec<String> {
    let code: Vec<_> = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code)).collect();
    code.join("\n").split(';').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}
