//! What one process at a time does for all processes on one database.

use crate::dialect::Dialect;
use crate::{Change, Source, Store};
use kontor_model::{Ms, Result};

impl Store {
    /// Takes or keeps a lease for so many milliseconds from now; false while another process holds
    /// it. Renew well before it ends, and stop the work when that fails.
    ///
    /// On SQLite it is always had: one process at a time serves from such a database.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn lease(&self, name: &'static str, length: Ms) -> Result<bool> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(true);
        }
        // Not through the writer: a lease has no place in the log, and renewals should cost next to nothing.
        let sql = "INSERT INTO lease (name, holder, until_ts) VALUES ($1, $2, NOW_MS + $3) \
                   ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until_ts = excluded.until_ts \
                   WHERE lease.holder = excluded.holder OR lease.until_ts <= NOW_MS RETURNING 1";
        let values = vec![name.into(), self.process().into(), length.into()];
        Ok(self.reader().first(sql, values).await?.is_some())
    }

    /// Gives a lease back, so that another process need not wait for its end.
    ///
    /// # Errors
    /// As [`Store::submit`].
    pub async fn end_lease(&self, name: &'static str) -> Result<()> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let mut change = Change::default();
        change.run(
            "DELETE FROM lease WHERE name = $1 AND holder = $2",
            vec![name.into(), self.process().into()],
        );
        self.submit(change).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::stores;

    #[tokio::test]
    async fn a_lease_is_held_by_one_process_until_it_ends_or_is_given_back() {
        for store in stores().await {
            let other = store.other_process().await;
            let alone = store.dialect() == crate::dialect::Dialect::Sqlite;
            assert!(store.lease("push", 60_000).await.unwrap());
            assert!(store.lease("push", 60_000).await.unwrap(), "it may be kept");
            assert!(store.lease("search", 60_000).await.unwrap());
            assert_eq!(other.lease("push", 60_000).await.unwrap(), alone);
            other.end_lease("search").await.unwrap();
            assert_eq!(other.lease("search", 60_000).await.unwrap(), alone, "only its holder gives it back");
            store.end_lease("push").await.unwrap();
            assert!(other.lease("push", 1).await.unwrap());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            assert!(store.lease("push", 60_000).await.unwrap(), "it ended");
            other.close().await;
            store.close().await;
        }
    }
}
