//! Channels: the company's accounts in networks, and who answers there.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, id_set};
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

impl Change {
    /// Makes a channel. A taken name refuses the change with `Conflict`.
    pub fn add_channel(&mut self, row: &ChannelRow) {
        // Of one that was removed before.
        self.run("DELETE FROM channel_member WHERE channel_id = $1", vec![row.id.as_str().into()]);
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

    /// Removes a channel; refused with `Conflict` when it is not there. Its conversations stay, and with its members
    /// who sees them.
    pub fn remove_channel(&mut self, id: &str) {
        self.guard("DELETE FROM channel WHERE channel_id = $1", vec![id.into()]);
    }

    /// Lets users answer in a channel; they come into the rooms of the conversations that there are.
    pub fn add_channel_members(&mut self, channel: &str, users: &[Nid]) {
        for user in users {
            self.insert(Table::ChannelMember, vec![channel.into(), (*user).into(), false.into(), "".into()]);
        }
    }

    /// Takes users out of a channel; they leave its rooms afterwards.
    pub fn take_out_of_channel(&mut self, channel: &str, users: &[Nid]) {
        let sql = "UPDATE channel_member SET leaving = 1 WHERE channel_id = $1 AND user_nid IN ID_SET($2)";
        self.run(sql, vec![channel.into(), id_set(users.iter().copied())]);
    }

    /// Notes how a channel is; refused with `Conflict` without such a channel.
    pub fn set_channel_health(&mut self, id: &str, health: &str, now: Ms) {
        let sql = "UPDATE channel SET health = $2, health_ts = $3 WHERE channel_id = $1";
        self.guard(sql, vec![id.into(), health.into(), now.into()]);
    }
}
