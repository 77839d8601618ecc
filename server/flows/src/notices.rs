//! Notices of the server (client-server API, "Server notices"): to one person, or to everybody in
//! rounds that a crash only delays. Each person has one room for them, which the server's own account
//! made; the invitation to it cannot be declined.

use crate::Flows;
use crate::caller::Caller;
use crate::create_room::NewRoom;
use crate::post::{Post, first};
use crate::send::transaction;
use kontor_model::json::event_content;
use kontor_model::{Code, Draft, Error, Nid, Requester, Result};
use kontor_rooms::Head;
use kontor_rooms::member::Membership;
use kontor_rooms::presets::Preset;
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::identity::notices;
use ruma::events::StateEventType;
use ruma::{CanonicalJsonObject, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::{Map, Value, json};

/// The `msgtype` of notices.
const NOTICE: &str = "m.server_notice";
/// What the room is called; the same in every language.
const ROOM_NAME: &str = "Kontor";
/// People of one step of a round.
const STEP: i64 = 50;
/// Power that nobody but the server's own account has.
const ABOVE_PEOPLE: i64 = 50;
/// Longest text, bytes.
const LONGEST: usize = 16_000;

/// What the notice says besides its text.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Notice {
    /// The text.
    pub body: String,
    /// The text as HTML.
    pub formatted_body: Option<String>,
    /// What kind of notice it is, such as `m.server_notice.usage_limit_reached`.
    pub server_notice_type: Option<String>,
    /// Whom to turn to, a URI.
    pub admin_contact: Option<String>,
    /// Which limit was reached.
    pub limit_type: Option<String>,
}

impl Notice {
    /// The content of the message.
    ///
    /// # Errors
    /// `InvalidParam` for an empty or endless text, or a usage notice that names no contact.
    fn content(&self) -> Result<Value> {
        let long = self.body.len() + self.formatted_body.as_ref().map_or(0, String::len) > LONGEST;
        if self.body.trim().is_empty() || long {
            return Err(Error::invalid_param(format!("A notice has a text of 1 to {LONGEST} bytes.")));
        }
        let kind = self.server_notice_type.as_deref().unwrap_or("dev.kontor.announcement");
        let mut content = Map::from_iter([
            ("msgtype".to_owned(), NOTICE.into()),
            ("body".to_owned(), self.body.as_str().into()),
            ("server_notice_type".to_owned(), kind.into()),
        ]);
        let mut add = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                content.insert(key.to_owned(), value.into());
            }
        };
        add("format", self.formatted_body.as_ref().map(|_| "org.matrix.custom.html"));
        add("formatted_body", self.formatted_body.as_deref());
        add("admin_contact", self.admin_contact.as_deref());
        add("limit_type", self.limit_type.as_deref());
        Ok(content.into())
    }
}

impl Flows {
    /// Tells one person something; returns when it is on the disk.
    ///
    /// # Errors
    /// `NotFound` without such a person, `InvalidParam` for what cannot be a notice.
    pub async fn send_notice(&self, user_id: &UserId, notice: &Notice, actor: Actor) -> Result<OwnedEventId> {
        let content = notice.content()?;
        let state = self.identity.account_state(user_id).await?;
        if state == kontor_identity::AccountState::Deactivated {
            return Err(Error::not_found("This account was deactivated."));
        }
        let user = self.store.name(user_id.as_str()).await?;
        let id = self.store.nid().await?;
        let audit =
            Audit::done(Action::SystemNoticeSend, actor, self.clock.now()).on("user", user_id.as_str());
        let sent = self.tell(user, user_id, id, &content).await?;
        let mut change = Change::default();
        change.audit(self.store.nid().await?, audit);
        self.store.submit(change).await?;
        Ok(sent)
    }

    /// Begins to tell everybody something; [`Flows::notice_rounds`] does the rest.
    ///
    /// # Errors
    /// `InvalidParam` for what cannot be a notice.
    pub async fn begin_notice_round(&self, notice: &Notice, actor: Actor) -> Result<Nid> {
        let content = notice.content()?;
        let (id, now) = (self.store.nid().await?, self.clock.now());
        let mut change = Change::default();
        change.begin_notice_round(id, &content.to_string(), now);
        let mut audit = Audit::done(Action::SystemNoticeSend, actor, now);
        audit.detail = Some("{\"to\":\"everybody\"}".to_owned());
        change.audit(self.store.nid().await?, audit);
        self.store.submit(change).await?;
        Ok(id)
    }

    /// Brings rounds to their end, if this process has the turn.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn notice_rounds(&self) -> Result<()> {
        while let Some(round) = notices::next_round(&mut self.store.reader()).await? {
            if self.in_turn("notices", self.notice_step(&round)).await?.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells the next people of a round.
    async fn notice_step(&self, round: &notices::RoundRow) -> Result<()> {
        let people = notices::people(&mut self.store.reader(), round.after, STEP).await?;
        let content: Value = serde_json::from_str(&round.content).map_err(Error::internal)?;
        for (user, user_id) in &people {
            let told = match OwnedUserId::try_from(user_id.as_str()) {
                Ok(user_id) => self.tell(*user, &user_id, round.notice, &content).await.map(|_| ()),
                Err(cause) => Err(Error::internal(cause)),
            };
            match told {
                Err(error) if error.code == Code::Unavailable => return Err(error),
                Err(error) => {
                    tracing::warn!(user.id = user_id, error.cause = ?error, "somebody was not told a notice");
                }
                Ok(()) => {}
            }
        }
        let mut change = Change::default();
        match people.last() {
            Some((last, _)) => change.move_notice_round(round.notice, *last),
            None => change.end_notice_round(round.notice),
        }
        self.store.submit(change).await?;
        Ok(())
    }

    /// Tells somebody a notice that has a number, once however often it is tried.
    ///
    /// # Errors
    /// As [`Flows::send_notice`].
    pub(crate) async fn tell_once(
        &self,
        user: Nid,
        user_id: &UserId,
        id: Nid,
        notice: &Notice,
    ) -> Result<()> {
        self.tell(user, user_id, id, &notice.content()?).await.map(drop)
    }

    /// Tells somebody a notice, once however often it is tried.
    async fn tell(&self, user: Nid, user_id: &UserId, notice: Nid, content: &Value) -> Result<OwnedEventId> {
        let service = self.service().await?;
        let by = Caller { requester: &service, actor: Actor::default(), now: self.clock.now() };
        let room_id = match notices::room_of(&mut self.store.reader(), user).await? {
            Some(room_id) => OwnedRoomId::try_from(room_id).map_err(Error::internal)?,
            None => self.notice_room(&by, user).await?,
        };
        self.ask_in(&service, &room_id, user_id).await?;
        let txn = transaction(&by, &["notice", user_id.as_str()], &notice.to_string())?;
        let content: CanonicalJsonObject = object(content)?;
        let draft = Draft::message("m.room.message", content, service.user_id.clone(), by.now);
        first(self.post(&room_id, Post { drafts: vec![draft], txn: Some(txn), ..Post::default() }).await?)
    }

    /// The server itself as a requester; its account is made when it is needed for the first time.
    async fn service(&self) -> Result<Requester> {
        let (service, missing) = self.identity.service_requester().await?;
        if let Some(account) = missing {
            match self.store.submit(account).await {
                // Another process made it at the same moment.
                Err(error) if error.is_conflict() => {}
                outcome => drop(outcome?),
            }
        }
        Ok(service)
    }

    /// Makes somebody's room for notices.
    async fn notice_room(&self, by: &Caller<'_>, user: Nid) -> Result<OwnedRoomId> {
        let levels = json!({ "events_default": ABOVE_PEOPLE, "invite": ABOVE_PEOPLE, "users_default": 0 });
        let wish = NewRoom {
            preset: Some(Preset::PrivateChat),
            name: Some(ROOM_NAME.to_owned()),
            topic: Some(self.settings.server_name.to_string()),
            creation_content: object(&json!({ "m.federate": false }))?,
            power_levels: object(&levels)?,
            ..NewRoom::default()
        };
        let room_id = self.create_room(by, wish).await?;
        let room = self.rooms.lanes.peek(&room_id).await?.room;
        let mut change = Change::default();
        change.set_notice_room(user, room_id.as_str());
        change.set_account_data(user, Some(room), "m.tag", "{\"tags\":{\"m.server_notice\":{}}}");
        match self.store.submit(change).await {
            // Somebody else told the same person something at the same moment.
            Err(error) if error.is_conflict() => {
                let theirs = notices::room_of(&mut self.store.reader(), user).await?.ok_or(error)?;
                OwnedRoomId::try_from(theirs).map_err(Error::internal)
            }
            outcome => outcome.map(|_| room_id),
        }
    }

    /// Invites somebody who is not in the room, whatever they set about invitations.
    async fn ask_in(&self, service: &Requester, room_id: &RoomId, user_id: &UserId) -> Result<()> {
        let profile = self.profile(user_id).await?;
        let invitation =
            Membership { membership: "invite", profile: Some(&profile), ..Membership::default() }.content();
        let now = self.clock.now();
        let decide = |head: &Head| {
            let there = ["join", "invite"].contains(&head.membership(user_id).as_str());
            let draft = || {
                Draft::state(
                    "m.room.member",
                    user_id.as_str(),
                    invitation.clone(),
                    service.user_id.clone(),
                    now,
                )
            };
            Ok((!there).then(draft).into_iter().collect())
        };
        self.post(room_id, Post { decide: Some(&decide), ..Post::default() }).await.map(|_| ())
    }

    /// Refuses that somebody declines the server's own invitation.
    ///
    /// # Errors
    /// `CannotLeaveServerNoticeRoom`.
    pub(crate) fn check_declining(&self, head: &Head, user: &UserId) -> Result<()> {
        if head.membership(user) != "invite" {
            return Ok(());
        }
        let service = self.identity.service_user_id()?;
        let invitation = head.get(&StateEventType::RoomMember, user.as_str());
        if invitation.is_some_and(|entry| entry.pdu.sender == service) {
            return Err(Error::new(
                Code::CannotLeaveServerNoticeRoom,
                "This is where the server tells you what you need to know; the invitation cannot be declined.",
            ));
        }
        Ok(())
    }
}

fn object(value: &Value) -> Result<CanonicalJsonObject> {
    event_content(&serde_json::value::to_raw_value(value).map_err(Error::internal)?)
}
