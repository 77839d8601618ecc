//! Coming and going: every change of membership is decided on the room as it stands, so that a
//! repeated request finds nothing to do.

use crate::Flows;
use crate::caller::Caller;
use crate::post::Post;
use kontor_model::{Code, Draft, Error, Nid, Result};
use kontor_rooms::join::{self, Elsewhere};
use kontor_rooms::member::Membership;
use kontor_rooms::{Act, Head, alias};
use kontor_store::Change;
use kontor_store::rooms::{members, roster};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UserId};

/// Decides on the content of the member event; `None` when there is nothing to do.
type Decide<'a> = &'a (dyn Fn(&Head) -> Result<Option<CanonicalJsonObject>> + Send + Sync);

/// Fields of a member event that only the server may set.
const SERVERS_WORD: &str = "join_authorised_via_users_server";

impl Flows {
    /// The room that a client means, by id or alias.
    ///
    /// # Errors
    /// `InvalidParam` when it is neither; `NotFound` for an alias that does not exist.
    pub async fn find_room(&self, room_or_alias: &str) -> Result<OwnedRoomId> {
        if room_or_alias.starts_with('#') {
            return self.resolve_alias(&alias::parse(room_or_alias)?).await;
        }
        RoomId::parse(room_or_alias)
            .map_err(|_| Error::invalid_param("This is neither a room id nor a room alias."))
    }

    /// Lets the caller join; whoever is in already stays in.
    ///
    /// # Errors
    /// `NotFound` without such a room, `Forbidden` when the room does not let the caller in, and
    /// those of [`join::authoriser`] and [`join::admits_guests`].
    pub async fn join(&self, by: &Caller<'_>, room_id: &RoomId, reason: Option<&str>) -> Result<()> {
        let profile = self.profile(&by.requester.user_id).await?;
        let content =
            Membership { membership: "join", profile: Some(&profile), reason, is_direct: false }.content();
        if self.join_as(by, room_id, content, false).await?.is_some() {
            self.carry_over_into(by.requester, room_id).await;
        }
        Ok(())
    }

    /// Joins with a content of the caller's own. `again` repeats the join of somebody who is in,
    /// which is how a name for one room is set.
    async fn join_as(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        content: CanonicalJsonObject,
        again: bool,
    ) -> Result<Option<OwnedEventId>> {
        let user = &by.requester.user_id;
        let unknown = |error: Error| match error.code {
            Code::NotFound => join::unknown_room(room_id),
            _ => error,
        };
        let head = self.rooms.lanes.peek(room_id).await.map_err(unknown)?;
        let elsewhere = self.elsewhere(&head, by.requester.user).await?;
        let decide = |head: &Head| {
            let joined = head.membership(user) == "join";
            if joined && !again {
                return Ok(None);
            }
            if by.requester.guest && !joined {
                join::admits_guests(head)?;
            }
            let mut content = content.clone();
            if let Some(authoriser) = join::authoriser(head, user, &self.settings.server_name, &elsewhere)? {
                content.insert(SERVERS_WORD.to_owned(), CanonicalJsonValue::String(authoriser.into()));
            }
            Ok(Some(content))
        };
        self.change_membership(by, room_id, user, &decide).await
    }

    /// Of the rooms whose members the room lets in: those that this server knows.
    async fn elsewhere(&self, head: &Head, user: Nid) -> Result<Elsewhere> {
        let Some(rooms) = join::allowed_rooms(head).filter(|rooms| !rooms.is_empty()) else {
            return Ok(Elsewhere::default());
        };
        let rooms: Vec<&str> = rooms.iter().map(|room| room.as_str()).collect();
        let found = roster::joined_among(&mut self.store.reader(), user, &rooms).await?;
        let known =
            found.into_iter().filter_map(|(room, joined)| Some((OwnedRoomId::try_from(room).ok()?, joined)));
        Ok(Elsewhere(known.collect()))
    }

    /// Invites a user; whoever is invited already stays so.
    ///
    /// # Errors
    /// `Forbidden` when the caller may not, `NotFound` for a user who does not exist.
    pub async fn invite(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        user: &UserId,
        reason: Option<&str>,
    ) -> Result<()> {
        // Strangers to the room hear that first, and learn nothing about who exists.
        self.check_inviter(by, room_id).await?;
        let people = self.invitable(&by.requester.user_id, &[user.to_owned()]).await?;
        let profile = people.first().map(|person| &person.profile);
        let content = Membership { membership: "invite", profile, reason, is_direct: false }.content();
        self.invite_as(by, room_id, user, content).await.map(|_| ())
    }

    async fn invite_as(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        user: &UserId,
        content: CanonicalJsonObject,
    ) -> Result<Option<OwnedEventId>> {
        let decide = |head: &Head| {
            let repeated = head.membership(user) == "invite" && may_invite(head, &by.requester.user_id);
            Ok((!repeated).then(|| content.clone()))
        };
        self.change_membership(by, room_id, user, &decide).await
    }

    async fn check_inviter(&self, by: &Caller<'_>, room_id: &RoomId) -> Result<()> {
        let head = self.rooms.lanes.peek(room_id).await?;
        if head.membership(&by.requester.user_id) != "join" {
            return Err(Error::forbidden("You are not a member of this room."));
        }
        if !may_invite(&head, &by.requester.user_id) {
            return Err(Error::forbidden("You do not have the power to invite people to this room."));
        }
        Ok(())
    }

    /// Lets the caller leave, decline an invitation or take a knock back; whoever left already stays
    /// out.
    ///
    /// # Errors
    /// `Forbidden` for those who never were in the room, or are banned.
    pub async fn leave(&self, by: &Caller<'_>, room_id: &RoomId, reason: Option<&str>) -> Result<()> {
        let user = &by.requester.user_id;
        let content = Membership { membership: "leave", reason, ..Membership::default() }.content();
        let decide = |head: &Head| {
            self.check_declining(head, user)?;
            Ok((!has_left(head, user)).then(|| content.clone()))
        };
        self.change_membership(by, room_id, user, &decide).await.map(|_| ())
    }

    /// Removes somebody from the room, takes an invitation back or declines a knock.
    ///
    /// # Errors
    /// `Forbidden` when the caller may not, or the user is not there.
    pub async fn kick(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        user: &UserId,
        reason: Option<&str>,
    ) -> Result<()> {
        let content = Membership { membership: "leave", reason, ..Membership::default() }.content();
        let decide = |head: &Head| match head.membership(user).as_str() {
            // Of a banned user this would be the end of the ban.
            "ban" | "leave" => Err(Error::forbidden("This user is not in the room.")),
            _ => Ok(Some(content.clone())),
        };
        self.change_membership(by, room_id, user, &decide).await.map(|_| ())
    }

    /// Bans a user, who need not be in the room.
    ///
    /// # Errors
    /// `Forbidden` when the caller may not.
    pub async fn ban(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        user: &UserId,
        reason: Option<&str>,
    ) -> Result<()> {
        let content = Membership { membership: "ban", reason, ..Membership::default() }.content();
        let decide = |_: &Head| Ok(Some(content.clone()));
        self.change_membership(by, room_id, user, &decide).await.map(|_| ())
    }

    /// Ends a ban.
    ///
    /// # Errors
    /// `Forbidden` when the caller may not, or the user is not banned.
    pub async fn unban(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        user: &UserId,
        reason: Option<&str>,
    ) -> Result<()> {
        let content = Membership { membership: "leave", reason, ..Membership::default() }.content();
        let decide = |head: &Head| match head.membership(user).as_str() {
            "ban" => Ok(Some(content.clone())),
            _ => Err(Error::forbidden("This user is not banned from the room.")),
        };
        self.change_membership(by, room_id, user, &decide).await.map(|_| ())
    }

    /// Asks to be invited; whoever asked already waits on.
    ///
    /// # Errors
    /// `NotFound` without such a room, `Forbidden` when it cannot be knocked on.
    pub async fn knock(&self, by: &Caller<'_>, room_id: &RoomId, reason: Option<&str>) -> Result<()> {
        let user = &by.requester.user_id;
        let profile = self.profile(user).await?;
        let content =
            Membership { membership: "knock", profile: Some(&profile), reason, is_direct: false }.content();
        let decide = |head: &Head| Ok((head.membership(user) != "knock").then(|| content.clone()));
        self.change_membership(by, room_id, user, &decide).await.map(|_| ())
    }

    /// Forgets a room that the caller left.
    ///
    /// # Errors
    /// `NotFound` for a room that the caller never had to do with; `Unprocessable` before leaving.
    pub async fn forget(&self, by: &Caller<'_>, room_id: &RoomId) -> Result<()> {
        let user = by.requester.user;
        let mine = members::membership_of(&mut self.store.reader(), room_id.as_str(), user).await?;
        let mine = mine.ok_or_else(|| Error::not_found("You never were in this room."))?;
        let mut change = Change::default();
        change.forget_room(mine.room, user);
        match self.store.submit(change).await {
            Err(error) if error.is_conflict() => {
                Err(Error::new(Code::Unprocessable, "Leave the room before forgetting it."))
            }
            outcome => {
                // No event tells of it.
                self.sliding.forget(user);
                outcome.map(|_| ())
            }
        }
    }

    /// Sets a member event as a client wrote it (`PUT …/state/m.room.member/{userId}`).
    ///
    /// # Errors
    /// As the procedure for the membership that it names.
    pub(crate) async fn set_member(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        user: &OwnedUserId,
        mut content: CanonicalJsonObject,
    ) -> Result<OwnedEventId> {
        // Whoever could write this would let themselves in.
        content.remove(SERVERS_WORD);
        let membership = content.get("membership").and_then(CanonicalJsonValue::as_str);
        let posted = match membership {
            Some("join") if *user == by.requester.user_id => self.join_as(by, room_id, content, true).await?,
            Some("invite") => {
                self.check_inviter(by, room_id).await?;
                self.invitable(&by.requester.user_id, std::slice::from_ref(user)).await?;
                self.invite_as(by, room_id, user, content).await?
            }
            Some("leave") if *user == by.requester.user_id => {
                let decide = |head: &Head| {
                    self.check_declining(head, user)?;
                    Ok((!has_left(head, user)).then(|| content.clone()))
                };
                self.change_membership(by, room_id, user, &decide).await?
            }
            Some(_) => {
                let decide = |_: &Head| Ok(Some(content.clone()));
                self.change_membership(by, room_id, user, &decide).await?
            }
            None => return Err(Error::bad_json("A member event needs a \"membership\".")),
        };
        match posted {
            Some(event_id) => Ok(event_id),
            None => self.member_event(room_id, user).await,
        }
    }

    /// The event that stands for a membership which needed no change.
    async fn member_event(&self, room_id: &RoomId, user: &UserId) -> Result<OwnedEventId> {
        let head = self.rooms.lanes.peek(room_id).await?;
        let entry = head.get(&ruma::events::StateEventType::RoomMember, user.as_str());
        let entry = entry.ok_or_else(|| Error::not_found("The room has no such state event."))?;
        Ok(entry.pdu.event_id.clone())
    }

    async fn change_membership(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        user: &UserId,
        decide: Decide<'_>,
    ) -> Result<Option<OwnedEventId>> {
        let sender = &by.requester.user_id;
        let draft = |content| Draft::state("m.room.member", user.as_str(), content, sender.clone(), by.now);
        let decide = |head: &Head| Ok(decide(head)?.map(draft).into_iter().collect());
        let post = Post { decide: Some(&decide), actor: Some(by.actor.clone()), ..Post::default() };
        Ok(self.post(room_id, post).await?.into_iter().next())
    }
}

/// Whether somebody was in the room and is no longer.
fn has_left(head: &Head, user: &UserId) -> bool {
    let known = head.get(&ruma::events::StateEventType::RoomMember, user.as_str()).is_some();
    known && head.membership(user) == "leave"
}

fn may_invite(head: &Head, user: &UserId) -> bool {
    head.membership(user) == "join" && head.powers().may(user.as_str(), Act::Invite)
}
