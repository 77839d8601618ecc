//! Account data: what users' clients keep on the server, for all rooms or for one.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, id_set};
use crate::{Change, Stream};
use kontor_model::{Nid, Pos, Result};

/// One piece of account data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountData {
    /// The room that it belongs to, if it belongs to one.
    pub room: Option<Nid>,
    /// Its type.
    pub kind: String,
    /// Its content, a JSON object.
    pub content: String,
    /// Where it was last written.
    pub pos: i64,
}

/// Stands for "no room" in the table, whose key cannot hold NULL.
const NO_ROOM: Nid = 0;

fn read(row: &Row) -> Result<AccountData> {
    let room = Some(row.int(0)?).filter(|room| *room != NO_ROOM);
    Ok(AccountData { room, kind: row.text(1)?, content: row.text(2)?, pos: row.int(3)? })
}

/// One piece.
///
/// # Errors
/// See [`Source::all`].
pub async fn one<S: Source>(
    source: &mut S,
    user: Nid,
    room: Option<Nid>,
    kind: &str,
) -> Result<Option<AccountData>> {
    let sql = "SELECT room_nid, type, content, pos FROM account_data \
               WHERE user_nid = $1 AND room_nid = $2 AND type = $3";
    let values = vec![user.into(), room.unwrap_or(NO_ROOM).into(), kind.into()];
    source.first(sql, values).await?.as_ref().map(read).transpose()
}

/// What changed in `(since, until]`, of all rooms and of none, in one statement.
///
/// # Errors
/// See [`Source::all`].
pub async fn since<S: Source>(source: &mut S, user: Nid, since: Pos, until: Pos) -> Result<Vec<AccountData>> {
    let sql = "SELECT room_nid, type, content, pos FROM account_data \
               WHERE user_nid = $1 AND pos > $2 AND pos <= $3 ORDER BY pos";
    let values = vec![user.into(), since.0.into(), until.0.into()];
    source.all(sql, values).await?.iter().map(read).collect()
}

/// All that belongs to some rooms: for rooms that are new to a client.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_rooms<S: Source>(source: &mut S, user: Nid, rooms: &[Nid]) -> Result<Vec<AccountData>> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT room_nid, type, content, pos FROM account_data \
               WHERE user_nid = $1 AND room_nid IN ID_SET($2) ORDER BY pos";
    let values = vec![user.into(), id_set(rooms.iter().copied())];
    source.all(sql, values).await?.iter().map(read).collect()
}

/// How many types other than `kind` are set, for one room or for none.
///
/// # Errors
/// See [`Source::all`].
pub async fn count_others<S: Source>(
    source: &mut S,
    user: Nid,
    room: Option<Nid>,
    kind: &str,
) -> Result<i64> {
    let sql = "SELECT count(*) FROM account_data WHERE user_nid = $1 AND room_nid = $2 AND type <> $3";
    let values = vec![user.into(), room.unwrap_or(NO_ROOM).into(), kind.into()];
    source.first(sql, values).await?.map_or(Ok(0), |row| row.int(0))
}

impl Change {
    /// Sets one piece; `content` is a JSON object.
    pub fn set_account_data(&mut self, user: Nid, room: Option<Nid>, kind: &str, content: &str) {
        // Not the room's topic: nobody but the user sees it.
        let pos = self.position(Stream::AccountData, None, Some(user));
        let room = room.unwrap_or(NO_ROOM);
        self.insert(Table::AccountData, vec![user.into(), room.into(), kind.into(), content.into(), pos]);
    }

    /// Refuses the change with `Conflict` unless the piece is still as it was read (`found`).
    pub fn expect_account_data(
        &mut self,
        user: Nid,
        room: Option<Nid>,
        kind: &str,
        found: Option<&AccountData>,
    ) {
        let mut key = vec![user.into(), room.unwrap_or(NO_ROOM).into(), kind.into()];
        match found {
            Some(found) => {
                key.push(found.pos.into());
                let sql = "UPDATE account_data SET pos = pos \
                           WHERE user_nid = $1 AND room_nid = $2 AND type = $3 AND pos = $4";
                self.guard(sql, key);
            }
            None => {
                // The row is a place holder that the change's own row replaces.
                let sql = "INSERT INTO account_data (user_nid, room_nid, type, content, pos) \
                           VALUES ($1, $2, $3, '{}', 0) ON CONFLICT DO NOTHING";
                self.guard(sql, key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    #[tokio::test]
    async fn changes_are_found_by_position_and_nobody_elses_among_them() {
        for store in stores().await {
            let mut change = Change::default();
            change.set_account_data(1, None, "m.direct", r#"{"a":1}"#);
            change.set_account_data(1, Some(7), "m.tag", r#"{"b":1}"#);
            change.set_account_data(2, None, "m.direct", r#"{"c":1}"#);
            let first = store.submit(change).await.unwrap();
            let mut change = Change::default();
            change.set_account_data(1, None, "m.direct", r#"{"a":2}"#);
            let second = store.submit(change).await.unwrap();
            let mut reader = store.reader();
            let all = since(&mut reader, 1, Pos(0), second.last).await.unwrap();
            let kinds: Vec<_> = all.iter().map(|d| (d.room, d.content.as_str())).collect();
            assert_eq!(kinds, [(Some(7), r#"{"b":1}"#), (None, r#"{"a":2}"#)]);
            assert_eq!(since(&mut reader, 1, first.last, second.last).await.unwrap().len(), 1);
            assert_eq!(of_rooms(&mut reader, 1, &[7, 8]).await.unwrap().len(), 1);
            assert_eq!(count_others(&mut reader, 1, None, "x").await.unwrap(), 1);
            store.close().await;
        }
    }

    #[tokio::test]
    async fn of_two_changes_built_on_the_same_piece_one_is_refused() {
        for store in stores().await {
            for found in [false, true] {
                let found = match found {
                    true => one(&mut store.reader(), 1, Some(7), "m.tag").await.unwrap(),
                    false => None,
                };
                let change = |content: &str| {
                    let mut change = Change::default();
                    change.expect_account_data(1, Some(7), "m.tag", found.as_ref());
                    change.set_account_data(1, Some(7), "m.tag", content);
                    change
                };
                assert!(store.submit(change(r#"{"a":1}"#)).await.is_ok());
                assert!(store.submit(change(r#"{"b":1}"#)).await.unwrap_err().is_conflict());
                let stands = one(&mut store.reader(), 1, Some(7), "m.tag").await.unwrap().unwrap();
                assert_eq!(stands.content, r#"{"a":1}"#);
            }
            store.close().await;
        }
    }
}
