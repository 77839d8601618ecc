//! What is to leave the house and is not in the log: written in the transaction of its cause,
//! delivered later, at least once.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use kontor_model::{Ms, Nid, Result};

/// Something to be delivered.
#[derive(Clone, Debug)]
pub struct OutboxRow {
    /// Numeric id.
    pub outbox: Nid,
    /// What to deliver, JSON; its form is the kind's business.
    pub payload: String,
    /// When it was written.
    pub created_ts: Ms,
    /// When it is of no use any more.
    pub expires_ts: Ms,
    /// How often it was tried.
    pub attempt: i64,
}

/// The oldest of a kind that may be tried now.
///
/// # Errors
/// See [`Source::all`].
pub async fn due<S: Source>(source: &mut S, kind: &str, now: Ms, limit: i64) -> Result<Vec<OutboxRow>> {
    let sql = "SELECT outbox_nid, payload, created_ts, expires_ts, attempt FROM outbox \
               WHERE kind = $1 AND next_ts <= $2 ORDER BY next_ts LIMIT $3";
    let rows = source.all(sql, vec![kind.into(), now.into(), limit.into()]).await?;
    let read = |row: &crate::Row| {
        Ok(OutboxRow {
            outbox: row.int(0)?,
            payload: row.text(1)?,
            created_ts: row.int(2)?,
            expires_ts: row.int(3)?,
            attempt: row.int(4)?,
        })
    };
    rows.iter().map(read).collect()
}

impl Change {
    /// Lays something out for delivery.
    pub fn put_outbox(&mut self, outbox: Nid, kind: &'static str, payload: &str, now: Ms, expires_ts: Ms) {
        self.insert(
            Table::Outbox,
            vec![
                outbox.into(),
                kind.into(),
                payload.into(),
                now.into(),
                expires_ts.into(),
                now.into(),
                0_i64.into(),
            ],
        );
    }

    /// It was delivered, or never will be.
    pub fn drop_outbox(&mut self, outbox: Nid) {
        self.run("DELETE FROM outbox WHERE outbox_nid = $1", vec![outbox.into()]);
    }

    /// It is to be tried again, not before a moment.
    pub fn delay_outbox(&mut self, outbox: Nid, next_ts: Ms) {
        let sql = "UPDATE outbox SET next_ts = $2, attempt = attempt + 1 WHERE outbox_nid = $1";
        self.run(sql, vec![outbox.into(), next_ts.into()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn what_is_laid_out_is_found_when_it_is_time_until_it_is_dropped() {
        for store in testing::stores().await {
            let nid = store.nid().await.unwrap();
            let mut change = Change::default();
            change.put_outbox(nid, "mail", "{}", 100, 900);
            store.submit(change).await.unwrap();
            assert!(due(&mut store.reader(), "mail", 99, 10).await.unwrap().is_empty());
            assert!(due(&mut store.reader(), "call", 100, 10).await.unwrap().is_empty());
            let found = due(&mut store.reader(), "mail", 100, 10).await.unwrap();
            assert_eq!((found.len(), found[0].attempt, found[0].expires_ts), (1, 0, 900));
            let mut change = Change::default();
            change.delay_outbox(nid, 500);
            store.submit(change).await.unwrap();
            assert!(due(&mut store.reader(), "mail", 499, 10).await.unwrap().is_empty());
            assert_eq!(due(&mut store.reader(), "mail", 500, 10).await.unwrap()[0].attempt, 1);
            let mut change = Change::default();
            change.drop_outbox(nid);
            store.submit(change).await.unwrap();
            assert!(due(&mut store.reader(), "mail", 500, 10).await.unwrap().is_empty());
            store.close().await;
        }
    }
}
