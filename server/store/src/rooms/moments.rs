//! Finding one event: by a date, by its id alone.

use crate::db::Source;
use crate::value::{Value, text_set, triple_set};
use kontor_model::{Ms, Nid, Result};

/// Places of a room are far below this, and JSON numbers are exact up to it.
const FAR: i64 = 1 << 53;

/// Which event is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The room.
    pub room: Nid,
    /// The date, by the senders' clocks.
    pub ts: Ms,
    /// Whether the newest event before the date is looked for, else the oldest one after it.
    pub backward: bool,
    /// The parts of the room that are looked at, as `(after, until]`.
    pub ranges: &'a [(i64, i64)],
}

macro_rules! closest {
    ($side:literal, $order:literal) => {
        concat!(
            "SELECT e.event_nid FROM event e WHERE e.room_nid = $1 AND e.origin_ts ",
            $side,
            " $2 AND e.ord IS NOT NULL AND EXISTS (SELECT 1 FROM TRIPLE_SET($3) w WHERE e.ord > w.a AND e.ord <= w.b) \
             AND (e.state_key_nid IS NOT NULL OR e.sender_nid NOT IN (SELECT n.nid FROM name n \
             WHERE n.text IN TEXT_SET($4))) ORDER BY ",
            $order,
            " LIMIT 1"
        )
    };
}

/// Numeric id of the event that is closest to a date; messages of some senders are passed over.
///
/// # Errors
/// See [`Source::all`].
pub async fn closest<S: Source, T: AsRef<str>>(
    source: &mut S,
    moment: Moment<'_>,
    without: impl IntoIterator<Item = T>,
) -> Result<Option<Nid>> {
    let sql = if moment.backward {
        closest!("<=", "e.origin_ts DESC, e.ord DESC")
    } else {
        closest!(">=", "e.origin_ts, e.ord")
    };
    let ranges = moment.ranges.iter().map(|(after, until)| (*after.max(&-FAR), *until.min(&FAR), 0));
    let values: Vec<Value> =
        vec![moment.room.into(), moment.ts.into(), triple_set(ranges), text_set(without)];
    source.first(sql, values).await?.map(|row| row.int(0)).transpose()
}

/// The room that an event is in, Matrix id; none for events that have no place in theirs.
///
/// # Errors
/// See [`Source::all`].
pub async fn room_of<S: Source>(source: &mut S, event_id: &str) -> Result<Option<String>> {
    let sql = "SELECT r.room_id FROM event e JOIN room r ON r.room_nid = e.room_nid \
               WHERE e.event_id = $1 AND e.ord IS NOT NULL";
    source.first(sql, vec![event_id.into()]).await?.map(|row| row.text(0)).transpose()
}
