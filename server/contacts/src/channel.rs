//! Channels: what an administrator writes down about one.

use crate::card::VISIBILITIES;
use crate::{Contacts, one_of, text, text_or_empty};
use kontor_model::{Error, Language, Nid, Result, ids};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::channels::{self, ChannelRow, MemberRow};
use serde::Deserialize;

/// Longest name for machines: it is part of user ids.
const LONGEST_ID: usize = 40;
/// Members of one channel.
const MOST_MEMBERS: usize = 500;
/// Largest report about a channel, bytes.
const LARGEST_HEALTH: usize = 8_192;
/// How a channel can be.
const STATES: [&str; 5] = ["connected", "degraded", "no_traffic", "bad_credentials", "down"];

/// A channel to be made, or what is to change of one: absent fields stay, or have their usual value.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Its name for machines; only when it is made.
    pub id: Option<String>,
    /// The network; only when it is made.
    pub kind: Option<String>,
    /// The company's account in the network.
    pub account: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// The application service that speaks for it.
    pub application_service: Option<String>,
    /// User ids of those who answer there.
    pub members: Option<Vec<String>>,
    /// Whether only the assignee may write to the customer.
    pub exclusive: Option<bool>,
    /// pl, uk or en.
    pub language: Option<String>,
    /// Who sees the contacts that it makes: owner, team, all.
    pub visibility: Option<String>,
}

impl Wish {
    /// The members that it names, each once.
    ///
    /// # Errors
    /// `InvalidParam` when there are too many.
    pub fn member_ids(&self) -> Result<Option<Vec<String>>> {
        let Some(members) = &self.members else { return Ok(None) };
        if members.len() > MOST_MEMBERS {
            return Err(Error::invalid_param(format!("A channel may have {MOST_MEMBERS} members.")));
        }
        let mut members = members.clone();
        members.sort();
        members.dedup();
        Ok(Some(members))
    }

    fn apply(&self, row: &mut ChannelRow) -> Result<()> {
        if let Some(account) = &self.account {
            row.account = text_or_empty(account, "account", 255)?;
        }
        if let Some(name) = &self.name {
            row.name = text(name, "name", 100)?;
        }
        if let Some(service) = &self.application_service {
            row.service = text(service, "application_service", 128)?;
        }
        if let Some(exclusive) = self.exclusive {
            row.exclusive = exclusive;
        }
        if let Some(code) = &self.language {
            let language = Language::of(code);
            let language =
                language.ok_or_else(|| Error::invalid_param("language must be one of: pl, uk, en."))?;
            row.language = language.code().to_owned();
        }
        if let Some(visibility) = &self.visibility {
            row.visibility = one_of(visibility, "visibility", &VISIBILITIES)?.to_owned();
        }
        Ok(())
    }
}

impl Contacts {
    /// The channel of this name.
    ///
    /// # Errors
    /// `NotFound` without such a channel.
    pub async fn channel(&self, id: &str) -> Result<ChannelRow> {
        let row = match ids::storable_key(id, "channel") {
            Ok(()) => channels::by_id(&mut self.store.reader(), id).await?,
            Err(_) => None,
        };
        row.ok_or_else(|| Error::not_found("There is no such channel."))
    }

    /// Plans a channel; `members` are the numeric ids of those whom the wish names. Submitting ends in
    /// `Conflict` when the name is taken.
    ///
    /// # Errors
    /// `InvalidParam` for what cannot be a channel; `MissingParam`.
    pub async fn new_channel(
        &self,
        wish: &Wish,
        members: &[Nid],
        actor: Actor,
    ) -> Result<(Change, ChannelRow)> {
        let missing = |field: &str| {
            Error::new(kontor_model::Code::MissingParam, format!("The field \"{field}\" is missing."))
        };
        let id = wish.id.as_deref().ok_or_else(|| missing("id"))?;
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        if id.is_empty() || id.len() > LONGEST_ID || !id.bytes().all(allowed) {
            return Err(Error::invalid_param(format!(
                "id must have 1 to {LONGEST_ID} small letters, digits, dots or hyphens."
            )));
        }
        let kind = wish.kind.as_deref().ok_or_else(|| missing("kind"))?;
        if wish.application_service.is_none() {
            return Err(missing("application_service"));
        }
        let now = self.now();
        let mut row = ChannelRow {
            id: id.to_owned(),
            kind: text(kind, "kind", 40)?,
            account: String::new(),
            name: id.to_owned(),
            service: String::new(),
            language: Language::default().code().to_owned(),
            exclusive: false,
            visibility: "team".to_owned(),
            version: 1,
            created_ts: now,
            health: None,
            health_ts: None,
        };
        wish.apply(&mut row)?;
        let mut change = Change::default();
        change.add_channel(&row);
        change.add_channel_members(&row.id, members);
        self.audit_channel(&mut change, Action::ChannelCreate, &row.id, actor).await?;
        Ok((change, row))
    }

    /// Plans a change of a channel; `members` are the numeric ids of those whom the wish names, if it names
    /// any. Submitting ends in `Conflict` when somebody was quicker.
    ///
    /// # Errors
    /// `InvalidParam` for what cannot be; `NotFound`.
    pub async fn change_channel(
        &self,
        id: &str,
        wish: &Wish,
        members: Option<&[Nid]>,
        actor: Actor,
    ) -> Result<(Change, ChannelRow)> {
        if wish.id.as_deref().is_some_and(|new| new != id) || wish.kind.is_some() {
            return Err(Error::invalid_param(
                "The id and the kind of a channel do not change. Make another one.",
            ));
        }
        let mut row = self.channel(id).await?;
        wish.apply(&mut row)?;
        let mut change = Change::default();
        change.change_channel(&row);
        if let Some(members) = members {
            let before: Vec<MemberRow> = channels::members(&mut self.store.reader(), Some(id)).await?;
            let gone: Vec<Nid> =
                before.iter().map(|member| member.user).filter(|user| !members.contains(user)).collect();
            change.take_out_of_channel(id, &gone);
            let stays = |user: &Nid| before.iter().any(|member| member.user == *user && !member.leaving);
            let new: Vec<Nid> = members.iter().copied().filter(|user| !stays(user)).collect();
            change.add_channel_members(id, &new);
        }
        self.audit_channel(&mut change, Action::ChannelUpdate, id, actor).await?;
        row.version += 1;
        Ok((change, row))
    }

    /// Plans that a channel rests, or goes on.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_pause(&self, row: &ChannelRow, paused: bool, actor: Actor) -> Result<Change> {
        let mut change = Change::default();
        change.pause_channel(&row.id, paused.then(|| self.now()), self.store.nid().await?);
        let action = if paused { Action::ChannelPause } else { Action::ChannelResume };
        self.audit_channel(&mut change, action, &row.id, actor).await?;
        Ok(change)
    }

    /// Plans that a channel is one no more; its conversations stay, with those who are in their rooms.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn remove_channel(&self, id: &str, actor: Actor) -> Result<Change> {
        let mut change = Change::default();
        change.remove_channel(id);
        self.audit_channel(&mut change, Action::ChannelRemove, id, actor).await?;
        Ok(change)
    }

    async fn audit_channel(&self, change: &mut Change, action: Action, id: &str, actor: Actor) -> Result<()> {
        let audit = Audit::done(action, actor, self.now()).on("channel", id);
        change.audit(self.store.nid().await?, audit);
        Ok(())
    }

    /// Plans to note what a bridge tells of its channel.
    ///
    /// # Errors
    /// `InvalidParam` for a state that is none, `TooLarge`.
    pub fn report_health(&self, id: &str, report: &serde_json::Value) -> Result<Change> {
        let state = report.get("state").and_then(serde_json::Value::as_str).unwrap_or_default();
        one_of(state, "state", &STATES)?;
        let text = report.to_string();
        if text.len() > LARGEST_HEALTH {
            return Err(Error::new(kontor_model::Code::TooLarge, "The report is larger than 8 KiB."));
        }
        let mut change = Change::default();
        change.set_channel_health(id, &text, self.now());
        Ok(change)
    }
}
