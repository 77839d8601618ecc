//! Reading SQLite on the caller's own thread. What is asked is not known here.
//!
//! sqlx keeps a thread for each SQLite connection, and waking it and being woken costs several times what a few
//! look-ups by key take. Statements that always are such few look-ups are read here instead, without waiting for
//! anybody; whatever does not go well at once is left to the ordinary way.

use crate::db::PRAGMAS;
use crate::value::{Row, Value, unpack};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, params_from_iter};
use sqlx::sqlite::SqliteConnectOptions;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Mutex;

/// Connections that are read with in place: never more than threads that read at once.
pub(crate) struct Direct {
    /// The file; `None` once closed, and on other databases.
    file: Mutex<Option<PathBuf>>,
    idle: Mutex<Vec<Connection>>,
}

impl Direct {
    /// Reads the file of an SQLite URL; nothing of any other URL.
    pub fn of(url: &str) -> Self {
        let options = url.starts_with("sqlite:").then(|| SqliteConnectOptions::from_str(url).ok()).flatten();
        let file = options.map(|options| options.get_filename().to_path_buf());
        Self { file: Mutex::new(file), idle: Mutex::default() }
    }

    /// The rows of a statement that packs them; `None` when they must be asked for in the ordinary way.
    pub fn packed(&self, sql: &str, values: &[Value]) -> Option<Vec<Row>> {
        let waiting = self.idle.lock().ok()?.pop();
        let connection = match waiting {
            Some(connection) => connection,
            None => self.open()?,
        };
        let text = ask(&connection, sql, values).ok()?;
        let mut idle = self.idle.lock().ok()?;
        if self.file.lock().is_ok_and(|file| file.is_some()) {
            idle.push(connection);
        }
        Some(text.map_or_else(Vec::new, |text| unpack(&text)))
    }

    /// Closes all connections; nothing is read here afterwards.
    pub fn close(&self) {
        if let Ok(mut file) = self.file.lock() {
            *file = None;
        }
        if let Ok(mut idle) = self.idle.lock() {
            idle.clear();
        }
    }

    fn open(&self) -> Option<Connection> {
        let file = self.file.lock().ok()?.clone()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(file, flags).ok()?;
        for (key, value) in PRAGMAS.iter().filter(|(key, _)| matches!(*key, "temp_store" | "cache_size")) {
            connection.execute_batch(&format!("PRAGMA {key} = {value}")).ok()?;
        }
        // A thread that serves others waits for nobody.
        connection.execute_batch("PRAGMA busy_timeout = 0").ok()?;
        Some(connection)
    }
}

fn ask(connection: &Connection, sql: &str, values: &[Value]) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(values.iter().map(bound)))?;
    rows.next()?.map_or(Ok(None), |row| row.get(0))
}

fn bound(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Int(Some(number)) => ValueRef::Integer(*number),
        Value::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
        Value::Blob(Some(bytes)) => ValueRef::Blob(bytes),
        _ => ValueRef::Null,
    })
}

#[cfg(test)]
mod tests {
    use crate::db::Source;
    use crate::testing::stores;

    const SQL: &str = "SELECT $1 AS c1, $2 AS c2, text AS c3 FROM TEXT_SET($3) s ORDER BY text";

    #[tokio::test]
    async fn what_is_read_in_place_is_what_is_read_otherwise() {
        for store in stores().await {
            let values = vec![(-7_i64).into(), "żółw".into(), crate::value::text_set(["a", "b"])];
            let quick = store.reader().quick(SQL, 3, values.clone()).await.unwrap();
            let usual = store.reader().packed(SQL, 3, values).await.unwrap();
            assert_eq!(quick.len(), 2);
            // One connection for SQLite, none for PostgreSQL.
            assert_eq!(store.direct().idle.lock().unwrap().len(), usize::from(store.is_sqlite()));
            for (quick, usual) in quick.iter().zip(&usual) {
                assert_eq!(quick.text_opt(0).unwrap(), usual.text_opt(0).unwrap());
                assert_eq!(quick.text(1).unwrap(), usual.text(1).unwrap());
                assert_eq!(quick.text(2).unwrap(), usual.text(2).unwrap());
            }
            let none = vec![1_i64.into(), "".into(), crate::value::text_set::<&str>([])];
            assert!(store.reader().quick(SQL, 3, none).await.unwrap().is_empty());
            assert!(store.reader().quick("SELECT no AS c1 FROM nothing", 1, Vec::new()).await.is_err());
            store.direct().close();
            assert!(store.direct().packed("SELECT 1", &[]).is_none(), "closed");
            store.close().await;
        }
    }
}
