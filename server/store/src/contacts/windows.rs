//! Until when networks take answers in conversations.

use crate::Change;
use crate::db::Source;
use crate::value::{Row, text_set};
use kontor_model::{Ms, Result};

/// The window of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowRow {
    /// The conversation.
    pub conversation: String,
    /// How long answers are taken after the customer wrote.
    pub window: Ms,
    /// When the customer wrote last.
    pub last: Ms,
    /// What those backstage know: 0 nothing, 1 open, 2 little time is left, 3 closed.
    pub told: i64,
}

impl WindowRow {
    /// When it closes.
    pub fn until(&self) -> Ms {
        self.last.saturating_add(self.window)
    }
}

fn read(row: &Row) -> Result<WindowRow> {
    Ok(WindowRow { conversation: row.text(0)?, window: row.int(1)?, last: row.int(2)?, told: row.int(3)? })
}

/// Conversations of whose window there is something to tell.
///
/// # Errors
/// See [`Source::all`].
pub async fn due<S: Source>(source: &mut S, now: Ms, limit: i64) -> Result<Vec<WindowRow>> {
    let sql = "SELECT conversation_id, window_ms, last_ts, told FROM conversation_window \
               WHERE next_ts <= $1 ORDER BY next_ts LIMIT $2";
    source.all(sql, vec![now.into(), limit.into()]).await?.iter().map(read).collect()
}

/// The windows of some conversations.
///
/// # Errors
/// See [`Source::all`].
pub async fn of<S: Source>(source: &mut S, conversations: &[&str]) -> Result<Vec<WindowRow>> {
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT conversation_id, window_ms, last_ts, told FROM conversation_window \
               WHERE conversation_id IN TEXT_SET($1)";
    source.all(sql, vec![text_set(conversations)]).await?.iter().map(read).collect()
}

impl Change {
    /// The network takes answers in a conversation for this long; when the customer wrote, the message tells.
    pub fn set_window(&mut self, conversation: &str, window: Ms) {
        let sql = "INSERT INTO conversation_window (conversation_id, window_ms, last_ts, told, next_ts) \
                   VALUES ($1, $2, 0, 0, NULL) ON CONFLICT (conversation_id) \
                   DO UPDATE SET window_ms = excluded.window_ms";
        self.run(sql, vec![conversation.into(), window.into()]);
    }

    /// The customer wrote: the window, if there is one, begins anew. Who knows that it is open needs to hear
    /// nothing until little time is left.
    pub fn renew_window(&mut self, conversation: &str, at: Ms, now: Ms) {
        let sql = "UPDATE conversation_window SET last_ts = $2, \
                   next_ts = CASE WHEN told = 1 THEN $2 + window_ms - window_ms / 12 ELSE $3 END \
                   WHERE conversation_id = $1 AND last_ts < $2";
        self.run(sql, vec![conversation.into(), at.into(), now.into()]);
    }

    /// Those backstage know how a window stands; the next news is at `next`. Refused with `Conflict` when the
    /// customer wrote meanwhile, or another process told it.
    pub fn told_window(&mut self, row: &WindowRow, told: i64, next: Option<Ms>) {
        let sql = "UPDATE conversation_window SET told = $4, next_ts = $5 \
                   WHERE conversation_id = $1 AND last_ts = $2 AND told = $3";
        let values = vec![
            row.conversation.as_str().into(),
            row.last.into(),
            row.told.into(),
            told.into(),
            next.into(),
        ];
        self.guard(sql, values);
    }
}
