//! Those who follow the log: what changed after a place, and how far the work got.

use crate::change::LogRow;
use crate::db::Source;
use crate::log::Entry;
use crate::table::Table;
use crate::{Change, Stream};
use kontor_model::{Ms, Pos, Result};

/// The position up to which a follower has done the work; `None` before its first step.
///
/// # Errors
/// See [`Source::all`].
pub async fn position<S: Source>(source: &mut S, name: &str) -> Result<Option<Pos>> {
    let row = source.first("SELECT pos FROM follower WHERE name = $1", vec![name.into()]).await?;
    row.map(|row| Ok(Pos(row.int(0)?))).transpose()
}

/// What changed after a position, oldest first, as far as it is still known. For followers that are
/// further behind than [`crate::log::Log::between`] remembers.
///
/// # Errors
/// See [`Source::all`].
pub async fn changes_after<S: Source>(source: &mut S, after: Pos, limit: i64) -> Result<Vec<Entry>> {
    let sql = "SELECT position, stream, room_nid, user_nid FROM stream_log \
               WHERE position > $1 ORDER BY position LIMIT $2";
    let rows = source.all(sql, vec![after.0.into(), limit.into()]).await?;
    let read = |row: &crate::Row| {
        let stream = Stream::from_number(row.int(1)?).unwrap_or(Stream::Event);
        let row_of = LogRow { stream, room: row.int_opt(2)?, user: row.int_opt(3)? };
        Ok(Entry { pos: row.int(0)?, row: row_of })
    };
    rows.iter().map(read).collect()
}

/// The name by which the work for an application service is known.
pub fn service_follower(id: &str) -> String {
    format!("appservice:{id}")
}

/// What is being handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerTxn {
    /// Its name.
    pub txn_id: String,
    /// It holds everything up to here.
    pub to: Pos,
    /// What is sent, byte for byte.
    pub body: Vec<u8>,
    /// When it was made.
    pub created_ts: Ms,
}

/// What a follower is handing over, if anything.
///
/// # Errors
/// See [`Source::all`].
pub async fn pending<S: Source>(source: &mut S, name: &str) -> Result<Option<FollowerTxn>> {
    let sql = "SELECT txn_id, to_pos, body, created_ts FROM follower_txn WHERE follower = $1";
    let row = source.first(sql, vec![name.into()]).await?;
    let read = |row: crate::Row| {
        Ok(FollowerTxn {
            txn_id: row.text(0)?,
            to: Pos(row.int(1)?),
            body: row.blob(2)?,
            created_ts: row.int(3)?,
        })
    };
    row.map(read).transpose()
}

/// Names of the followers that belong to application services.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_services<S: Source>(source: &mut S) -> Result<Vec<String>> {
    let sql = "SELECT name FROM follower WHERE name LIKE 'appservice:%' ORDER BY name";
    source.all(sql, Vec::new()).await?.iter().map(|row| row.text(0)).collect()
}

impl Change {
    /// Lets a follower begin at a position, unless it began before.
    pub fn begin_follower(&mut self, name: &str, pos: Pos) {
        self.run(
            "INSERT INTO follower (name, pos) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            vec![name.into(), pos.0.into()],
        );
    }

    /// Forgets a follower and what it hands over.
    pub fn end_follower(&mut self, name: &str) {
        self.run("DELETE FROM follower WHERE name = $1", vec![name.into()]);
        self.run("DELETE FROM follower_txn WHERE follower = $1", vec![name.into()]);
    }

    /// Moves a follower that is there from one position to another; refused with `Conflict` when
    /// somebody else moved it or forgot it.
    pub fn move_follower(&mut self, name: &str, from: Pos, to: Pos) {
        let sql = "UPDATE follower SET pos = $3 WHERE name = $1 AND pos = $2";
        self.guard(sql, vec![name.into(), from.0.into(), to.0.into()]);
    }

    /// Keeps what a follower is about to hand over. Refused with `Conflict` when the follower is not at
    /// this position any more, or is handing something over already.
    pub fn keep_txn(&mut self, name: &str, at: Pos, txn: &FollowerTxn) {
        self.move_follower(name, at, at);
        self.insert(
            Table::FollowerTxn,
            vec![
                name.into(),
                txn.txn_id.as_str().into(),
                txn.to.0.into(),
                txn.body.as_slice().into(),
                txn.created_ts.into(),
            ],
        );
    }

    /// What a follower handed over was taken. Refused with `Conflict` when somebody else noted that.
    pub fn acknowledge_txn(&mut self, name: &str, from: Pos, txn_id: &str, to: Pos) {
        let sql = "DELETE FROM follower_txn WHERE follower = $1 AND txn_id = $2";
        self.guard(sql, vec![name.into(), txn_id.into()]);
        self.move_follower(name, from, to);
    }

    /// Notes up to which position a follower has done the work; never backwards.
    pub fn follow_to(&mut self, name: &str, pos: Pos) {
        self.run(
            "INSERT INTO follower (name, pos) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE \
             SET pos = excluded.pos WHERE follower.pos < excluded.pos",
            vec![name.into(), pos.0.into()],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    #[tokio::test]
    async fn a_follower_goes_on_where_it_was_and_never_back() {
        for store in stores().await {
            let mut reader = store.reader();
            assert_eq!(position(&mut reader, "push").await.unwrap(), None);
            let mut change = Change::default();
            for user in 1..=5 {
                change.position(Stream::AccountData, None, Some(user));
            }
            change.follow_to("push", Pos(3));
            store.submit(change).await.unwrap();
            let mut change = Change::default();
            change.follow_to("push", Pos(2));
            store.submit(change).await.unwrap();
            let at = position(&mut reader, "push").await.unwrap().unwrap();
            assert_eq!(at, Pos(3));
            let rest = changes_after(&mut reader, at, 10).await.unwrap();
            assert_eq!(rest.iter().map(|entry| entry.row.user).collect::<Vec<_>>(), [Some(4), Some(5)]);
            assert_eq!(changes_after(&mut reader, Pos(0), 2).await.unwrap().len(), 2);
            store.close().await;
        }
    }

    #[tokio::test]
    async fn what_is_handed_over_stays_the_same_until_it_was_taken_and_is_one() {
        for store in stores().await {
            let mut reader = store.reader();
            let txn = |id: &str, to| FollowerTxn {
                txn_id: id.into(),
                to: Pos(to),
                body: b"{\"n\":1}".to_vec(),
                created_ts: 7,
            };
            let submit = async |act: &dyn Fn(&mut Change)| {
                let mut change = Change::default();
                act(&mut change);
                store.submit(change).await.map(|_| ())
            };
            let name = service_follower("irc");
            submit(&|change| change.begin_follower(&name, Pos(3))).await.unwrap();
            submit(&|change| change.begin_follower(&name, Pos(9))).await.unwrap();
            assert_eq!(position(&mut reader, &name).await.unwrap(), Some(Pos(3)), "it began before");
            submit(&|change| change.keep_txn(&name, Pos(3), &txn("a", 5))).await.unwrap();
            assert_eq!(pending(&mut reader, &name).await.unwrap(), Some(txn("a", 5)));
            let second = submit(&|change| change.keep_txn(&name, Pos(3), &txn("b", 6))).await;
            assert!(second.unwrap_err().is_conflict());
            submit(&|change| change.acknowledge_txn(&name, Pos(3), "a", Pos(5))).await.unwrap();
            let again = submit(&|change| change.acknowledge_txn(&name, Pos(3), "a", Pos(5))).await;
            assert!(again.unwrap_err().is_conflict());
            let late = submit(&|change| change.keep_txn(&name, Pos(3), &txn("c", 6))).await;
            assert!(late.unwrap_err().is_conflict(), "somebody else moved on");
            assert_eq!(pending(&mut reader, &name).await.unwrap(), None);
            assert_eq!(of_services(&mut reader).await.unwrap(), std::slice::from_ref(&name));
            submit(&|change| change.end_follower(&name)).await.unwrap();
            assert!(of_services(&mut reader).await.unwrap().is_empty());
            store.close().await;
        }
    }
}
