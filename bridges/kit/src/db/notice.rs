//! Notices with buttons: what a reaction to them is about.

use super::value::text_set;
use super::{Change, Db};
use kontor_model::{Ms, Result};

/// About a dead item.
pub(crate) const DEAD: &str = "dead";
/// About a message of unknown fate.
pub(crate) const UNCERTAIN: &str = "uncertain";

/// Remembers a notice.
pub(crate) fn add(change: &mut Change, channel: &str, event_id: &str, kind: &str, target: i64, now: Ms) {
    change.run(
        "INSERT INTO notice (event_id, channel, kind, target, at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT DO NOTHING",
        vec![event_id.into(), channel.into(), kind.into(), target.into(), now.into()],
    );
}

/// A notice: its event, its kind, what it is about.
pub(crate) type About = (String, String, i64);

/// Which of these events are notices.
///
/// # Errors
/// `Unavailable` when the database is gone; so does the next.
pub(crate) async fn of(db: &Db, channel: &str, events: &[&str]) -> Result<Vec<About>> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT event_id, kind, target FROM notice WHERE event_id IN TEXT_SET($1) AND channel = $2";
    let rows = db.all(sql, vec![text_set(events), channel.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.int(2)?))).collect()
}

/// Forgets old ones.
pub(crate) async fn purge(db: &Db, channel: &str, before: Ms) -> Result<()> {
    let sql = "DELETE FROM notice WHERE event_id IN \
               (SELECT event_id FROM notice WHERE channel = $1 AND at < $2 LIMIT 500)";
    db.run(sql, vec![channel.into(), before.into()]).await.map(drop)
}
