//! Setting state as clients write it, with the checks of the types that this server looks into.

use crate::Flows;
use crate::caller::Caller;
use crate::post::{Post, Rows, first};
use kontor_model::{Draft, Error, Result, ids};
use kontor_rooms::member::Membership;
use kontor_rooms::{Head, alias};
use kontor_store::rooms::events::{self, Asker, EventRow};
use kontor_store::rooms::{alias as directory, roster};
use ruma::events::StateEventType;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedEventId, OwnedUserId, RoomId, UserId};

/// A state event to be set.
#[derive(Debug)]
pub struct NewState<'a> {
    /// Where.
    pub room_id: &'a RoomId,
    /// Event type.
    pub kind: &'a str,
    /// State key.
    pub key: &'a str,
    /// Content.
    pub content: CanonicalJsonObject,
}

impl Flows {
    /// Sets a state event.
    ///
    /// # Errors
    /// As [`Flows::post`]; `BadAlias` and `InvalidParam` for canonical aliases that do not point
    /// here; those of the membership procedures for member events.
    pub async fn set_state(&self, by: &Caller<'_>, state: NewState<'_>) -> Result<OwnedEventId> {
        self.set_state_with(by, state, None).await
    }

    /// Sets a state event, with rows that belong to the act; they are not written when nothing is,
    /// because the state stands already, nor with memberships.
    ///
    /// # Errors
    /// As [`Flows::set_state`].
    pub(crate) async fn set_state_with(
        &self,
        by: &Caller<'_>,
        state: NewState<'_>,
        rows: Option<Rows<'_>>,
    ) -> Result<OwnedEventId> {
        let NewState { room_id, kind, key, content } = state;
        match (kind, key) {
            ("m.room.create", _) => {
                return Err(Error::forbidden("The create event of a room cannot be replaced."));
            }
            ("m.room.member", user) => {
                let user = ids::user_id(user)?;
                return self.set_member(by, room_id, &user, content).await;
            }
            ("m.room.canonical_alias", "") => self.check_aliases(room_id, &content).await?,
            _ => {}
        }
        if let Some(event_id) = self.stands_already(by, room_id, kind, key, &content).await? {
            return Ok(event_id);
        }
        let guests = self.guests_to_go(by, room_id, kind, key, &content).await?;
        let sender = by.requester.user_id.clone();
        let draft = Draft::state(kind, key, content, sender, by.now);
        let leave = Membership { membership: "leave", ..Membership::default() }.content();
        let go = |head: &Head| {
            let inside = |guest: &&OwnedUserId| matches!(head.membership(guest).as_str(), "join" | "invite");
            let out = |guest: &OwnedUserId| {
                Draft::state("m.room.member", guest.as_str(), leave.clone(), guest.clone(), by.now)
            };
            Ok(guests.iter().filter(inside).map(out).collect())
        };
        let post = Post {
            drafts: vec![draft],
            decide: Some(&go),
            actor: Some(by.actor.clone()),
            rows,
            ..Post::default()
        };
        first(self.post(room_id, post).await?)
    }

    /// The current state event, if it is the caller's and says just this: clients that repeat
    /// themselves fill no history.
    async fn stands_already(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        kind: &str,
        key: &str,
        content: &CanonicalJsonObject,
    ) -> Result<Option<OwnedEventId>> {
        let head = self.rooms.lanes.peek(room_id).await?;
        let user = &by.requester.user_id;
        let powers = head.powers();
        let may =
            head.membership(user) == "join" && powers.of_user(user.as_str()) >= powers.needed_for_state(kind);
        let Some(entry) = head.get(&kind.into(), key).filter(|entry| may && entry.pdu.sender == *user) else {
            return Ok(None);
        };
        let asker = Asker { user: by.requester.user, device: by.requester.device_id.as_str() };
        let rows = events::by_nids(&mut self.store.reader(), asker, &[entry.nid]).await?;
        let same = |row: &std::sync::Arc<EventRow>| {
            serde_json::from_str::<CanonicalJsonObject>(row.content.get()).is_ok_and(|old| old == *content)
        };
        Ok(rows.first().is_some_and(same).then(|| entry.pdu.event_id.clone()))
    }

    /// Fails unless the aliases that are new in the event point to the room.
    async fn check_aliases(&self, room_id: &RoomId, content: &CanonicalJsonObject) -> Result<()> {
        let head = self.rooms.lanes.peek(room_id).await?;
        let before: Option<CanonicalJsonObject> = head.content(&StateEventType::RoomCanonicalAlias, "");
        let added = alias::added(before.as_ref(), content)?;
        let found = directory::targets(&mut self.store.reader(), &added).await?;
        let here = |alias: &&ruma::OwnedRoomAliasId| {
            found.iter().any(|(text, room)| text == alias.as_str() && room == room_id.as_str())
        };
        match added.iter().find(|alias| !here(alias)) {
            Some(elsewhere) => Err(alias::points_elsewhere(elsewhere)),
            None => Ok(()),
        }
    }

    /// The guests who must leave because the room closes to guests (client-server API, "Guest
    /// access").
    async fn guests_to_go(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        kind: &str,
        key: &str,
        content: &CanonicalJsonObject,
    ) -> Result<Vec<OwnedUserId>> {
        let access = content.get("guest_access").and_then(CanonicalJsonValue::as_str);
        if kind != "m.room.guest_access" || !key.is_empty() || access == Some("can_join") {
            return Ok(Vec::new());
        }
        let head = self.rooms.lanes.peek(room_id).await?;
        if head.membership(&by.requester.user_id) != "join" {
            return Ok(Vec::new());
        }
        let guests = roster::guests(&mut self.store.reader(), head.room).await?;
        Ok(guests.iter().filter_map(|guest| UserId::parse(guest).ok()).collect())
    }
}
