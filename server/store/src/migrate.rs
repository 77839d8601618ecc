//! Schema versions: applied once, in order, each in its own transaction.

use crate::dialect::Dialect;
use kontor_model::{Code, Error, Result};
use sqlx::{AnyPool, AssertSqlSafe, Connection, Executor, Row};

/// Every migration that ever was; the number is its place.
pub(crate) const MIGRATIONS: &[(&str, &str)] = &[
    ("house", include_str!("../migrations/0001_house.sql")),
    ("rooms", include_str!("../migrations/0002_rooms.sql")),
    ("identity", include_str!("../migrations/0003_identity.sql")),
    ("media", include_str!("../migrations/0004_media.sql")),
    ("user_data", include_str!("../migrations/0005_user_data.sql")),
    ("encryption", include_str!("../migrations/0006_encryption.sql")),
    ("backup", include_str!("../migrations/0007_backup.sql")),
    ("reports", include_str!("../migrations/0009_reports.sql")),
    ("threepid", include_str!("../migrations/0012_threepid.sql")),
    ("sliding", include_str!("../migrations/0008_sliding.sql")),
    ("push", include_str!("../migrations/0011_push.sql")),
    ("delayed", include_str!("../migrations/0010_delayed.sql")),
    ("application_services", include_str!("../migrations/0013_application_services.sql")),
    ("contacts", include_str!("../migrations/0014_contacts.sql")),
    ("resolution", include_str!("../migrations/0016_resolution.sql")),
    ("facts", include_str!("../migrations/0017_facts.sql")),
    ("connectors", include_str!("../migrations/0018_connectors.sql")),
    ("channel_state", include_str!("../migrations/0019_channel_state.sql")),
];

/// Brings the schema up to date; returns how many migrations were applied.
///
/// # Errors
/// `Unavailable` when the database is newer than this binary; `Internal` when a statement fails.
pub(crate) async fn run(pool: &AnyPool, dialect: Dialect) -> Result<usize> {
    let mut connection = pool.acquire().await.map_err(Error::internal)?;
    // Under the lock as well: on PostgreSQL even IF NOT EXISTS fails when two make a table at once.
    let mut tx = connection.begin_with(dialect.begin_write()).await.map_err(Error::internal)?;
    if let Some(lock) = dialect.write_lock() {
        tx.execute(AssertSqlSafe(lock)).await.map_err(Error::internal)?;
    }
    tx.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, name TEXT NOT NULL)")
        .await
        .map_err(Error::internal)?;
    tx.commit().await.map_err(Error::internal)?;
    let mut applied = 0;
    for (index, (name, sql)) in MIGRATIONS.iter().enumerate() {
        let version = i64::try_from(index + 1).map_err(Error::internal)?;
        // Several processes may start at once: the lock makes the second one find the work done.
        let mut tx = connection.begin_with(dialect.begin_write()).await.map_err(Error::internal)?;
        if let Some(lock) = dialect.write_lock() {
            tx.execute(AssertSqlSafe(lock)).await.map_err(Error::internal)?;
        }
        let newest: i64 = tx
            .fetch_one("SELECT coalesce(max(version), 0) FROM schema_version")
            .await
            .and_then(|row| row.try_get(0))
            .map_err(Error::internal)?;
        if newest > i64::try_from(MIGRATIONS.len()).map_err(Error::internal)? {
            return Err(Error::new(
                Code::Unavailable,
                "The database was written by a newer Kontor. Start that version, or restore a backup.",
            ));
        }
        if newest >= version {
            continue;
        }
        for statement in statements(&dialect.render(sql)) {
            tx.execute(AssertSqlSafe(statement)).await.map_err(Error::internal)?;
        }
        sqlx::query("INSERT INTO schema_version (version, name) VALUES ($1, $2)")
            .bind(version)
            .bind(*name)
            .execute(&mut *tx)
            .await
            .map_err(Error::internal)?;
        tx.commit().await.map_err(Error::internal)?;
        applied += 1;
    }
    Ok(applied)
}

/// Splits a migration: no statement of ours holds a semicolon inside, except in comments.
pub(crate) fn statements(sql: &str) -> Vec<String> {
    let without_comments: Vec<_> =
        sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code)).collect();
    let text = without_comments.join("\n");
    text.split(';').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}
