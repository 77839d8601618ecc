//! Opening a conversation: what a bridge tells of a customer, checked, and the rows of a new contact.

use crate::arrival::{self, Known, Read};
use crate::claim::{self, Claim, Trust};
use crate::keys::Kind;
use crate::news::News;
use crate::resolve::{Outcome, Whose};
use crate::{Contacts, text, text_or_empty};
use kontor_model::{Error, Language, Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::cards::{self, ContactRow, FieldRow};
use kontor_store::contacts::channels::ChannelRow;
use kontor_store::contacts::conversations::NewConversation;
use kontor_store::contacts::identities::{ClaimRow, Key, KnownRow, NewIdentity};
use serde::Deserialize;
use serde_json::Value;

/// What the network says, among the sources of values.
const NETWORK: &str = "network";
/// Longest time for answers, milliseconds.
const LONGEST_WINDOW: Ms = 366 * 86_400_000;
/// Facts about a conversation, bytes of JSON.
const LARGEST_CONTEXT: usize = 8_192;

/// What a bridge tells of a customer.
#[derive(Clone, Debug, Deserialize)]
pub struct Opening {
    /// The channel.
    pub channel: String,
    /// The company's account that was written to.
    #[serde(default)]
    pub account: String,
    /// What kind of id the next one is.
    pub id_type: String,
    /// The network's id of the customer.
    pub external_id: String,
    /// The bridge's own name for the conversation.
    #[serde(default)]
    pub lane: String,
    /// What the network says.
    #[serde(default)]
    pub profile: Profile,
    /// What is said about the person.
    #[serde(default)]
    pub claims: Vec<Claim>,
    /// Facts about the conversation; no personal data.
    #[serde(default)]
    pub context: serde_json::Map<String, Value>,
    /// For how long after the customer wrote the network takes answers, milliseconds; for ever when absent.
    pub window_ms: Option<Ms>,
    /// Local part of the user that writes for the customer, if the bridge has a wish.
    pub ghost_localpart: Option<String>,
}

/// What the network says of a customer.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Profile {
    /// Name.
    pub display_name: Option<String>,
    /// Picture, an `mxc://` URI.
    pub avatar_mxc: Option<String>,
    /// pl, uk or en; another one counts as not known.
    pub language: Option<String>,
}

/// The same, checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The opening, trimmed.
    pub opening: Opening,
    /// The language, if it is known and spoken here.
    pub language: Option<Language>,
    claims: Vec<ClaimRow>,
    fields: Vec<(&'static str, String)>,
}

impl Checked {
    /// By what the customer is known.
    pub fn key(&self) -> Key<'_> {
        let Opening { channel, account, id_type, external_id, .. } = &self.opening;
        Key { channel, account, id_type, external_id }
    }

    /// The name that is shown: what the network says, else what was claimed.
    pub fn shown_name(&self) -> Option<&str> {
        let claimed =
            || self.claims.iter().find(|claim| claim.kind == "name").map(|claim| claim.value.as_str());
        self.opening.profile.display_name.as_deref().or_else(claimed)
    }

    /// What resolution looks at.
    pub fn read(&self) -> Read {
        let Opening { channel, account, id_type, external_id, .. } = &self.opening;
        let said = self.claims.iter().filter_map(|claim| {
            let kind = [Kind::Phone, Kind::Email].into_iter().find(|kind| kind.word() == claim.kind)?;
            Some((kind, claim.value.as_str(), claim.trust >= Trust::Platform.number()))
        });
        let said: Vec<_> = said.collect();
        arrival::read((channel, account, id_type, external_id), self.shown_name(), &said)
    }

    fn note(&self, change: &mut Change, contact: &str, conversation: &str, now: Ms) {
        for (field, value) in &self.fields {
            change.set_contact_field(&FieldRow {
                contact: contact.to_owned(),
                field: (*field).to_owned(),
                source: NETWORK.to_owned(),
                value: value.clone(),
                trust: 1,
                ts: now,
            });
        }
        claim::note(change, contact, conversation, &self.claims);
    }
}

/// Whose a new address is.
#[derive(Clone, Debug)]
pub struct Found {
    /// The contact.
    pub contact: String,
    /// Whether it is to be made.
    pub is_new: bool,
    read: Read,
    outcome: Outcome,
    known: Known,
    /// The code of the link that told whose it is.
    link: Option<Vec<u8>>,
}

/// What a new conversation consists of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The conversation's id.
    pub conversation: &'a str,
    /// Whose it is.
    pub found: &'a Found,
    /// The user that writes for the customer.
    pub ghost: Nid,
    /// The mirrored room, and its Matrix id.
    pub room: (Nid, &'a str),
    /// The backstage room.
    pub backstage: Nid,
}

impl Contacts {
    /// Checks what a bridge tells.
    ///
    /// # Errors
    /// `InvalidParam` for what no customer can have, `TooLarge` for endless facts.
    pub fn check_opening(&self, mut opening: Opening) -> Result<Checked> {
        opening.channel = text(&opening.channel, "channel", 40)?;
        opening.account = text_or_empty(&opening.account, "account", 255)?;
        opening.id_type = text(&opening.id_type, "id_type", 40)?;
        opening.external_id = text(&opening.external_id, "external_id", 255)?;
        opening.lane = text_or_empty(&opening.lane, "lane", 255)?;
        if opening.window_ms.is_some_and(|window| !(60_000..=LONGEST_WINDOW).contains(&window)) {
            return Err(Error::invalid_param("window_ms must be between a minute and a year."));
        }
        let profile = &mut opening.profile;
        profile.display_name = profile.display_name.as_deref().and_then(shown);
        if profile.avatar_mxc.as_deref().is_some_and(|mxc| !mxc.starts_with("mxc://") || mxc.len() > 255) {
            return Err(Error::invalid_param("profile.avatar_mxc must be an mxc:// URI."));
        }
        if serde_json::to_string(&opening.context).map_err(Error::internal)?.len() > LARGEST_CONTEXT {
            return Err(Error::new(kontor_model::Code::TooLarge, "The context is larger than 8 KiB."));
        }
        let language = profile.language.as_deref().and_then(Language::of);
        let page =
            opening.context.get("page").and_then(Value::as_str).and_then(|page| text(page, "page", 500).ok());
        let code = language.map(|language| language.code().to_owned());
        let fields = [("display_name", profile.display_name.clone()), ("language", code), ("page", page)];
        let fields = fields.into_iter().filter_map(|(field, value)| Some((field, value?))).collect();
        let claims = claim::check(&opening.claims, self.now())?;
        Ok(Checked { opening, language, claims, fields })
    }

    /// Adds the rows of a new contact with its address and conversation. Submitting ends in `Conflict` when
    /// somebody opened it at the same moment.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_opening(
        &self,
        change: &mut Change,
        checked: &Checked,
        channel: &ChannelRow,
        parts: Parts<'_>,
        actor: Actor,
    ) -> Result<()> {
        let now = self.now();
        let nid = self.store.nid().await?;
        let contact = parts.found.contact.as_str();
        if parts.found.is_new {
            change.add_contact(&made(checked, channel, contact, now));
        }
        checked.note(change, contact, parts.conversation, now);
        self.plan_resolution(change, parts.found, now).await?;
        let identity = NewIdentity { identity: nid, key: checked.key(), contact, ghost: parts.ghost, now };
        change.add_identity(identity);
        change.open_conversation(NewConversation {
            id: parts.conversation,
            identity: nid,
            channel: &channel.id,
            lane: &checked.opening.lane,
            room: parts.room.0,
            backstage: parts.backstage,
            exclusive: channel.exclusive,
            now,
        });
        if let Some(window) = checked.opening.window_ms {
            change.set_window(parts.conversation, window);
        }
        if let Some(link) = &parts.found.link {
            change.use_contact_link(link);
        }
        let audit = Audit::done(Action::ConversationOpen, actor, now).on("conversation", parts.conversation);
        change.audit(self.store.nid().await?, audit);
        let created = parts.found.is_new.then_some("contact.created");
        for kind in created.into_iter().chain(["conversation.opened"]) {
            let news = News {
                kind,
                contact,
                conversation: Some(parts.conversation),
                room_id: Some(parts.room.1),
                ..News::default()
            };
            self.tell(change, &news, None).await?;
        }
        Ok(())
    }

    /// Looks up whose a new address is; a new contact's when that is not sure.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn find(&self, checked: &Checked) -> Result<Found> {
        let read = checked.read();
        let (outcome, known) = self.decide(&read).await?;
        // Whoever comes by a link that was made for somebody is that person, unless it is known better.
        if !matches!(outcome.whose, Whose::Known(_))
            && let Some((link, contact)) = self.linked(&checked.opening.claims).await?
        {
            return Ok(Found { contact, is_new: false, read, outcome, known, link: Some(link) });
        }
        let (contact, is_new) = match &outcome.whose {
            Whose::Known(contact) => (contact.clone(), false),
            Whose::New | Whose::Open(_) => (self.new_id(), true),
        };
        Ok(Found { contact, is_new, read, outcome, known, link: None })
    }

    /// Adds what a new address says of its contact, and the merges that follow.
    async fn plan_resolution(&self, change: &mut Change, found: &Found, now: Ms) -> Result<()> {
        let Found { contact, read, outcome, known, .. } = found;
        self.note_arrival(change, read, known, outcome, contact, now);
        self.plan_merges(change, known, outcome, contact, "").await?;
        Ok(())
    }

    /// Whether the network calls a customer who is known by another name than before.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn is_renamed(&self, checked: &Checked, contact: &str) -> Result<bool> {
        let Some(name) = &checked.opening.profile.display_name else { return Ok(false) };
        let values = cards::fields(&mut self.store.reader(), &[contact]).await?;
        let told = values.iter().find(|value| value.field == "display_name" && value.source == NETWORK);
        Ok(told.is_none_or(|told| told.value != *name))
    }

    /// Plans to note what a bridge tells anew of a customer who is known.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_return(&self, checked: &Checked, known: &KnownRow) -> Result<Change> {
        let (now, contact) = (self.now(), known.contact.as_str());
        let mut change = Change::default();
        change.see_identity(known.identity, now);
        checked.note(&mut change, contact, &known.conversation, now);
        let read = checked.read();
        if let Some(shown) = &read.shown {
            change.add_contact_name(contact, shown);
        }
        if !checked.claims.is_empty() {
            change.weigh_contact(contact, now);
        }
        Ok(change)
    }

    /// Plans to note claims about the customer of a conversation.
    ///
    /// # Errors
    /// `InvalidParam` for what cannot be claims.
    pub async fn add_claims(&self, contact: &str, conversation: &str, claims: &[Claim]) -> Result<Change> {
        let now = self.now();
        let rows = claim::check(claims, now)?;
        let mut change = Change::default();
        claim::note(&mut change, contact, conversation, &rows);
        // What was typed in a chat is weighed, and merges nothing by itself.
        change.weigh_contact(contact, now);
        change.touch_contact(contact, now);
        let news =
            News { kind: "contact.updated", contact, conversation: Some(conversation), ..News::default() };
        self.tell(&mut change, &news, None).await?;
        Ok(change)
    }
}

fn made(checked: &Checked, channel: &ChannelRow, contact: &str, now: Ms) -> ContactRow {
    ContactRow {
        id: contact.to_owned(),
        redirect_to: None,
        kind: if checked.shown_name().is_some() { "person" } else { "unknown" }.to_owned(),
        stage: "visitor".to_owned(),
        owner: None,
        owner_id: None,
        team: Some(channel.id.clone()),
        visibility: channel.visibility.clone(),
        language: checked.language.map(|language| language.code().to_owned()),
        version: 1,
        created_ts: now,
        updated_ts: now,
        own: None,
    }
}

/// A name as it can be shown: what the network sends is cut and cleaned rather than refused.
pub(crate) fn shown(name: &str) -> Option<String> {
    let clean: String = name.chars().filter(|c| !c.is_control()).take(120).collect();
    Some(clean.trim().to_owned()).filter(|name| !name.is_empty())
}
