//! Conversations as the server itself needs them: at the door of their rooms, in sweeps.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, id_set};
use kontor_model::{Ms, Nid, Result};

/// A conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationRow {
    /// ULID.
    pub id: String,
    /// The contact it belongs to, after all merges.
    pub contact: String,
    /// The delivery address.
    pub identity: Nid,
    /// The channel.
    pub channel: String,
    /// The bridge's own name for it.
    pub lane: String,
    /// The mirrored room.
    pub room: Nid,
    /// Its Matrix id.
    pub room_id: String,
    /// The backstage room.
    pub backstage: Nid,
    /// Its Matrix id.
    pub backstage_id: String,
    /// The user that writes for the customer.
    pub ghost: String,
    /// open, pending, snoozed, closed.
    pub status: String,
    /// When it wakes up.
    pub snoozed_until: Option<Ms>,
    /// Who has it.
    pub assignee: Option<Nid>,
    /// The same, Matrix id.
    pub assignee_id: Option<String>,
    /// Since when nobody has it.
    pub unassigned_since: Option<Ms>,
    /// Whether only the assignee may write to the customer.
    pub exclusive: bool,
    /// Since when the customer waits for an answer.
    pub waits_since: Option<Ms>,
    /// When the customer was last answered.
    pub last_answered: Option<Ms>,
    /// When it was opened.
    pub opened: Ms,
    /// Moves with every act.
    pub version: i64,
    /// Language: the contact's, else the channel's.
    pub language: Option<String>,
}

macro_rules! conversations {
    ($($rest:tt)*) => {
        concat!(
            "SELECT v.conversation_id, t.contact_id, v.identity_nid, v.channel_id, v.lane, \
             v.room_nid, r.room_id, b.room_id, g.text, v.status, v.snoozed_until_ts, v.assignee_nid, a.text, \
             v.unassigned_ts, v.exclusive, v.waits_ts, v.last_answered_ts, v.opened_ts, v.version, \
             coalesce(t.language, c.language), v.backstage_nid FROM conversation v \
             JOIN contact_identity i ON i.identity_nid = v.identity_nid JOIN contact o ON o.contact_id = i.contact_id \
             JOIN contact t ON t.contact_id = coalesce(o.redirect_to, o.contact_id) \
             JOIN room r ON r.room_nid = v.room_nid JOIN room b ON b.room_nid = v.backstage_nid \
             JOIN name g ON g.nid = i.ghost_nid LEFT JOIN name a ON a.nid = v.assignee_nid \
             LEFT JOIN channel c ON c.channel_id = v.channel_id ",
            $($rest)*
        )
    };
}
pub(super) use conversations;

pub(super) fn read(row: &Row) -> Result<ConversationRow> {
    Ok(ConversationRow {
        id: row.text(0)?,
        contact: row.text(1)?,
        identity: row.int(2)?,
        channel: row.text(3)?,
        lane: row.text(4)?,
        room: row.int(5)?,
        room_id: row.text(6)?,
        backstage_id: row.text(7)?,
        ghost: row.text(8)?,
        status: row.text(9)?,
        snoozed_until: row.int_opt(10)?,
        assignee: row.int_opt(11)?,
        assignee_id: row.text_opt(12)?,
        unassigned_since: row.int_opt(13)?,
        exclusive: row.bool(14)?,
        waits_since: row.int_opt(15)?,
        last_answered: row.int_opt(16)?,
        opened: row.int(17)?,
        version: row.int(18)?,
        language: row.text_opt(19)?,
        backstage: row.int(20)?,
    })
}

/// The conversation of this id.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_id<S: Source>(source: &mut S, id: &str) -> Result<Option<ConversationRow>> {
    let sql = conversations!("WHERE v.conversation_id = $1");
    source.first(sql, vec![id.into()]).await?.as_ref().map(read).transpose()
}

/// The conversation whose mirrored or backstage room this is.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_room<S: Source>(source: &mut S, room: Nid) -> Result<Option<ConversationRow>> {
    let sql = conversations!("WHERE v.room_nid = $1 OR v.backstage_nid = $1");
    source.first(sql, vec![room.into()]).await?.as_ref().map(read).transpose()
}

/// The conversations of a contact and of those merged into it, oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_contact<S: Source>(source: &mut S, contact: &str) -> Result<Vec<ConversationRow>> {
    let sql = conversations!(
        "WHERE i.contact_id IN (SELECT contact_id FROM contact WHERE contact_id = $1 OR redirect_to = $1) \
         ORDER BY v.conversation_id"
    );
    source.all(sql, vec![contact.into()]).await?.iter().map(read).collect()
}

/// Conversations whose sleep is over.
///
/// # Errors
/// See [`Source::all`].
pub async fn awake<S: Source>(source: &mut S, now: Ms, limit: i64) -> Result<Vec<ConversationRow>> {
    let sql = conversations!("WHERE v.status = 'snoozed' AND v.snoozed_until_ts <= $1 LIMIT $2");
    source.all(sql, vec![now.into(), limit.into()]).await?.iter().map(read).collect()
}

/// Of some rooms those that are backstage rooms by their first event.
///
/// # Errors
/// See [`Source::all`].
pub async fn backstage_among<S: Source>(source: &mut S, rooms: &[Nid]) -> Result<Vec<Nid>> {
    if rooms.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT s.room_nid FROM room_state s JOIN event_body b ON b.event_nid = s.event_nid \
               WHERE s.type = 'm.room.create' AND s.room_nid IN ID_SET($1) \
               AND UTF8(b.ct) LIKE '%\"dev.kontor.backstage\"%'";
    source.all(sql, vec![id_set(rooms.iter().copied())]).await?.iter().map(|row| row.int(0)).collect()
}

/// Whether a user is joined in any backstage room.
///
/// # Errors
/// See [`Source::all`].
pub async fn is_backstage<S: Source>(source: &mut S, user: Nid) -> Result<bool> {
    let sql = "SELECT 1 FROM membership m JOIN conversation v ON v.backstage_nid = m.room_nid \
               WHERE m.user_nid = $1 AND m.membership IN ('join', 'invite') LIMIT 1";
    Ok(source.first(sql, vec![user.into()]).await?.is_some())
}

/// What an account is, if it is there: whether it is a guest's, and its type when it is not a person's.
///
/// # Errors
/// See [`Source::all`].
pub async fn account_kind<S: Source>(
    source: &mut S,
    user_id: &str,
) -> Result<Option<(bool, Option<String>)>> {
    let sql =
        "SELECT a.guest, a.user_type FROM name n JOIN account a ON a.user_nid = n.nid WHERE n.text = $1";
    let row = source.first(sql, vec![user_id.into()]).await?;
    row.map(|row| Ok((row.bool(0)?, row.text_opt(1)?))).transpose()
}

/// A conversation to be opened.
#[derive(Clone, Copy, Debug)]
pub struct NewConversation<'a> {
    /// ULID.
    pub id: &'a str,
    /// The delivery address.
    pub identity: Nid,
    /// The channel.
    pub channel: &'a str,
    /// The bridge's own name for it.
    pub lane: &'a str,
    /// The mirrored room.
    pub room: Nid,
    /// The backstage room.
    pub backstage: Nid,
    /// Whether only the assignee may write to the customer.
    pub exclusive: bool,
    /// When.
    pub now: Ms,
}

impl Change {
    /// Opens a conversation that nobody has yet.
    pub fn open_conversation(&mut self, new: NewConversation<'_>) {
        // Whoever became a member while it was being made is not in its rooms.
        self.mind_conversation(new.id, new.now);
        self.insert(
            Table::Conversation,
            vec![
                new.id.into(),
                new.identity.into(),
                new.channel.into(),
                new.lane.into(),
                new.room.into(),
                new.backstage.into(),
                "open".into(),
                None::<i64>.into(),
                None::<i64>.into(),
                new.now.into(),
                new.exclusive.into(),
                None::<i64>.into(),
                None::<i64>.into(),
                new.now.into(),
                1_i64.into(),
            ],
        );
    }

    /// Gives a conversation to somebody or to nobody, if it is still with `from`; refused with `Conflict`
    /// otherwise.
    pub fn assign_conversation(&mut self, id: &str, from: Option<Nid>, to: Option<Nid>, now: Ms) {
        let sql = "UPDATE conversation SET assignee_nid = $3, version = version + 1, \
                   unassigned_ts = CASE WHEN $3 IS NULL THEN $4 ELSE NULL END \
                   WHERE conversation_id = $1 AND coalesce(assignee_nid, 0) = coalesce($2, 0)";
        self.guard(sql, vec![id.into(), from.into(), to.into(), now.into()]);
        if to.is_some() {
            self.mind_conversation(id, now);
        }
    }

    /// Refuses the change with `Conflict` unless a conversation is with `with`, or is not exclusive.
    pub fn expect_owner(&mut self, id: &str, with: Nid) {
        let sql = "UPDATE conversation SET version = version WHERE conversation_id = $1 \
                   AND (exclusive = 0 OR assignee_nid = $2)";
        self.guard(sql, vec![id.into(), with.into()]);
    }

    /// Changes the status of a conversation that is still at `version`; refused with `Conflict` otherwise.
    pub fn set_conversation_status(&mut self, id: &str, version: i64, status: &str, until: Option<Ms>) {
        let sql = "UPDATE conversation SET status = $3, snoozed_until_ts = $4, version = version + 1 \
                   WHERE conversation_id = $1 AND version = $2";
        self.guard(sql, vec![id.into(), version.into(), status.into(), until.into()]);
    }

    /// The customer wrote: a conversation that rested is open, and waits unless it waited already.
    pub fn customer_wrote(&mut self, id: &str, identity: Nid, now: Ms) {
        let sql = "UPDATE conversation SET waits_ts = coalesce(waits_ts, $2), \
                   version = CASE WHEN status = 'open' THEN version ELSE version + 1 END, \
                   snoozed_until_ts = NULL, status = 'open' WHERE conversation_id = $1";
        self.run(sql, vec![id.into(), now.into()]);
        self.see_identity(identity, now);
    }

    /// The customer was answered.
    pub fn customer_answered(&mut self, id: &str, now: Ms) {
        let sql = "UPDATE conversation SET waits_ts = NULL, last_answered_ts = $2 WHERE conversation_id = $1";
        self.run(sql, vec![id.into(), now.into()]);
    }

    /// A room of a conversation was replaced by another.
    pub fn move_conversation_room(&mut self, from: Nid, to: Nid) {
        for sql in [
            "UPDATE conversation SET room_nid = $2 WHERE room_nid = $1",
            "UPDATE conversation SET backstage_nid = $2 WHERE backstage_nid = $1",
        ] {
            self.run(sql, vec![from.into(), to.into()]);
        }
    }
}
