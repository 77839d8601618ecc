//! Every difference between SQLite and PostgreSQL that this crate knows.

/// Which database the archive stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// Held by every write transaction to its commit: one order, over all processes.
const WRITE_LOCK: i64 = 0x6b6f_6e74_6f72;

impl Dialect {
    /// Opens a write transaction. SQLite's single writer is its lock; PostgreSQL takes
    /// [`Dialect::write_lock`] next.
    pub fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }

    /// The statement that waits for the order's lock, where the database has one of its own.
    ///
    /// A separate statement, so that the next one sees what the previous holder committed.
    pub fn write_lock(self) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => {
                Some(format!("SELECT 1 FROM (SELECT pg_advisory_xact_lock({WRITE_LOCK})) held"))
            }
        }
    }

    /// Opens a read snapshot.
    pub fn begin_read(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }

    /// Newest position; on PostgreSQL also tells the other processes if there is something to tell
    /// (delivered with the commit).
    pub fn newest_position(self, tells: bool) -> &'static str {
        match self {
            Self::Postgres if tells => {
                "SELECT coalesce(max(position), 0), (SELECT count(*) FROM (SELECT pg_notify('kontor', '')) told) FROM stream_log"
            }
            _ => "SELECT coalesce(max(position), 0) FROM stream_log",
        }
    }

    /// Tells whether the transaction was committed whose first row of the log is at `$1` with the mark `$2`;
    /// `None` where a COMMIT's answer cannot be lost. Not by the transaction's number: what a crash of the
    /// database takes leaves its number to a later one.
    pub fn was_committed(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT count(*) FROM stream_log WHERE position = $1 AND mark = $2"),
        }
    }

    /// Rewrites the few words of a statement that differ, so that each is written once:
    /// `BYTES` is the blob type, `WITHOUT_ROWID` follows a table that needs no row id, and
    /// `UTF8(column)` reads a blob as text, `ID_SET($n)` / `TEXT_SET($n)` open a JSON array as a one-column table `(id)` / `(text)`, `TRIPLE_SET($n)` an
    /// array of arrays of three numbers as `(a, b, c)`, `DEVICE_SET($n)` an array of pairs of a number and a text as `(id, text)`, and `x AMONG_FIRST (SELECT … LIMIT n) END_FIRST` seeks the few rows of a correlated query by
    /// index: SQLite does so for IN, PostgreSQL only for an array. `NOW_MS` is the database's clock. `UNLOGGED` marks tables that a crash may empty, `TEXT_BY_BYTES`
    /// texts that are compared byte by byte, and `POSTING_SET($n)` opens an array of arrays as `(room, base, word, places)`.
    pub fn render(self, sql: &str) -> String {
        let mut sql = match self {
            Self::Sqlite => sql
                .replace("WITHOUT_ROWID", "WITHOUT ROWID")
                .replace("UNLOGGED ", "")
                .replace("TEXT_BY_BYTES", "TEXT")
                .replace("BYTES", "BLOB")
                .replace("NOW_MS", "CAST(unixepoch('subsec') * 1000 AS INTEGER)")
                .replace("AMONG_FIRST (", "IN (")
                .replace(") END_FIRST", ")"),
            Self::Postgres => sql
                .replace("WITHOUT_ROWID", "")
                .replace("TEXT_BY_BYTES", "TEXT COLLATE \"C\"")
                .replace("BYTES", "BYTEA")
                .replace("NOW_MS", "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")
                .replace("AMONG_FIRST (", "= ANY(ARRAY(")
                .replace(") END_FIRST", "))"),
        };
        let utf8 = match self {
            Self::Sqlite => "CAST(",
            Self::Postgres => "convert_from(",
        };
        while let Some((before, after)) = sql.split_once("UTF8(") {
            let (column, rest) = after.split_once(')').unwrap_or((after, ""));
            let how = if self == Self::Sqlite { " AS TEXT)" } else { ", 'UTF-8')" };
            sql = format!("{before}{utf8}{column}{how}{rest}");
        }
        for n in 1..=9 {
            let each = match self {
                Self::Sqlite => format!("json_each(${n}))"),
                Self::Postgres => format!("jsonb_array_elements(CAST(${n} AS jsonb)))"),
            };
            let (id, text, triple) = match self {
                Self::Sqlite => ("value", "value", "value->>0 AS a, value->>1 AS b, value->>2 AS c"),
                Self::Postgres => (
                    "value::bigint",
                    "value #>> '{}'",
                    "(value->>0)::bigint AS a, (value->>1)::bigint AS b, (value->>2)::bigint AS c",
                ),
            };
            let device = match self {
                Self::Sqlite => "value->>0 AS id, value->>1 AS text",
                Self::Postgres => "(value->>0)::bigint AS id, value->>1 AS text",
            };
            let posting = match self {
                Self::Sqlite => {
                    "value->>0 AS room, value->>1 AS base, value->>2 AS word, value->>3 AS places"
                }
                Self::Postgres => {
                    "(value->>0)::bigint AS room, (value->>1)::bigint AS base, value->>2 AS word, value->>3 AS places"
                }
            };
            sql = sql
                .replace(&format!("POSTING_SET(${n})"), &format!("(SELECT {posting} FROM {each}"))
                .replace(&format!("DEVICE_SET(${n})"), &format!("(SELECT {device} FROM {each}"))
                .replace(&format!("TRIPLE_SET(${n})"), &format!("(SELECT {triple} FROM {each}"))
                .replace(&format!("ID_SET(${n})"), &format!("(SELECT {id} AS id FROM {each}"))
                .replace(&format!("TEXT_SET(${n})"), &format!("(SELECT {text} AS text FROM {each}"));
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_rendered_for_both_databases() {
        let sql = "SELECT x FROM t WHERE y IN ID_SET($1)";
        let sqlite = "SELECT x FROM t WHERE y IN (SELECT value AS id FROM json_each($1))";
        assert_eq!(Dialect::Sqlite.render(sql), sqlite);
        let postgres = "SELECT x FROM t WHERE y IN \
            (SELECT value::bigint AS id FROM jsonb_array_elements(CAST($1 AS jsonb)))";
        assert_eq!(Dialect::Postgres.render(sql), postgres);
    }
}
