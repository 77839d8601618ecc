//! Channels: the company's accounts in networks, and who answers there.

use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, id_set};
use crate::{Change, Store};
use kontor_model::{Ms, Nid, Result};

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its name for machines; never changes.
    pub id: String,
    /// The network.
    pub kind: String,
    /// The company's account in the network.
    pub account: String,
    /// What people call it.
    pub name: String,
    /// The application service that speaks for it.
    pub service: String,
    /// Language of conversations whose customer's language is not known.
    pub language: String,
    /// Whether only the assignee may write to the customer.
    pub exclusive: bool,
    /// Who sees the contacts that it makes.
    pub visibility: String,
    /// Moves with every change.
    pub version: i64,
    /// When it was made.
    pub created_ts: Ms,
    /// How it is, as its bridge tells, JSON.
    pub health: Option<String>,
    /// When that was told.
    pub health_ts: Option<Ms>,
}

macro_rules! channels {
    ($rest:literal) => {
        concat!(
            "SELECT channel_id, kind, account, shown_name, service_id, language, exclusive, visibility, version, \
             created_ts, health, health_ts FROM channel ",
            $rest
        )
    };
}

fn read(row: &Row) -> Result<ChannelRow> {
    Ok(ChannelRow {
        id: row.text(0)?,
        kind: row.text(1)?,
        account: row.text(2)?,
        name: row.text(3)?,
        service: row.text(4)?,
        language: row.text(5)?,
        exclusive: row.bool(6)?,
        visibility: row.text(7)?,
        version: row.int(8)?,
        created_ts: row.int(9)?,
        health: row.text_opt(10)?,
        health_ts: row.int_opt(11)?,
    })
}

/// The channel of this name.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_id<S: Source>(source: &mut S, id: &str) -> Result<Option<ChannelRow>> {
    let sql = channels!("WHERE channel_id = $1");
    source.first(sql, vec![id.into()]).await?.as_ref().map(read).transpose()
}

/// All channels, by name.
///
/// # Errors
/// See [`Source::all`].
pub async fn all<S: Source>(source: &mut S) -> Result<Vec<ChannelRow>> {
    source.all(channels!("ORDER BY channel_id"), Vec::new()).await?.iter().map(read).collect()
}

/// Somebody who answers in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The channel.
    pub channel: String,
    /// Numeric id.
    pub user: Nid,
    /// Matrix id.
    pub user_id: String,
    /// Whether the user was taken out and is still to leave rooms.
    pub leaving: bool,
}

/// Members of all channels, or of one.
///
/// # Errors
/// See [`Source::all`].
pub async fn members<S: Source>(source: &mut S, channel: Option<&str>) -> Result<Vec<MemberRow>> {
    let sql = "SELECT c.channel_id, c.user_nid, n.text, c.leaving FROM channel_member c \
               JOIN name n ON n.nid = c.user_nid WHERE $1 IS NULL OR c.channel_id = $1 ORDER BY n.text";
    let read = |row: &Row| {
        Ok(MemberRow {
            channel: row.text(0)?,
            user: row.int(1)?,
            user_id: row.text(2)?,
            leaving: row.bool(3)?,
        })
    };
    source.all(sql, vec![channel.into()]).await?.iter().map(read).collect()
}

/// A room that somebody is to be brought into, or taken out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The room, Matrix id.
    pub room_id: String,
    /// The user, Matrix id.
    pub user_id: String,
}

/// Members of channels who never were in a room of one of its conversations that is not closed, or whom
/// the company's own user took out. Closed accounts are nobody's members.
///
/// # Errors
/// See [`Source::all`].
pub async fn missing<S: Source>(source: &mut S, service: Nid, limit: i64) -> Result<Vec<Move>> {
    let sql = "SELECT r.room_id, n.text FROM channel_member c JOIN account a ON a.user_nid = c.user_nid \
               AND a.state <> 'deactivated' JOIN conversation v ON v.channel_id = c.channel_id AND v.status <> 'closed' \
               JOIN room r ON r.room_nid IN (v.room_nid, v.backstage_nid) JOIN name n ON n.nid = c.user_nid \
               LEFT JOIN membership m ON m.room_nid = r.room_nid AND m.user_nid = c.user_nid \
               WHERE c.leaving = 0 AND (m.membership IS NULL OR (m.membership = 'leave' AND m.sender_nid = $1)) \
               LIMIT $2";
    source.all(sql, vec![service.into(), limit.into()]).await?.iter().map(moved).collect()
}

/// Those who have a conversation that is not closed and never were in one of its rooms: whoever gave it to
/// them had no time left to bring them in. Closed accounts have nothing.
///
/// # Errors
/// See [`Source::all`].
pub async fn missing_assignees<S: Source>(source: &mut S, limit: i64) -> Result<Vec<Move>> {
    let sql = "SELECT r.room_id, n.text FROM conversation v JOIN account a ON a.user_nid = v.assignee_nid \
               AND a.state <> 'deactivated' JOIN room r ON r.room_nid IN (v.room_nid, v.backstage_nid) \
               JOIN name n ON n.nid = v.assignee_nid \
               LEFT JOIN membership m ON m.room_nid = r.room_nid AND m.user_nid = v.assignee_nid \
               WHERE v.assignee_nid IS NOT NULL AND v.status <> 'closed' AND m.membership IS NULL LIMIT $1";
    source.all(sql, vec![limit.into()]).await?.iter().map(moved).collect()
}

/// Those who were taken out of channels, in rooms of the channel's conversations where they still are.
///
/// # Errors
/// See [`Source::all`].
pub async fn leaving<S: Source>(source: &mut S, limit: i64) -> Result<Vec<Move>> {
    let sql = "SELECT r.room_id, n.text FROM channel_member c JOIN conversation v ON v.channel_id = c.channel_id \
               JOIN room r ON r.room_nid IN (v.room_nid, v.backstage_nid) JOIN name n ON n.nid = c.user_nid \
               JOIN membership m ON m.room_nid = r.room_nid AND m.user_nid = c.user_nid \
               AND m.membership IN ('join', 'invite') WHERE c.leaving = 1 LIMIT $1";
    source.all(sql, vec![limit.into()]).await?.iter().map(moved).collect()
}

fn moved(row: &Row) -> Result<Move> {
    Ok(Move { room_id: row.text(0)?, user_id: row.text(1)? })
}

impl Change {
    /// Makes a channel. A taken name refuses the change with `Conflict`.
    pub fn add_channel(&mut self, row: &ChannelRow) {
        self.insert(
            Table::Channel,
            vec![
                row.id.as_str().into(),
                row.kind.as_str().into(),
                row.account.as_str().into(),
                row.name.as_str().into(),
                row.service.as_str().into(),
                row.language.as_str().into(),
                row.exclusive.into(),
                row.visibility.as_str().into(),
                row.version.into(),
                row.created_ts.into(),
                row.health.as_deref().into(),
                row.health_ts.into(),
            ],
        );
    }

    /// Changes a channel that is still at `row.version`; refused with `Conflict` otherwise. Its
    /// conversations are exclusive if it is.
    pub fn change_channel(&mut self, row: &ChannelRow) {
        let sql = "UPDATE channel SET account = $3, shown_name = $4, service_id = $5, language = $6, \
                   exclusive = $7, visibility = $8, version = version + 1 \
                   WHERE channel_id = $1 AND version = $2";
        self.guard(
            sql,
            vec![
                row.id.as_str().into(),
                row.version.into(),
                row.account.as_str().into(),
                row.name.as_str().into(),
                row.service.as_str().into(),
                row.language.as_str().into(),
                row.exclusive.into(),
                row.visibility.as_str().into(),
            ],
        );
        let sql = "UPDATE conversation SET exclusive = $2 WHERE channel_id = $1 AND exclusive <> $2";
        self.run(sql, vec![row.id.as_str().into(), row.exclusive.into()]);
    }

    /// Removes a channel; refused with `Conflict` when it is not there. Its conversations stay.
    pub fn remove_channel(&mut self, id: &str) {
        self.guard("DELETE FROM channel WHERE channel_id = $1", vec![id.into()]);
        self.run("DELETE FROM channel_member WHERE channel_id = $1", vec![id.into()]);
    }

    /// Lets users answer in a channel.
    pub fn add_channel_members(&mut self, channel: &str, users: &[Nid]) {
        for user in users {
            self.insert(Table::ChannelMember, vec![channel.into(), (*user).into(), false.into()]);
        }
    }

    /// Takes users out of a channel; they leave its rooms afterwards.
    pub fn take_out_of_channel(&mut self, channel: &str, users: &[Nid]) {
        let sql = "UPDATE channel_member SET leaving = 1 WHERE channel_id = $1 AND user_nid IN ID_SET($2)";
        self.run(sql, vec![channel.into(), id_set(users.iter().copied())]);
    }

    /// Forgets those who were taken out and are in no room of their channel any more.
    pub fn forget_gone_members(&mut self) {
        let sql = "DELETE FROM channel_member WHERE leaving = 1 AND NOT EXISTS (SELECT 1 FROM conversation v \
                   JOIN membership m ON m.room_nid IN (v.room_nid, v.backstage_nid) \
                   WHERE v.channel_id = channel_member.channel_id AND m.user_nid = channel_member.user_nid \
                   AND m.membership IN ('join', 'invite'))";
        self.run(sql, Vec::new());
    }

    /// Notes how a channel is; refused with `Conflict` without such a channel.
    pub fn set_channel_health(&mut self, id: &str, health: &str, now: Ms) {
        let sql = "UPDATE channel SET health = $2, health_ts = $3 WHERE channel_id = $1";
        self.guard(sql, vec![id.into(), health.into(), now.into()]);
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
