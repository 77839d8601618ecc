//! Who is still to come into the rooms of conversations, and who is to leave them.
//!
//! What is read here grows with what changed, never with the number of conversations: a new member walks through
//! those that were there before, step by step, and every other gap is named in `conversation_due` by what opened it.

use crate::db::Source;
use crate::value::{Row, text_set};
use crate::{Change, Store};
use kontor_model::{Ms, Nid, Result};

/// A room that somebody is to be brought into, or taken out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The conversation.
    pub conversation: String,
    /// The room, Matrix id.
    pub room_id: String,
    /// The user, Matrix id.
    pub user_id: String,
}

fn moved(row: &Row) -> Result<Move> {
    Ok(Move { conversation: row.text(0)?, room_id: row.text(1)?, user_id: row.text(2)? })
}

/// A member on the way through the conversations that were there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The channel.
    pub channel: String,
    /// Who.
    pub user: Nid,
    /// The last conversation that was looked at.
    pub at: String,
}

pub(super) const WALKS: &str = "SELECT channel_id, user_nid, entered FROM channel_member WHERE entered IS NOT NULL \
    ORDER BY channel_id, user_nid LIMIT $1";

/// Members who are on their way.
///
/// # Errors
/// See [`Source::all`].
pub async fn walks<S: Source>(source: &mut S, limit: i64) -> Result<Vec<Walk>> {
    let read = |row: &Row| Ok(Walk { channel: row.text(0)?, user: row.int(1)?, at: row.text(2)? });
    source.all(WALKS, vec![limit.into()]).await?.iter().map(read).collect()
}

pub(super) const AHEAD: &str = "SELECT conversation_id FROM conversation WHERE channel_id = $1 AND conversation_id > $2 \
    ORDER BY conversation_id LIMIT $3";

/// The next conversations on a member's way, whether they are closed or not.
///
/// # Errors
/// See [`Source::all`].
pub async fn ahead<S: Source>(source: &mut S, walk: &Walk, limit: i64) -> Result<Vec<String>> {
    let values = vec![walk.channel.as_str().into(), walk.at.as_str().into(), limit.into()];
    source.all(AHEAD, values).await?.iter().map(|row| row.text(0)).collect()
}

/// A conversation in whose rooms somebody may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its id.
    pub conversation: String,
    /// How often it was tried in vain.
    pub tries: i64,
    /// Moves when it becomes due again.
    pub turn: i64,
}

pub(super) const DUE: &str =
    "SELECT conversation_id, tries, turn FROM conversation_due WHERE next_ts <= $1 ORDER BY next_ts LIMIT $2";

/// Conversations that are due.
///
/// # Errors
/// See [`Source::all`].
pub async fn due<S: Source>(source: &mut S, now: Ms, limit: i64) -> Result<Vec<Due>> {
    let read = |row: &Row| Ok(Due { conversation: row.text(0)?, tries: row.int(1)?, turn: row.int(2)? });
    source.all(DUE, vec![now.into(), limit.into()]).await?.iter().map(read).collect()
}

pub(super) const MISSING: &str = "SELECT v.conversation_id, r.room_id, n.text FROM conversation v \
    JOIN channel_member c ON c.channel_id = v.channel_id AND c.leaving = 0 \
    JOIN account a ON a.user_nid = c.user_nid AND a.state <> 'deactivated' \
    JOIN room r ON r.room_nid IN (v.room_nid, v.backstage_nid) JOIN name n ON n.nid = c.user_nid \
    LEFT JOIN membership m ON m.room_nid = r.room_nid AND m.user_nid = c.user_nid \
    WHERE v.conversation_id IN TEXT_SET($1) AND v.status <> 'closed' \
    AND (m.membership IS NULL OR (m.membership = 'leave' AND m.sender_nid = $2)) \
    UNION SELECT v.conversation_id, r.room_id, n.text FROM conversation v \
    JOIN account a ON a.user_nid = v.assignee_nid AND a.state <> 'deactivated' \
    JOIN room r ON r.room_nid IN (v.room_nid, v.backstage_nid) JOIN name n ON n.nid = v.assignee_nid \
    LEFT JOIN membership m ON m.room_nid = r.room_nid AND m.user_nid = v.assignee_nid \
    WHERE v.conversation_id IN TEXT_SET($1) AND v.status <> 'closed' AND m.membership IS NULL";

/// Who is missing in the rooms of some conversations, unless they are closed: members of the channel who never were
/// there, or whom the company's own user took out, and those who have the conversation and never were there. Closed
/// accounts are nobody's members.
///
/// # Errors
/// See [`Source::all`].
pub async fn missing<S: Source>(source: &mut S, service: Nid, conversations: &[&str]) -> Result<Vec<Move>> {
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    source.all(MISSING, vec![text_set(conversations), service.into()]).await?.iter().map(moved).collect()
}

pub(super) const LEAVING: &str = "SELECT v.conversation_id, r.room_id, n.text FROM channel_member c \
    CROSS JOIN membership m CROSS JOIN conversation v CROSS JOIN room r CROSS JOIN name n \
    WHERE c.leaving = 1 AND m.user_nid = c.user_nid AND m.membership IN ('join', 'invite') \
    AND (v.room_nid = m.room_nid OR v.backstage_nid = m.room_nid) AND v.channel_id = c.channel_id \
    AND r.room_nid = m.room_nid AND n.nid = c.user_nid LIMIT $1";

/// Those who were taken out of channels, in rooms of the channel's conversations where they still are. Read from
/// the side of the user's rooms, of which there are fewer each time.
///
/// # Errors
/// See [`Source::all`].
pub async fn leaving<S: Source>(source: &mut S, limit: i64) -> Result<Vec<Move>> {
    source.all(LEAVING, vec![limit.into()]).await?.iter().map(moved).collect()
}

impl Change {
    /// Has the sweep look whether everybody is in the rooms of a conversation.
    pub fn mind_conversation(&mut self, id: &str, now: Ms) {
        let sql = "INSERT INTO conversation_due (conversation_id, next_ts, tries, turn) VALUES ($1, $2, 0, 1) \
                   ON CONFLICT (conversation_id) DO UPDATE SET next_ts = excluded.next_ts, tries = 0, \
                   turn = conversation_due.turn + 1";
        self.run(sql, vec![id.into(), now.into()]);
    }

    /// Everybody is in the rooms of a conversation, unless it became due again meanwhile.
    pub fn settle_conversation(&mut self, due: &Due) {
        let sql = "DELETE FROM conversation_due WHERE conversation_id = $1 AND turn = $2";
        self.run(sql, vec![due.conversation.as_str().into(), due.turn.into()]);
    }

    /// A conversation is looked at again later, unless it became due again meanwhile.
    pub fn postpone_conversation(&mut self, due: &Due, until: Ms) {
        let sql = "UPDATE conversation_due SET next_ts = $3, tries = tries + 1 \
                   WHERE conversation_id = $1 AND turn = $2";
        self.run(sql, vec![due.conversation.as_str().into(), due.turn.into(), until.into()]);
    }

    /// A member has come as far as a conversation, or to the end; refused with `Conflict` when another process
    /// was there first.
    pub fn walk_on(&mut self, walk: &Walk, to: Option<&str>) {
        let sql =
            "UPDATE channel_member SET entered = $4 WHERE channel_id = $1 AND user_nid = $2 AND entered = $3";
        let values = vec![walk.channel.as_str().into(), walk.user.into(), walk.at.as_str().into(), to.into()];
        self.guard(sql, values);
    }

    /// Forgets those who were taken out and are in no room of their channel any more.
    pub fn forget_gone_members(&mut self) {
        let sql = "DELETE FROM channel_member WHERE leaving = 1 AND NOT EXISTS (SELECT 1 FROM membership m \
                   CROSS JOIN conversation v WHERE m.user_nid = channel_member.user_nid \
                   AND m.membership IN ('join', 'invite') \
                   AND (v.room_nid = m.room_nid OR v.backstage_nid = m.room_nid) \
                   AND v.channel_id = channel_member.channel_id)";
        self.run(sql, Vec::new());
    }
}

impl Store {
    /// Whether somebody was taken out of a channel and may still be in its rooms.
    ///
    /// # Errors
    /// See [`Source::all`].
    pub async fn has_leaving_members(&self) -> Result<bool> {
        let sql = "SELECT 1 FROM channel_member WHERE leaving = 1 LIMIT 1";
        Ok(self.reader().first(sql, Vec::new()).await?.is_some())
    }
}
