//! The directory of aliases and of published rooms.

use crate::Flows;
use crate::caller::Caller;
use kontor_model::{Code, Draft, Error, Requester, Result, ids};
use kontor_rooms::{Head, alias};
use kontor_store::Change;
use kontor_store::audit::{Action, Audit};
use kontor_store::rooms::{alias as directory, head, members};
use ruma::events::StateEventType;
use ruma::{CanonicalJsonObject, OwnedRoomId, RoomAliasId, RoomId};

const CANONICAL: &str = "m.room.canonical_alias";

fn no_alias(alias: &RoomAliasId) -> Error {
    Error::not_found(format!("There is no room with the alias {alias}."))
}

fn no_room() -> Error {
    Error::not_found("There is no such room.")
}

/// Whether the user speaks for the room in matters of its names.
fn speaks_for(head: &Head, by: &Requester) -> bool {
    let powers = head.powers();
    head.membership(&by.user_id) == "join"
        && powers.of_user(by.user_id.as_str()) >= powers.needed_for_state(CANONICAL)
}

impl Flows {
    /// The room that an alias points to.
    ///
    /// # Errors
    /// `NotFound` without such an alias, or when it belongs to another server; `TimedOut` when a service
    /// does not say whether there is one.
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<OwnedRoomId> {
        if alias.server_name() != self.settings.server_name {
            return Err(Error::not_found(format!(
                "{alias} belongs to another server, and this server does not talk to others yet."
            )));
        }
        let mut row = directory::target(&mut self.store.reader(), alias.as_str()).await?;
        if row.is_none() && self.ask_for_alias(alias).await? {
            row = directory::target(&mut self.store.reader(), alias.as_str()).await?;
        }
        let row = row.ok_or_else(|| no_alias(alias))?;
        OwnedRoomId::try_from(row.room_id).map_err(Error::internal)
    }

    /// Gives a room an alias.
    ///
    /// # Errors
    /// `InvalidParam` for an alias of another server, `NotFound` without such a room, `Forbidden`
    /// when the caller may not, `Conflict` for a taken alias.
    pub async fn add_alias(&self, by: &Caller<'_>, alias: &RoomAliasId, room_id: &RoomId) -> Result<()> {
        alias::belongs_to(alias, &self.settings.server_name)?;
        self.check_alias_owner(by.requester, alias)?;
        let mut reader = self.store.reader();
        let room = head::room(&mut reader, room_id.as_str()).await?.ok_or_else(no_room)?.room;
        if self.settings.alias_needs_membership && !by.requester.admin {
            let mine = members::membership_of(&mut reader, room_id.as_str(), by.requester.user).await?;
            if mine.is_none_or(|mine| mine.membership != "join") {
                return Err(Error::forbidden("Only members of a room may give it an alias."));
            }
        }
        let mut change = Change::default();
        change.add_alias(alias.as_str(), room, by.requester.user, by.now);
        change.audit(self.store.nid().await?, alias_changed(by, room_id, alias, "added"));
        match self.store.submit(change).await {
            Err(error) if error.is_conflict() => {
                Err(Error::new(Code::Conflict, format!("The alias {alias} exists already.")))
            }
            outcome => outcome.map(|_| ()),
        }
    }

    /// Takes an alias away, also out of the room's canonical aliases if the caller may change those.
    ///
    /// # Errors
    /// `NotFound` without such an alias; `Forbidden` when the caller may not.
    pub async fn remove_alias(&self, by: &Caller<'_>, alias: &RoomAliasId) -> Result<()> {
        alias::belongs_to(alias, &self.settings.server_name)?;
        self.check_alias_owner(by.requester, alias)?;
        let row = directory::target(&mut self.store.reader(), alias.as_str()).await?;
        let row = row.ok_or_else(|| no_alias(alias))?;
        let room_id = OwnedRoomId::try_from(row.room_id).map_err(Error::internal)?;
        let head = self.rooms.lanes.peek(&room_id).await?;
        let speaks = speaks_for(&head, by.requester);
        let own = by.requester.service.is_some();
        if row.creator != by.requester.user && !by.requester.admin && !speaks && !own {
            return Err(Error::forbidden("Only who made an alias, or has the power to, may remove it."));
        }
        let mut change = Change::default();
        change.remove_alias(alias.as_str(), row.room);
        change.audit(self.store.nid().await?, alias_changed(by, &room_id, alias, "removed"));
        match self.store.submit(change).await {
            Err(error) if error.is_conflict() => return Err(no_alias(alias)),
            outcome => outcome?,
        };
        let listed: Option<CanonicalJsonObject> = head.content(&StateEventType::RoomCanonicalAlias, "");
        let left = listed.and_then(|content| alias::without(&content, alias));
        if let Some(content) = left.filter(|_| speaks) {
            let sender = by.requester.user_id.clone();
            let draft = Draft::state(CANONICAL, "", content, sender, by.now);
            // The alias is gone either way.
            if let Err(error) = self.post_one(&room_id, draft).await {
                tracing::warn!(room.id = %room_id, error.cause = ?error, "a removed alias is still listed");
            }
        }
        Ok(())
    }

    /// Fails unless the caller may make or remove such an alias at all: people keep out of what is a
    /// service's own, and services keep to their own (application service API, "Server admin style
    /// permissions").
    ///
    /// # Errors
    /// `Exclusive`.
    pub(crate) fn check_alias_owner(&self, by: &Requester, alias: &RoomAliasId) -> Result<()> {
        let known = self.identity.services().now();
        let own = by.service.as_deref();
        if own.and_then(|id| known.by_id(id)).is_some_and(|service| !service.has_alias(alias)) {
            let message = "This alias is outside the application service's namespaces.";
            return Err(Error::new(Code::Exclusive, message));
        }
        if known.keeps_alias(alias, own) {
            let message = "This alias is kept for rooms of another network. Choose another.";
            return Err(Error::new(Code::Exclusive, message));
        }
        Ok(())
    }

    /// Whether the room directory shows a room.
    ///
    /// # Errors
    /// `NotFound` without such a room.
    pub async fn is_published(&self, room_id: &RoomId) -> Result<bool> {
        let row = head::room(&mut self.store.reader(), room_id.as_str()).await?;
        Ok(row.ok_or_else(no_room)?.published)
    }

    /// Shows a room in the directory, or no longer.
    ///
    /// # Errors
    /// `NotFound` without such a room; `Forbidden` when the caller may not.
    pub async fn publish(&self, by: &Caller<'_>, room_id: &RoomId, published: bool) -> Result<()> {
        let head = self.rooms.lanes.peek(room_id).await?;
        if published {
            if crate::conversation::kind(&head).is_some() {
                return Err(Error::forbidden("Rooms of conversations with customers are in no directory."));
            }
            self.check_publisher(by.requester)?;
        }
        if !by.requester.admin && !speaks_for(&head, by.requester) {
            return Err(Error::forbidden("You do not have the power to publish this room."));
        }
        let mut change = Change::default();
        change.publish_room(head.room, published);
        let mut row = Audit::done(Action::RoomAliasChange, by.actor.clone(), by.now);
        row.detail = Some(serde_json::json!({ "published": published }).to_string());
        change.audit(self.store.nid().await?, row.on("room", room_id.as_str()));
        self.store.submit(change).await.map(|_| ())
    }

    /// Shows a room in the directory of a service's network, or no longer.
    ///
    /// # Errors
    /// `Forbidden` for callers that are no application service, `NotFound` without such a room.
    pub async fn list_in_network(
        &self,
        by: &Caller<'_>,
        network: &str,
        room_id: &RoomId,
        shown: bool,
    ) -> Result<()> {
        let Some(service) = &by.requester.service else {
            return Err(Error::forbidden("Only application services list rooms of their networks."));
        };
        ids::storable_key(network, "network id")?;
        let room = head::room(&mut self.store.reader(), room_id.as_str()).await?.ok_or_else(no_room)?.room;
        let mut change = Change::default();
        change.list_in_network(service, network, room, shown);
        let mut row = Audit::done(Action::RoomAliasChange, by.actor.clone(), by.now);
        row.detail = Some(serde_json::json!({ "published": shown, "network": network }).to_string());
        change.audit(self.store.nid().await?, row.on("room", room_id.as_str()));
        self.store.submit(change).await.map(|_| ())
    }

    /// Fails unless the user may show rooms in the directory at all.
    ///
    /// # Errors
    /// `Forbidden`.
    pub(crate) fn check_publisher(&self, by: &Requester) -> Result<()> {
        if self.settings.only_admins_publish && !by.admin {
            return Err(Error::forbidden("Only administrators publish rooms on this server."));
        }
        Ok(())
    }
}

fn alias_changed(by: &Caller<'_>, room_id: &RoomId, alias: &RoomAliasId, how: &str) -> Audit {
    let mut row = Audit::done(Action::RoomAliasChange, by.actor.clone(), by.now).on("room", room_id.as_str());
    row.detail = Some(serde_json::json!({ how: alias.as_str() }).to_string());
    row
}
