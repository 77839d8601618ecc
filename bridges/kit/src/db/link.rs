//! Which message of the network is which event.

use super::{Change, Db};
use kontor_model::Result;

/// Whose a linked message is.
pub(crate) const CUSTOMER: &str = "customer";
/// Of somebody of the company in the network's own application.
pub(crate) const COMPANY: &str = "company";
/// Of an agent here.
pub(crate) const AGENT: &str = "agent";

/// A link to be written.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub remote: String,
    pub part: i64,
    pub event_id: String,
    pub author: &'static str,
}

/// Writes a link; the newest of the same message counts.
pub(crate) fn add(change: &mut Change, channel: &str, lane: &str, link: &Link) {
    change.run(
        "INSERT INTO link (channel, lane, remote, part, event_id, author) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (channel, lane, remote, part) DO UPDATE SET event_id = excluded.event_id",
        vec![
            channel.into(),
            lane.into(),
            (&link.remote).into(),
            link.part.into(),
            (&link.event_id).into(),
            link.author.into(),
        ],
    );
}

/// Removes the links of a message.
pub(crate) fn remove(change: &mut Change, channel: &str, lane: &str, remote: &str) {
    let sql = "DELETE FROM link WHERE channel = $1 AND lane = $2 AND remote = $3";
    change.run(sql, vec![channel.into(), lane.into(), remote.into()]);
}

/// The events of a message, first part first, and whose it is.
///
/// # Errors
/// `Unavailable` when the database is gone; so does the next.
pub(crate) async fn events(
    db: &Db,
    channel: &str,
    lane: &str,
    remote: &str,
) -> Result<Vec<(String, String)>> {
    let sql = "SELECT event_id, author FROM link \
               WHERE channel = $1 AND lane = $2 AND remote = $3 ORDER BY part LIMIT 100";
    let rows = db.all(sql, vec![channel.into(), lane.into(), remote.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// The network's id of an event, and whose it is.
pub(crate) async fn remote(db: &Db, channel: &str, event_id: &str) -> Result<Option<(String, String)>> {
    let sql = "SELECT remote, author FROM link WHERE event_id = $2 AND channel = $1 ORDER BY part LIMIT 1";
    let row = db.first(sql, vec![channel.into(), event_id.into()]).await?;
    row.map(|row| Ok((row.text(0)?, row.text(1)?))).transpose()
}
