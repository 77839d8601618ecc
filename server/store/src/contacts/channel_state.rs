//! Pauses of channels, and the way of what people are told of a channel through the rooms of its conversations.

use crate::Change;
use crate::db::Source;
use crate::value::Row;
use kontor_model::{Ms, Nid, Result};

/// What is known of a channel besides its own row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRow {
    /// The channel.
    pub channel: String,
    /// Since when it is paused.
    pub paused_since: Option<Ms>,
    /// What people are told, JSON.
    pub told: String,
    /// Names the notice to administrators.
    pub notice: Nid,
    /// The last conversation that was told; none when all were.
    pub walk: Option<String>,
}

/// Of all channels that there is something to say about.
///
/// # Errors
/// See [`Source::all`].
pub async fn all<S: Source>(source: &mut S) -> Result<Vec<StateRow>> {
    let sql = "SELECT channel_id, paused_ts, told, notice_nid, walk FROM channel_state ORDER BY channel_id";
    let read = |row: &Row| {
        Ok(StateRow {
            channel: row.text(0)?,
            paused_since: row.int_opt(1)?,
            told: row.text(2)?,
            notice: row.int(3)?,
            walk: row.text_opt(4)?,
        })
    };
    source.all(sql, Vec::new()).await?.iter().map(read).collect()
}

/// Since when a channel is paused, if it is.
///
/// # Errors
/// See [`Source::all`].
pub async fn paused<S: Source>(source: &mut S, channel: &str) -> Result<Option<Ms>> {
    let sql = "SELECT paused_ts FROM channel_state WHERE channel_id = $1";
    source.first(sql, vec![channel.into()]).await?.map_or(Ok(None), |row| row.int_opt(0))
}

/// A conversation on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    /// Its id.
    pub conversation: String,
    /// The company's account that the customer writes to.
    pub account: String,
    /// The backstage room, Matrix id.
    pub room_id: String,
    /// Language: the contact's, else the channel's.
    pub language: Option<String>,
}

/// The next conversations of a channel that are not closed.
///
/// # Errors
/// See [`Source::all`].
pub async fn ahead<S: Source>(source: &mut S, channel: &str, at: &str, limit: i64) -> Result<Vec<Affected>> {
    let sql = "SELECT v.conversation_id, i.account, r.room_id, coalesce(t.language, c.language) \
               FROM conversation v JOIN room r ON r.room_nid = v.backstage_nid \
               JOIN contact_identity i ON i.identity_nid = v.identity_nid \
               JOIN contact t ON t.contact_id = i.contact_id LEFT JOIN channel c ON c.channel_id = v.channel_id \
               WHERE v.channel_id = $1 AND v.conversation_id > $2 AND v.status <> 'closed' \
               ORDER BY v.conversation_id LIMIT $3";
    let read = |row: &Row| {
        Ok(Affected {
            conversation: row.text(0)?,
            account: row.text(1)?,
            room_id: row.text(2)?,
            language: row.text_opt(3)?,
        })
    };
    source.all(sql, vec![channel.into(), at.into(), limit.into()]).await?.iter().map(read).collect()
}

/// Administrators: numeric ids and Matrix ids.
///
/// # Errors
/// See [`Source::all`].
pub async fn administrators<S: Source>(source: &mut S) -> Result<Vec<(Nid, String)>> {
    let sql = "SELECT a.user_nid, n.text FROM account a JOIN name n ON n.nid = a.user_nid \
               WHERE a.admin = 1 AND a.state = 'active' ORDER BY a.user_nid LIMIT 100";
    source.all(sql, Vec::new()).await?.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

impl Change {
    /// Pauses a channel, or lets it go on. It is refused with `Conflict` without such a channel.
    pub fn pause_channel(&mut self, channel: &str, since: Option<Ms>, notice: Nid) {
        let sql = "INSERT INTO channel_state (channel_id, paused_ts, told, notice_nid, walk) \
                   SELECT channel_id, $2, '{}', $3, NULL FROM channel WHERE channel_id = $1 \
                   ON CONFLICT (channel_id) DO UPDATE SET paused_ts = excluded.paused_ts";
        self.guard(sql, vec![channel.into(), since.into(), notice.into()]);
    }

    /// People are to be told something else of a channel from now on: `before` is what they were told.
    /// Refused with `Conflict` when another process was there first.
    pub fn tell_of_channel(&mut self, channel: &str, before: Option<&str>, told: &str, notice: Nid) {
        let Some(before) = before else {
            let sql = "INSERT INTO channel_state (channel_id, paused_ts, told, notice_nid, walk) \
                       VALUES ($1, NULL, $2, $3, '') ON CONFLICT (channel_id) DO NOTHING";
            return self.guard(sql, vec![channel.into(), told.into(), notice.into()]);
        };
        let sql = "UPDATE channel_state SET told = $3, notice_nid = $4, walk = '' \
                   WHERE channel_id = $1 AND told = $2";
        self.guard(sql, vec![channel.into(), before.into(), told.into(), notice.into()]);
    }

    /// Goes on from one conversation to the next, or to the end.
    pub fn walk_channel(&mut self, row: &StateRow, to: Option<&str>) {
        let sql = "UPDATE channel_state SET walk = $4 WHERE channel_id = $1 AND told = $2 AND walk = $3";
        let from = row.walk.clone().unwrap_or_default();
        self.guard(sql, vec![row.channel.as_str().into(), row.told.as_str().into(), from.into(), to.into()]);
    }

    /// Forgets a channel that is none any more, once everybody was told.
    pub fn forget_channel_state(&mut self, channel: &str) {
        let sql = "DELETE FROM channel_state WHERE channel_id = $1 AND walk IS NULL \
                   AND NOT EXISTS (SELECT 1 FROM channel WHERE channel_id = $1)";
        self.run(sql, vec![channel.into()]);
    }
}
