//! What employees do with conversations and cards.

use super::entering::ids;
use super::reader;
use crate::Flows;
use crate::caller::Caller;
use kontor_contacts::acts::Employee;
use kontor_contacts::card::{Card, Patch, moved};
use kontor_contacts::names;
use kontor_contacts::news::News;
use kontor_contacts::ulid::is_ulid;
use kontor_model::{Code, Draft, Error, Language, Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::contacts::conversations::{self, ConversationRow};
use kontor_store::contacts::queue;
use ruma::events::StateEventType;
use ruma::{CanonicalJsonObject, OwnedRoomId, OwnedUserId, UserId};
use serde_json::json;

impl Flows {
    /// A conversation, if the caller may see it.
    ///
    /// # Errors
    /// `NotFound` otherwise.
    pub async fn conversation(&self, by: &Caller<'_>, id: &str) -> Result<ConversationRow> {
        let who = reader(by.requester)?;
        let row = match is_ulid(id) {
            true => queue::one(&mut self.store.reader(), who, id).await?,
            false => None,
        };
        row.ok_or_else(|| Error::not_found("There is no such conversation."))
    }

    /// An employee, as somebody who can be given a conversation.
    ///
    /// # Errors
    /// `NotFound` without such an account; `Forbidden` for those who cannot be backstage.
    pub async fn employee(&self, user_id: &UserId) -> Result<Nid> {
        self.check_insider(user_id.as_str()).await?;
        if self.persons(&[user_id]).await?.is_empty() {
            return Err(Error::not_found("There is no such account."));
        }
        self.store.name(user_id.as_str()).await
    }

    /// Gives a conversation to an employee, who comes into its rooms, or to nobody.
    ///
    /// # Errors
    /// `NotFound` for what the caller may not see; `Conflict` when somebody else gave it away meanwhile;
    /// `Forbidden` for those who are no employees.
    pub async fn assign(
        &self,
        by: &Caller<'_>,
        id: &str,
        to: Option<&OwnedUserId>,
    ) -> Result<ConversationRow> {
        let row = self.conversation(by, id).await?;
        if row.assignee_id.as_deref() == to.map(|to| to.as_str()) {
            return Ok(row);
        }
        let user = match to {
            None => None,
            Some(to) => Some(self.employee(to).await?),
        };
        let employee = user.zip(to).map(|(user, to)| Employee { user, user_id: to.as_str() });
        let mut change = Change::default();
        self.contacts.plan_assignment(&mut change, &row, employee, by.actor.clone()).await?;
        self.submit_act(change).await?;
        if let Some(to) = to {
            // Whoever has it must be able to answer; the room tells when that fails.
            for room in [&row.room_id, &row.backstage_id] {
                let (room_id, user_id) = ids(room, to.as_str())?;
                self.bring_in(&room_id, &user_id).await?;
            }
        }
        self.again(id).await
    }

    /// Gives a conversation that nobody has to the caller.
    ///
    /// # Errors
    /// `Conflict` when somebody has it; as [`Flows::assign`].
    pub async fn claim(&self, by: &Caller<'_>, id: &str) -> Result<ConversationRow> {
        let row = self.conversation(by, id).await?;
        match &row.assignee_id {
            Some(owner) if *owner != by.requester.user_id.as_str() => {
                Err(Error::new(Code::Conflict, format!("This conversation belongs to {owner} already.")))
            }
            _ => self.assign(by, id, Some(&by.requester.user_id)).await,
        }
    }

    /// Sets the status of a conversation.
    ///
    /// # Errors
    /// As [`Flows::assign`]; `InvalidParam` for a status that is none.
    pub async fn set_status(
        &self,
        by: &Caller<'_>,
        id: &str,
        status: &str,
        until: Option<Ms>,
    ) -> Result<ConversationRow> {
        let row = self.conversation(by, id).await?;
        let change = self.contacts.plan_status(&row, status, until, by.actor.clone()).await?;
        self.submit_act(change).await?;
        self.again(id).await
    }

    async fn again(&self, id: &str) -> Result<ConversationRow> {
        let row = conversations::by_id(&mut self.store.reader(), id).await?;
        row.ok_or_else(|| Error::not_found("There is no such conversation."))
    }

    pub(super) async fn submit_act(&self, change: Change) -> Result<()> {
        match self.store.submit(change).await {
            Err(error) if error.is_conflict() => Err(moved()),
            outcome => outcome.map(|_| ()),
        }
    }

    /// Changes a card; the rooms of its conversations are called by its new name.
    ///
    /// # Errors
    /// `NotFound` for what the caller may not see; `Conflict` when the card moved on since `version`.
    pub async fn patch_card(&self, by: &Caller<'_>, id: &str, version: i64, patch: &Patch) -> Result<Card> {
        let who = reader(by.requester)?;
        let card = self.contacts.card(who, id).await?;
        let owner = match &patch.owner {
            Some(Some(owner)) => Some(self.employee(&kontor_model::ids::user_id(owner)?).await?),
            _ => None,
        };
        let mut change = self.contacts.patch_card(&card, version, patch, owner, by.actor.clone()).await?;
        let news = News { kind: "contact.updated", contact: id, ..News::default() };
        self.contacts.tell(&mut change, &news, None).await?;
        self.submit_act(change).await?;
        self.relabel(id).await;
        match self.contacts.card(who, id).await {
            // Given to somebody else, and seen by its owner alone: what was changed is told a last time.
            Err(error) if error.code == Code::NotFound => Ok(card),
            outcome => outcome,
        }
    }

    /// Calls the rooms of a contact's conversations by its name; what fails is tried with the next change.
    pub async fn relabel(&self, contact: &str) {
        if let Err(error) = self.relabel_all(contact).await {
            tracing::warn!(contact.id = contact, error.cause = ?error, "rooms of a contact keep an old name");
        }
    }

    async fn relabel_all(&self, contact: &str) -> Result<()> {
        let everything = queue::Reader { user: 0, admin: true };
        let card = self.contacts.card(everything, contact).await?;
        let rows = conversations::of_contact(&mut self.store.reader(), contact).await?;
        for row in rows {
            let channel = self.contacts.channel(&row.channel).await.map(|channel| channel.name);
            let language = row.language.as_deref().and_then(Language::of).unwrap_or_default();
            let nameless = names::nameless(language, contact);
            let shown = card.display_name().unwrap_or(&nameless);
            let topic = names::topic(&card.contact.stage, language, &self.card_link(contact));
            let name = names::room(shown, channel.as_deref().unwrap_or(&row.channel));
            self.rename(&row.room_id, &name, &topic).await?;
            self.rename(&row.backstage_id, &names::backstage(shown, language), &topic).await?;
            self.rename_ghost(&row.ghost, shown).await?;
        }
        Ok(())
    }

    /// Whoever writes for the customer is called as the card is.
    async fn rename_ghost(&self, ghost: &str, name: &str) -> Result<()> {
        let ghost = OwnedUserId::try_from(ghost).map_err(Error::internal)?;
        if self.profile(&ghost).await?.displayname.as_deref() == Some(name) {
            return Ok(());
        }
        let user = self.store.name(ghost.as_str()).await?;
        let mut change = Change::default();
        change.set_profile_field(user, "displayname", &json!(name).to_string());
        self.store.submit(change).await?;
        self.profile_changed(&ghost, user).await
    }

    async fn rename(&self, room: &str, name: &str, topic: &str) -> Result<()> {
        let room_id = OwnedRoomId::try_from(room).map_err(Error::internal)?;
        let company = self.company().await?;
        for (kind, content) in [
            (StateEventType::RoomName, json!({ "name": name })),
            (StateEventType::RoomTopic, json!({ "topic": topic })),
        ] {
            let raw = serde_json::value::to_raw_value(&content).map_err(Error::internal)?;
            let content: CanonicalJsonObject = kontor_model::json::event_content(&raw)?;
            let state =
                crate::state::NewState { room_id: &room_id, kind: &kind.to_string(), key: "", content };
            let by = Caller { requester: &company, actor: Default::default(), now: self.clock.now() };
            self.set_state(&by, state).await?;
        }
        Ok(())
    }

    /// Where the page of a card is.
    pub(crate) fn card_link(&self, contact: &str) -> String {
        format!("{}/_kontor/card/{contact}", self.settings.public_base_url)
    }

    /// A draft of the link between the rooms of a conversation.
    pub(crate) fn link(
        &self,
        conversation: &str,
        contact: &str,
        rooms: (&str, &str),
        company: &UserId,
        now: Ms,
    ) -> Result<Draft> {
        let content = json!({
            "conversation_id": conversation,
            "contact_id": contact,
            "room_id": rooms.0,
            "backstage_room_id": rooms.1,
        });
        let raw = serde_json::value::to_raw_value(&content).map_err(Error::internal)?;
        let content = kontor_model::json::event_content(&raw)?;
        Ok(Draft::state(super::LINK, "", content, company.to_owned(), now))
    }
}
