//! Those who follow the log: what changed after a place, and how far the work got.

use crate::change::LogRow;
use crate::db::Source;
use crate::log::Entry;
use crate::{Change, Stream};
use kontor_model::{Pos, Result};

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

impl Change {
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
}
