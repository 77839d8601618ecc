//! Plain messages: events that are nothing but news for those who are in the room.

use super::events::{self, Asker, EventRow};
use crate::db::Source;
use kontor_model::{Nid, Result};

/// A message that changes nothing of the room, relates to no other event and was not redacted.
pub struct PlainMessage {
    /// The event.
    pub row: EventRow,
    /// What it means to members with the usual push rules: 1 counts as unread, 2 highlights.
    pub notifies: i64,
    /// Users to whom it means something of their own.
    pub concerns: Vec<Nid>,
}

/// The event at a place of a room, if it is a plain message.
///
/// # Errors
/// See [`Source::all`].
pub async fn at<S: Source>(source: &mut S, room: Nid, ord: i64) -> Result<Option<PlainMessage>> {
    // Nobody asks: transaction ids are shown to the sender alone, who is not told from here.
    let page = events::Page { room, after: ord - 1, until: ord, limit: 1 };
    let row = events::backward(source, Asker { user: 0, device: "" }, page).await?.pop();
    let plain = |row: &EventRow| {
        row.state_key.is_none()
            && row.relates_to.is_none()
            && row.redacted_by.is_none()
            && row.kind != "m.room.redaction"
    };
    let Some(row) = row.filter(plain) else { return Ok(None) };
    let sql = "SELECT e.notifies, n.user_nid FROM event e LEFT JOIN notification n \
               ON n.room_nid = e.room_nid AND n.ord = e.ord WHERE e.room_nid = $1 AND e.ord = $2";
    let rows = source.all(sql, vec![room.into(), ord.into()]).await?;
    let notifies = rows.first().map_or(Ok(0), |row| row.int(0))?;
    let concerns: Result<Vec<_>> = rows.iter().map(|row| row.int_opt(1)).collect();
    Ok(Some(PlainMessage { row, notifies, concerns: concerns?.into_iter().flatten().collect() }))
}
