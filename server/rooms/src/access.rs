//! Reading the state of rooms: members as it is, those who left as it was when they left, others not
//! at all unless the room is open to the world.

use crate::Rooms;
use crate::member::Profile;
use crate::view::{Viewer, VisibleEvent};
use crate::visibility::Visibility;
use kontor_model::{Error, Ms, Nid, Requester, Result};
use kontor_store::Snapshot;
use kontor_store::rooms::events::{self, Asker, EventRow};
use kontor_store::rooms::{head, members, roster, state};
use ruma::RoomId;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

const MEMBER: &str = "m.room.member";

/// Who reads, and when.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The reader.
    pub requester: &'a Requester,
    /// The present time, for the age of events.
    pub now: Ms,
}

/// Which members are asked for.
#[derive(Clone, Debug, Default)]
pub struct MembersFilter {
    /// As of this place; the present if absent.
    pub at: Option<i64>,
    /// Of this membership.
    pub membership: Option<String>,
    /// Or not of this one.
    pub not_membership: Option<String>,
}

/// A room as far as its reader may know its state.
struct Open {
    room: Nid,
    visibility: Visibility,
    /// The place up to which the state may be known; `None` = the present.
    until: Option<i64>,
}

fn closed() -> Error {
    Error::forbidden("You are not a member of this room.")
}

async fn open(source: &mut Snapshot<'_>, room_id: &RoomId, user: Nid) -> Result<Open> {
    let room = head::room(source, room_id.as_str()).await?.ok_or_else(closed)?.room;
    let mine = members::membership_of(source, room_id.as_str(), user).await?;
    let histories = state::histories(source, &[room], user).await?.remove(&room).unwrap_or_default();
    let visibility = Visibility::new(&histories);
    // Whoever forgot a room is a stranger to it.
    if mine.is_some_and(|mine| mine.forgotten) && !visibility.world_readable() {
        return Err(closed());
    }
    let until = visibility.state_until().ok_or_else(closed)?;
    Ok(Open { room, visibility, until: (until != i64::MAX).then_some(until) })
}

impl Reading<'_> {
    fn asker(&self) -> Asker<'_> {
        Asker { user: self.requester.user, device: self.requester.device_id.as_str() }
    }

    /// Makes the rows visible, with the redactions of those that were redacted.
    async fn see(
        &self,
        source: &mut Snapshot<'_>,
        room_id: &RoomId,
        open: &Open,
        rows: Vec<EventRow>,
    ) -> Result<Vec<VisibleEvent>> {
        let viewer = Viewer {
            reader: self.requester.user,
            visibility: &open.visibility,
            ignored: &HashSet::new(),
            room_id: Some(Arc::from(room_id.as_str())),
            now: self.now,
        };
        let mut seen: Vec<_> = rows.into_iter().filter_map(|row| viewer.see_state(row)).collect();
        let redactions: Vec<Nid> = seen.iter().filter_map(|event| event.row().redacted_by).collect();
        let redactions = events::by_nids(source, self.asker(), &redactions).await?;
        let redactions: HashMap<_, _> =
            redactions.into_iter().filter_map(|row| Some((row.event, viewer.see(row)?))).collect();
        VisibleEvent::explain_redactions(&mut seen, &redactions);
        Ok(seen)
    }
}

impl Rooms {
    /// The whole state of a room, as the reader may know it.
    ///
    /// # Errors
    /// `Forbidden` for those who never were in the room.
    pub async fn state(&self, by: Reading<'_>, room_id: &RoomId) -> Result<Vec<VisibleEvent>> {
        let mut source = self.store.snapshot().await?;
        let open = open(&mut source, room_id, by.requester.user).await?;
        let rows = match open.until {
            None => events::current_state(&mut source, by.asker(), &[open.room], false).await?,
            Some(until) => {
                let nids = state::at(&mut source, &[(open.room, until)], false).await?;
                events::by_nids(&mut source, by.asker(), &nids).await?
            }
        };
        by.see(&mut source, room_id, &open, rows).await
    }

    /// One event of a room's state, as the reader may know it.
    ///
    /// # Errors
    /// `Forbidden` for those who never were in the room, `NotFound` without such a state event.
    pub async fn state_event(
        &self,
        by: Reading<'_>,
        room_id: &RoomId,
        kind: &str,
        key: &str,
    ) -> Result<VisibleEvent> {
        // No event has such a type or key, and PostgreSQL would not even take the question.
        let impossible = kind.contains('\0') || key.contains('\0');
        let mut source = self.store.snapshot().await?;
        let open = open(&mut source, room_id, by.requester.user).await?;
        let nid = match open.until {
            _ if impossible => None,
            None => state::current_event(&mut source, open.room, kind, key).await?,
            Some(until) => state::event_at(&mut source, open.room, kind, key, until).await?,
        };
        let nids: Vec<Nid> = nid.into_iter().collect();
        let rows = events::by_nids(&mut source, by.asker(), &nids).await?;
        let seen = by.see(&mut source, room_id, &open, rows).await?;
        seen.into_iter().next().ok_or_else(|| Error::not_found("The room has no such state event."))
    }

    /// The member events of a room, as the reader may know them.
    ///
    /// # Errors
    /// `Forbidden` for those who never were in the room; `InvalidParam` for a place that does not
    /// exist yet.
    pub async fn members(
        &self,
        by: Reading<'_>,
        room_id: &RoomId,
        filter: &MembersFilter,
    ) -> Result<Vec<VisibleEvent>> {
        let mut source = self.store.snapshot().await?;
        let open = open(&mut source, room_id, by.requester.user).await?;
        if let Some(at) = filter.at
            && at > source.position().await?.0
        {
            return Err(Error::invalid_param("This token was not given out by this server."));
        }
        let until = filter.at.into_iter().chain(open.until).min();
        let nids = match until {
            None => state::current_of_types(&mut source, &[open.room], &[MEMBER]).await?,
            Some(until) => roster::of_type_at(&mut source, open.room, MEMBER, until).await?,
        };
        let rows = events::by_nids(&mut source, by.asker(), &nids).await?;
        let rows = rows.into_iter().filter(|row| filter.takes(row.content.get())).collect();
        by.see(&mut source, room_id, &open, rows).await
    }

    /// The joined members of a room with their profiles; for members only.
    ///
    /// # Errors
    /// `Forbidden` for everybody else.
    pub async fn joined_members(&self, user: Nid, room_id: &RoomId) -> Result<Vec<(String, Profile)>> {
        let mut source = self.store.snapshot().await?;
        let mine = members::membership_of(&mut source, room_id.as_str(), user).await?;
        let mine = mine.filter(|mine| mine.membership == "join").ok_or_else(closed)?;
        let entries = roster::joined(&mut source, mine.room).await?;
        Ok(entries.into_iter().map(|entry| (entry.user_id, Profile::read(&entry.content))).collect())
    }

    /// Fails unless the user may know what the room says about itself: members, and everybody if it
    /// is open to the world.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn check_member_or_open(&self, user: Nid, room_id: &RoomId) -> Result<Nid> {
        let mut source = self.store.snapshot().await?;
        let open = open(&mut source, room_id, user).await?;
        open.until.map_or(Ok(open.room), |_| Err(closed()))
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
