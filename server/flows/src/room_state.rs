//! Reading the state of rooms: members as it is, those who left as it was when they left.

use crate::Flows;
use crate::history::RoomReading;
use kontor_model::position::RoomToken;
use kontor_model::{Error, Requester, Result};
use kontor_rooms::VisibleEvent;
use kontor_rooms::member::Profile;
use kontor_store::rooms::{alias as directory, events, members, roster, state};
use ruma::RoomId;

const MEMBER: &str = "m.room.member";

/// Which members are asked for.
#[derive(Clone, Debug, Default)]
pub struct MembersFilter {
    /// As of this place; the present if absent.
    pub at: Option<RoomToken>,
    /// Of this membership.
    pub membership: Option<String>,
    /// Or not of this one.
    pub not_membership: Option<String>,
}

impl RoomReading<'_> {
    /// The place as of which the reader knows the room's state; `None` = the present.
    fn until(&self) -> Option<i64> {
        self.visibility.state_until().filter(|until| *until < self.newest)
    }

    async fn shown(&mut self, nids: &[i64]) -> Result<Vec<VisibleEvent>> {
        let asker = self.asker();
        let rows = events::by_nids(&mut self.snapshot, asker, nids).await?;
        let viewer = self.viewer();
        let mut list: Vec<_> = rows.into_iter().filter_map(|row| viewer.see_state(row)).collect();
        self.explain(&mut list).await?;
        Ok(list)
    }
}

impl Flows {
    /// The whole state of a room, as the reader may know it.
    ///
    /// # Errors
    /// `Forbidden` for those who never were in the room.
    pub async fn room_state(&self, by: &Requester, room_id: &RoomId) -> Result<Vec<VisibleEvent>> {
        let mut room = self.read_room(by, room_id).await?;
        let nids = match room.until() {
            None => state::current(&mut room.snapshot, &[room.room], false).await?,
            Some(until) => state::at(&mut room.snapshot, &[(room.room, until)], false).await?,
        };
        room.shown(&nids).await
    }

    /// One event of a room's state, as the reader may know it.
    ///
    /// # Errors
    /// `Forbidden` for those who never were in the room, `NotFound` without such a state event.
    pub async fn room_state_event(
        &self,
        by: &Requester,
        room_id: &RoomId,
        kind: &str,
        key: &str,
    ) -> Result<VisibleEvent> {
        let mut room = self.read_room(by, room_id).await?;
        // No event has such a type or key, and PostgreSQL would not even take the question.
        let possible = !kind.contains('\0') && !key.contains('\0');
        let nid = match room.until() {
            _ if !possible => None,
            None => state::current_event(&mut room.snapshot, room.room, kind, key).await?,
            Some(until) => state::event_at(&mut room.snapshot, room.room, kind, key, until).await?,
        };
        let seen = room.shown(&nid.into_iter().collect::<Vec<_>>()).await?;
        seen.into_iter().next().ok_or_else(|| Error::not_found("The room has no such state event."))
    }

    /// The member events of a room, as the reader may know them.
    ///
    /// # Errors
    /// `Forbidden` for those who never were in the room; `InvalidParam` for a forged place.
    pub async fn members(
        &self,
        by: &Requester,
        room_id: &RoomId,
        filter: &MembersFilter,
    ) -> Result<Vec<VisibleEvent>> {
        let mut room = self.read_room(by, room_id).await?;
        if let Some(at) = filter.at {
            room.check(at)?;
        }
        let at = filter.at.map(|at| at.0).filter(|at| *at < room.newest);
        let nids = match at.into_iter().chain(room.until()).min() {
            None => state::current_of_types(&mut room.snapshot, &[room.room], &[MEMBER]).await?,
            Some(until) => roster::of_type_at(&mut room.snapshot, room.room, MEMBER, until).await?,
        };
        let mut list = room.shown(&nids).await?;
        list.retain(|event| filter.takes(event.content().get()));
        Ok(list)
    }

    /// The joined members of a room with their profiles; for members only.
    ///
    /// # Errors
    /// `Forbidden` for everybody else.
    pub async fn joined_members(&self, by: &Requester, room_id: &RoomId) -> Result<Vec<(String, Profile)>> {
        let mut room = self.read_room(by, room_id).await?;
        if room.visibility.membership() != "join" {
            return Err(Error::forbidden("You are not a member of this room."));
        }
        let entries = roster::joined(&mut room.snapshot, room.room).await?;
        Ok(entries.into_iter().map(|entry| (entry.user_id, Profile::read(&entry.content))).collect())
    }

    /// The rooms that the caller has joined.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn joined_rooms(&self, by: &Requester) -> Result<Vec<String>> {
        members::joined_rooms(&mut self.store.reader(), by.user).await
    }

    /// The aliases that this server keeps for a room.
    ///
    /// # Errors
    /// `Forbidden` for strangers and those who left, unless the room is open to the world.
    pub async fn aliases(&self, by: &Requester, room_id: &RoomId) -> Result<Vec<String>> {
        let mut room = self.read_room(by, room_id).await?;
        if room.visibility.state_until() != Some(i64::MAX) {
            return Err(Error::forbidden("You are not a member of this room."));
        }
        directory::of_room(&mut room.snapshot, room.room).await
    }
}

impl MembersFilter {
    /// The two conditions are alternatives (client-server API, "GET …/members").
    fn takes(&self, content: &str) -> bool {
        #[derive(serde::Deserialize)]
        struct Member {
            membership: String,
        }
        let found = serde_json::from_str::<Member>(content).map(|member| member.membership).ok();
        match (&self.membership, &self.not_membership) {
            (None, None) => true,
            (wanted, unwanted) => {
                let is = wanted.is_some() && found == *wanted;
                let is_not = unwanted.is_some() && found != *unwanted;
                is || is_not
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_conditions_on_members_are_alternatives() {
        let filter = |membership: Option<&str>, not_membership: Option<&str>| MembersFilter {
            at: None,
            membership: membership.map(str::to_owned),
            not_membership: not_membership.map(str::to_owned),
        };
        let member = |membership: &str| format!(r#"{{"membership":"{membership}"}}"#);
        for (filter, taken) in [
            (filter(None, None), vec!["join", "invite", "leave"]),
            (filter(Some("join"), None), vec!["join"]),
            (filter(None, Some("leave")), vec!["join", "invite"]),
            (filter(Some("leave"), Some("join")), vec!["invite", "leave"]),
        ] {
            let found: Vec<_> =
                ["join", "invite", "leave"].into_iter().filter(|m| filter.takes(&member(m))).collect();
            assert_eq!(found, taken);
        }
    }
}
