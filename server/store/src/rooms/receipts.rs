//! Receipts: how far users read.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, id_set, triple_set};
use crate::{Change, Stream};
use kontor_model::{Ms, Nid, Pos, Result};

/// Where an event stands, as far as receipts care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its place in the room.
    pub ord: i64,
    /// The root of its thread; `None` in the main timeline.
    pub thread: Option<String>,
}

/// The thread of event `e`: its own relation, or that of an event up to two relations away
/// (client-server API, "Threading": three hops in all). Needs [`thread_joins!`].
macro_rules! thread_of {
    () => {
        "CASE WHEN e.rel_type = 'm.thread' THEN e.relates_to WHEN e1.rel_type = 'm.thread' THEN e1.relates_to \
         WHEN e2.rel_type = 'm.thread' THEN e2.relates_to END"
    };
}

/// The tables that [`thread_of!`] reads, given `e`.
macro_rules! thread_joins {
    () => {
        " LEFT JOIN event e1 ON e1.event_id = e.relates_to AND e.rel_type <> 'm.thread' \
         LEFT JOIN event e2 ON e2.event_id = e1.relates_to AND e1.rel_type <> 'm.thread' "
    };
}
pub(super) use {thread_joins, thread_of};

/// Where an event of a room stands. `None` when the room has no such event, or it has no place:
/// it was rejected.
///
/// # Errors
/// See [`Source::all`].
pub async fn place_of_event<S: Source>(source: &mut S, room: Nid, event_id: &str) -> Result<Option<Place>> {
    let sql = concat!(
        "SELECT e.ord, ",
        thread_of!(),
        " FROM event e",
        thread_joins!(),
        "WHERE e.event_id = $1 AND e.room_nid = $2 AND e.ord IS NOT NULL"
    );
    let row = source.first(sql, vec![event_id.into(), room.into()]).await?;
    row.map(|row| Ok(Place { ord: row.int(0)?, thread: row.text_opt(1)? })).transpose()
}

/// Whether a receipt would move forward: the place that it stands at, if there is one.
///
/// # Errors
/// See [`Source::all`].
pub async fn stands_at<S: Source>(
    source: &mut S,
    room: Nid,
    user: Nid,
    kind: &str,
    thread: &str,
) -> Result<Option<i64>> {
    let sql = "SELECT ord FROM receipt WHERE room_nid = $1 AND user_nid = $2 AND kind = $3 AND thread = $4";
    let row = source.first(sql, vec![room.into(), user.into(), kind.into(), thread.into()]).await?;
    row.map(|row| row.int(0)).transpose()
}

/// Rooms in which a user's own receipts moved in `(since, until]`.
///
/// # Errors
/// See [`Source::all`].
pub async fn own_since<S: Source>(source: &mut S, user: Nid, since: Pos, until: Pos) -> Result<Vec<Nid>> {
    let sql = "SELECT DISTINCT room_nid FROM receipt WHERE user_nid = $1 AND pos > $2 AND pos <= $3";
    let rows = source.all(sql, vec![user.into(), since.0.into(), until.0.into()]).await?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// A receipt as it is given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The room.
    pub room: Nid,
    /// Whose receipt.
    pub user_id: String,
    /// `m.read` or `m.read.private`.
    pub kind: String,
    /// `""` unthreaded, `main`, or the thread's root.
    pub thread: String,
    /// The event that was read.
    pub event_id: String,
    /// When, milliseconds.
    pub ts: Ms,
    /// Where it was written.
    pub pos: i64,
}

fn read(row: &Row) -> Result<Receipt> {
    Ok(Receipt {
        room: row.int(0)?,
        user_id: row.text(1)?,
        kind: row.text(2)?,
        thread: row.text(3)?,
        event_id: row.text(4)?,
        ts: row.int(5)?,
        pos: row.int(6)?,
    })
}

/// Receipts that were written at places: public ones as (room, position), private ones as (user,
/// position).
///
/// # Errors
/// See [`Source::all`].
pub async fn at<S: Source>(
    source: &mut S,
    public: &[(Nid, i64)],
    private: &[(Nid, i64)],
) -> Result<Vec<Receipt>> {
    let sql = "SELECT r.room_nid AS c1, n.text AS c2, r.kind AS c3, r.thread AS c4, r.event_id AS c5, r.ts AS c6, r.pos AS c7 \
               FROM TRIPLE_SET($1) w JOIN receipt r ON r.room_nid = w.a AND r.pos = w.b AND r.kind = 'm.read' \
               JOIN name n ON n.nid = r.user_nid UNION ALL \
               SELECT r.room_nid, n.text, r.kind, r.thread, r.event_id, r.ts, r.pos \
               FROM TRIPLE_SET($2) w JOIN receipt r ON r.user_nid = w.a AND r.pos = w.b \
               AND r.kind = 'm.read.private' JOIN name n ON n.nid = r.user_nid";
    let set = |places: &[(Nid, i64)]| triple_set(places.iter().map(|(of, pos)| (*of, *pos, 0)));
    let rows = source.packed(sql, 7, vec![set(public), set(private)]).await?;
    let mut receipts: Vec<Receipt> = rows.iter().map(read).collect::<Result<_>>()?;
    receipts.sort_unstable_by_key(|receipt| receipt.pos);
    Ok(receipts)
}

/// Receipts of some rooms that moved in `(since, until]`, as `user` may see them: everybody's
/// public ones and the user's own private ones.
///
/// # Errors
/// See [`Source::all`].
pub async fn since<S: Source>(
    source: &mut S,
    user: Nid,
    rooms: &[Nid],
    since: Pos,
    until: Pos,
) -> Result<Vec<Receipt>> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT r.room_nid AS c1, n.text AS c2, r.kind AS c3, r.thread AS c4, r.event_id AS c5, r.ts AS c6, r.pos AS c7 \
               FROM ID_SET($1) w \
               JOIN receipt r ON r.room_nid = w.id AND r.pos > $2 AND r.pos <= $3 \
               JOIN name n ON n.nid = r.user_nid \
               WHERE r.kind = 'm.read' OR r.user_nid = $4 ORDER BY r.pos";
    let values = vec![id_set(rooms.iter().copied()), since.0.into(), until.0.into(), user.into()];
    source.packed(sql, 7, values).await?.iter().map(read).collect()
}

/// A receipt to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewReceipt<'a> {
    /// The room.
    pub room: Nid,
    /// Who read.
    pub user: Nid,
    /// `m.read` or `m.read.private`.
    pub kind: &'a str,
    /// `""` unthreaded, `main`, or the thread's root.
    pub thread: &'a str,
    /// The event that was read.
    pub event_id: &'a str,
    /// The event's place in the room.
    pub ord: i64,
    /// When, milliseconds.
    pub ts: Ms,
}

impl Change {
    /// Moves a receipt forward; one that stands further already stays.
    pub fn set_receipt(&mut self, receipt: NewReceipt<'_>) {
        // A private receipt concerns nobody but its owner, so nobody else is woken for it.
        let room = (receipt.kind == "m.read").then_some(receipt.room);
        let pos = self.position(Stream::Receipt, room, Some(receipt.user));
        self.insert(
            Table::Receipt,
            vec![
                receipt.room.into(),
                receipt.user.into(),
                receipt.kind.into(),
                receipt.thread.into(),
                receipt.event_id.into(),
                receipt.ord.into(),
                receipt.ts.into(),
                pos,
            ],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::stores;

    fn receipt<'a>(user: Nid, kind: &'a str, ord: i64) -> NewReceipt<'a> {
        let event_id = if ord == 5 { "$five" } else { "$nine" };
        NewReceipt { room: 7, user, kind, thread: "", event_id, ord, ts: 1 }
    }

    #[tokio::test]
    async fn receipts_never_move_backwards_not_even_within_a_batch() {
        for store in stores().await {
            let user = store.name("@a:x").await.unwrap();
            for order in [[9, 5], [5, 9], [5, 5]] {
                let mut change = Change::default();
                for ord in order {
                    change.set_receipt(receipt(user, "m.read", ord));
                }
                store.submit(change).await.unwrap();
                let stands = stands_at(&mut store.reader(), 7, user, "m.read", "").await.unwrap();
                assert_eq!(stands, Some(9));
            }
            store.close().await;
        }
    }

    #[tokio::test]
    async fn private_receipts_are_given_to_their_owner_only() {
        for store in stores().await {
            let (anna, bert) = (store.name("@a:x").await.unwrap(), store.name("@b:x").await.unwrap());
            let mut change = Change::default();
            change.set_receipt(receipt(anna, "m.read", 5));
            change.set_receipt(receipt(anna, "m.read.private", 9));
            let done = store.submit(change).await.unwrap();
            let mut reader = store.reader();
            let hers = since(&mut reader, anna, &[7, 8], Pos(0), done.last).await.unwrap();
            let his = since(&mut reader, bert, &[7, 8], Pos(0), done.last).await.unwrap();
            assert_eq!((hers.len(), his.len()), (2, 1));
            assert_eq!((his[0].event_id.as_str(), his[0].kind.as_str()), ("$five", "m.read"));
            assert!(since(&mut reader, anna, &[7], done.last, done.last).await.unwrap().is_empty());
            assert!(since(&mut reader, anna, &[8], Pos(0), done.last).await.unwrap().is_empty());
            store.close().await;
        }
    }
}
