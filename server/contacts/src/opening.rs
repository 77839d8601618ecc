//! Opening a conversation: what a bridge tells of a customer, checked, and the rows of a new contact.

use crate::claim::{self, Claim};
use crate::news::News;
use crate::{Contacts, text, text_or_empty};
use kontor_model::{Error, Language, Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::cards::{self, ContactRow, FieldRow};
use kontor_store::contacts::channels::ChannelRow;
use kontor_store::contacts::conversations::NewConversation;
use kontor_store::contacts::identities::{ClaimRow, Key, NewIdentity};
use serde::Deserialize;
use serde_json::Value;

/// What the network says, among the sources of values.
const NETWORK: &str = "network";
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

    fn note(&self, change: &mut Change, contact: &str, now: Ms) {
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
        claim::note(change, contact, &self.claims);
    }
}

/// What a new conversation consists of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The conversation's id.
    pub conversation: &'a str,
    /// The contact's id.
    pub contact: &'a str,
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
        change.add_contact(&ContactRow {
            id: parts.contact.to_owned(),
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
        });
        checked.note(change, parts.contact, now);
        let identity = NewIdentity {
            identity: nid,
            key: checked.key(),
            contact: parts.contact,
            ghost: parts.ghost,
            now,
        };
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
        let audit = Audit::done(Action::ConversationOpen, actor, now).on("conversation", parts.conversation);
        change.audit(self.store.nid().await?, audit);
        for kind in ["contact.created", "conversation.opened"] {
            let news = News {
                kind,
                contact: parts.contact,
                conversation: Some(parts.conversation),
                room_id: Some(parts.room.1),
                ..News::default()
            };
            self.tell(change, &news, None).await?;
        }
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
    pub async fn plan_return(&self, checked: &Checked, identity: Nid, contact: &str) -> Result<Change> {
        let now = self.now();
        let mut change = Change::default();
        change.see_identity(identity, now);
        checked.note(&mut change, contact, now);
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
        claim::note(&mut change, contact, &rows);
        change.touch_contact(contact, now);
        let news =
            News { kind: "contact.updated", contact, conversation: Some(conversation), ..News::default() };
        self.tell(&mut change, &news, None).await?;
        Ok(change)
    }
}

/// A name as it can be shown: what the network sends is cut and cleaned rather than refused.
fn shown(name: &str) -> Option<String> {
    let clean: String = name.chars().filter(|c| !c.is_control()).take(120).collect();
    Some(clean.trim().to_owned()).filter(|name| !name.is_empty())
}
