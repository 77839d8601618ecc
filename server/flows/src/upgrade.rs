//! Replacing a room by one of another version: the new room, the end of the old one, the aliases and
//! the place in the directory, all in one transaction. A crash leaves either both rooms or the old
//! one as it was.

use crate::Flows;
use crate::caller::Caller;
use kontor_model::{Code, Error, Nid, Result, RoomVersion, ids};
use kontor_rooms::create::empty;
use kontor_rooms::member::Person;
use kontor_rooms::upgrade::{REPEATED, Upgrade};
use kontor_rooms::{Chain, Head, Lane, alias};
use kontor_store::Change;
use kontor_store::audit::{Action, Audit};
use kontor_store::rooms::events::{self, Asker};
use kontor_store::rooms::{alias as directory, head};
use ruma::events::StateEventType;
use ruma::{CanonicalJsonObject, OwnedRoomId, OwnedUserId, RoomId};

/// How often the rooms are built anew when others are quicker.
const ATTEMPTS: usize = 20;

/// Creators beside the one who upgrades, at most.
const MOST_CREATORS: usize = 100;

/// How a room shall be replaced.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Version of the new room.
    pub version: String,
    /// Who else shall have a creator's power.
    pub additional_creators: Vec<OwnedUserId>,
}

/// Both rooms as they will stand, and what makes them so.
struct Plan {
    change: Change,
    old: Head,
    new: Head,
}

impl Flows {
    /// Replaces a room and returns the new one's id when both are on the disk.
    ///
    /// # Errors
    /// `UnsupportedRoomVersion`; `NotFound` without such a room; `Forbidden` for those who may not
    /// send its tombstone.
    pub async fn upgrade_room(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        wish: &NewVersion,
    ) -> Result<OwnedRoomId> {
        let version = RoomVersion::parse(&wish.version)?;
        if !version.creatable() {
            let message = "Rooms of this version can be read here, but no new ones can be made.";
            return Err(Error::new(Code::UnsupportedRoomVersion, message));
        }
        if wish.additional_creators.len() > MOST_CREATORS {
            return Err(Error::invalid_param(format!("A room may have {MOST_CREATORS} further creators.")));
        }
        for _ in 0..ATTEMPTS {
            let mut lane = self.rooms.lanes.hold(room_id).await?;
            let generation = lane.generation();
            let Some(plan) = self.plan_upgrade(by, &lane, wish, version.clone()).await? else {
                // Some of the state that is to be repeated is still on its way to the disk. What is
                // queued is written in order, so an empty change is done when all of it is.
                drop(lane);
                self.store.submit(Change::default()).await?;
                continue;
            };
            let receipt = self.store.enqueue(plan.change).await;
            let from = plan.old.room;
            lane.advance(plan.old);
            drop(lane);
            match receipt.wait().await {
                Ok(_) => {
                    let (new_id, to) = (plan.new.room_id.clone(), plan.new.room);
                    self.rooms.lanes.insert(plan.new).await;
                    self.carry_over(by.requester, (from, room_id), (to, &new_id)).await;
                    return Ok(new_id);
                }
                Err(error) => {
                    self.rooms.lanes.lost(room_id, generation).await;
                    if !error.is_conflict() {
                        return Err(error);
                    }
                }
            }
        }
        Err(Error::new(Code::Unavailable, "The room is very busy. Try again in a moment."))
    }

    /// Builds both rooms; `None` while the archive does not hold all of the old one.
    async fn plan_upgrade(
        &self,
        by: &Caller<'_>,
        lane: &Lane,
        wish: &NewVersion,
        version: RoomVersion,
    ) -> Result<Option<Plan>> {
        let old_head = lane.head()?;
        let Some(repeated) = self.repeated(by, old_head).await? else { return Ok(None) };
        let mut reader = self.store.reader();
        let aliases = directory::of_room(&mut reader, old_head.room).await?;
        let row = head::room(&mut reader, old_head.room_id.as_str()).await?;
        let published = row.is_some_and(|row| row.published);
        let user_id = by.requester.user_id.clone();
        let upgrade = Upgrade {
            old: old_head,
            by: Person { profile: self.profile(&user_id).await?, user_id },
            version,
            additional_creators: wish.additional_creators.clone(),
            repeated,
            aliases: aliases.iter().filter_map(|text| alias::parse(text).ok()).collect(),
            now: self.moments.next(by.now),
        };
        let room: Nid = self.store.nid().await?;
        let (mut old, mut new) = self.first_and_last(by, &upgrade, room).await?;
        self.push_all(&mut new, &upgrade.set_up()?, None).await?;
        for ban in upgrade.bans() {
            allowed(self.push_all(&mut new, &[ban], None).await)?;
        }
        for farewell in upgrade.farewell()? {
            allowed(self.push_all(&mut old, &[farewell], Some(&by.actor)).await)?;
        }
        self.add_notices(&mut old).await?;
        let new_id = new.head().room_id.clone();
        let made = Audit::done(Action::RoomCreate, by.actor.clone(), by.now).on("room", new_id.as_str());
        new.change().audit(self.store.nid().await?, made);
        let mut row = Audit::done(Action::RoomUpgrade, by.actor.clone(), by.now);
        row.detail = Some(serde_json::json!({ "replacement": new_id }).to_string());
        old.change().audit(self.store.nid().await?, row.on("room", old_head.room_id.as_str()));
        old.change().move_aliases(old_head.room, room);
        if crate::conversation::kind(old_head).is_some() {
            old.change().move_conversation_room(old_head.room, room);
        }
        if published {
            old.change().publish_room(old_head.room, false);
        }
        let (mut change, new) = new.finish(published, by.now)?;
        let (ending, old) = old.finish(false, by.now)?;
        change.join(ending);
        Ok(Some(Plan { change, old, new }))
    }

    /// The old room with its last event and the new one with its first: each names the other, as
    /// far as it can. Since version 12 a room's id comes from its first event, so that one is first.
    async fn first_and_last(
        &self,
        by: &Caller<'_>,
        upgrade: &Upgrade<'_>,
        room: Nid,
    ) -> Result<(Chain, Chain)> {
        let mut old = Chain::on(upgrade.old);
        let room_id = ids::new_room_id(&*self.random, &self.settings.server_name)?;
        let mut new = Chain::create(empty(room, room_id.clone(), upgrade.version.clone()));
        let actor = Some(&by.actor);
        if upgrade.version.id_is_create_hash() {
            self.push_all(&mut new, &[upgrade.create(None)?], None).await?;
            let room_id = new.head().room_id.clone();
            self.push_all(&mut old, &[upgrade.tombstone(&room_id)?], actor).await?;
        } else {
            self.push_all(&mut old, &[upgrade.tombstone(&room_id)?], actor).await?;
            let tombstone = old.events().last().map(|event| event.pdu.event_id.clone());
            self.push_all(&mut new, &[upgrade.create(tombstone.as_deref())?], None).await?;
        }
        Ok((old, new))
    }

    /// Whole content of the state that the new room repeats; `None` while some of it is not on the
    /// disk.
    async fn repeated(
        &self,
        by: &Caller<'_>,
        old: &Head,
    ) -> Result<Option<Vec<(&'static str, CanonicalJsonObject)>>> {
        let entry =
            |kind: &&'static str| old.get(&StateEventType::from(*kind), "").map(|entry| (*kind, entry.nid));
        let wanted: Vec<(&'static str, Nid)> = REPEATED.iter().filter_map(entry).collect();
        let nids: Vec<Nid> = wanted.iter().map(|(_, nid)| *nid).collect();
        let asker = Asker { user: by.requester.user, device: by.requester.device_id.as_str() };
        let rows = events::by_nids(&mut self.store.reader(), asker, &nids).await?;
        let mut repeated = Vec::new();
        for (kind, nid) in wanted {
            let Some(row) = rows.iter().find(|row| row.event == nid) else { return Ok(None) };
            repeated.extend(serde_json::from_str(row.content.get()).ok().map(|content| (kind, content)));
        }
        Ok(Some(repeated))
    }
}

/// What the caller has no power for is left out.
fn allowed(done: Result<()>) -> Result<()> {
    match done {
        Err(error) if error.code == Code::Forbidden => Ok(()),
        other => other,
    }
}
