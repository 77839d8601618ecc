//! Every difference between SQLite and PostgreSQL that bridges know.

/// Which database the bridge's memory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// Held while the schema is changed.
const SCHEMA_LOCK: i64 = 0x6b6f_6e74_6272;

impl Dialect {
    /// Opens a write transaction.
    pub fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }

    /// Lets one process at a time change the schema.
    pub fn schema_lock(self) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => {
                Some(format!("SELECT 1 FROM (SELECT pg_advisory_xact_lock({SCHEMA_LOCK})) held"))
            }
        }
    }

    /// Settings of a connection.
    pub fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "PRAGMA secure_delete = ON",
                "PRAGMA journal_mode = WAL",
                // What was acknowledged is on the disk.
                "PRAGMA synchronous = FULL",
                "PRAGMA busy_timeout = 10000",
                "PRAGMA temp_store = MEMORY",
                // KiB, per connection.
                "PRAGMA cache_size = -1000",
            ],
            Self::Postgres => &["SET jit = off"],
        }
    }

    /// Rewrites the few words that differ: `BYTES`, `WITHOUT_ROWID`, `SERIAL_KEY` (a number that grows),
    /// and `TEXT_SET($1)`, which opens a JSON array of texts.
    pub fn render(self, sql: &str) -> String {
        match self {
            Self::Sqlite => sql
                .replace("WITHOUT_ROWID", "WITHOUT ROWID")
                .replace("SERIAL_KEY", "INTEGER PRIMARY KEY AUTOINCREMENT")
                .replace("BYTES", "BLOB")
                .replace("TEXT_SET($1)", "(SELECT value FROM json_each($1))"),
            Self::Postgres => sql
                .replace("WITHOUT_ROWID", "")
                .replace("SERIAL_KEY", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY")
                .replace("BYTES", "BYTEA")
                .replace("TEXT_SET($1)", "(SELECT jsonb_array_elements_text(CAST($1 AS jsonb)))"),
        }
    }
}
