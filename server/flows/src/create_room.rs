//! Making a room: its first events, its alias, its place in the directory and the audit row, all in
//! one transaction.

use crate::Flows;
use crate::caller::Caller;
use kontor_model::{Code, Error, Ms, Requester, Result, RoomVersion, ids};
use kontor_rooms::create::{Creation, InitialState, empty};
use kontor_rooms::member::Person;
use kontor_rooms::presets::Preset;
use kontor_rooms::{Chain, alias};
use kontor_store::audit::{Action, Audit};
use kontor_store::rooms::alias as directory;
use ruma::{CanonicalJsonObject, OwnedRoomAliasId, OwnedRoomId, OwnedUserId};
use std::sync::atomic::{AtomicI64, Ordering};

/// How often a room is made anew that met one just like it of another process, or lost its alias.
const TRIES: usize = 10;

/// The moments at which rooms were made.
///
/// The id of a version-12 room is the hash of its first event: two that one person makes just alike in
/// one millisecond would be one. So no two rooms of a process are made at the same moment.
#[derive(Debug, Default)]
pub struct Moments(AtomicI64);

impl Moments {
    /// The next moment that is free, from `now` on.
    pub(crate) fn next(&self, now: Ms) -> Ms {
        let next = |last: Ms| now.max(last.saturating_add(1));
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last))).map_or(now, next)
    }
}

/// A room, as its maker wishes it.
#[derive(Clone, Debug, Default)]
pub struct NewRoom {
    /// Whether the room directory shows it.
    pub public: bool,
    /// What it starts with; without one the directory decides.
    pub preset: Option<Preset>,
    /// Local part of its first alias.
    pub alias: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its topic.
    pub topic: Option<String>,
    /// Who is invited at once.
    pub invite: Vec<OwnedUserId>,
    /// Its version; the configured one if absent.
    pub version: Option<String>,
    /// Further content of the create event.
    pub creation_content: CanonicalJsonObject,
    /// Further state.
    pub initial_state: Vec<InitialState>,
    /// Replaces top-level fields of the first power levels.
    pub power_levels: CanonicalJsonObject,
    /// Whether the invitations say that this is a direct chat.
    pub is_direct: bool,
}

impl Flows {
    /// Makes a room and returns its id when it is on the disk.
    ///
    /// # Errors
    /// `UnsupportedRoomVersion`, `RoomInUse` for a taken alias, `InvalidRoomState` when the wishes
    /// contradict one another, and those of an invitation.
    pub async fn create_room(&self, by: &Caller<'_>, wish: NewRoom) -> Result<OwnedRoomId> {
        if wish.public {
            self.check_publisher(by.requester)?;
        }
        if crate::conversation::is_company_type(&wish.creation_content) {
            return Err(Error::forbidden("Rooms of this type are made by the server itself."));
        }
        for _ in 0..TRIES {
            match self.make_room(by, wish.clone(), self.moments.next(by.now)).await {
                Err(error) if error.is_conflict() => {}
                outcome => return outcome,
            }
        }
        Err(Error::new(Code::Unavailable, "Many such rooms are made at this moment. Try again."))
    }

    /// Makes a room at a moment. `Conflict` means that its maker made a room just like it at the same
    /// moment through another process.
    async fn make_room(&self, by: &Caller<'_>, wish: NewRoom, now: Ms) -> Result<OwnedRoomId> {
        let alias = self.free_alias(by.requester, wish.alias.as_deref()).await?;
        let published = wish.public;
        let creation = Creation { now, ..self.creation(by, wish, alias.clone()).await? };
        let room = self.store.nid().await?;
        let room_id = ids::new_room_id(&*self.random, &self.settings.server_name)?;
        let mut chain = Chain::create(empty(room, room_id, creation.version.clone()));
        self.push_all(&mut chain, &creation.state()?, None).await.map_err(contradictory)?;
        self.push_all(&mut chain, &creation.invitations(), Some(&by.actor)).await.map_err(contradictory)?;
        let room_id = chain.head().room_id.clone();
        let made = Audit::done(Action::RoomCreate, by.actor.clone(), by.now).on("room", room_id.as_str());
        chain.change().audit(self.store.nid().await?, made);
        if let Some(alias) = &alias {
            chain.change().add_alias(alias.as_str(), room, by.requester.user, by.now);
        }
        let (change, head) = chain.finish(published, by.now)?;
        self.store.submit(change).await?;
        self.rooms.lanes.insert(head).await;
        Ok(room_id)
    }

    async fn creation(
        &self,
        by: &Caller<'_>,
        wish: NewRoom,
        alias: Option<OwnedRoomAliasId>,
    ) -> Result<Creation> {
        let version = wish.version.as_deref().unwrap_or(&self.settings.default_room_version);
        let version = RoomVersion::parse(version)?;
        if !version.creatable() {
            return Err(Error::new(
                Code::UnsupportedRoomVersion,
                "Rooms of this version can be read here, but no new ones can be made.",
            ));
        }
        let user_id = by.requester.user_id.clone();
        Ok(Creation {
            invitees: self.invitable(&user_id, &wish.invite).await?,
            creator: Person { profile: self.profile(&user_id).await?, user_id },
            preset: wish.preset.unwrap_or_else(|| Preset::of_visibility(wish.public)),
            version,
            alias,
            creation_content: wish.creation_content,
            power_levels: wish.power_levels,
            initial_state: wish.initial_state,
            name: wish.name,
            topic: wish.topic,
            is_direct: wish.is_direct,
            now: by.now,
        })
    }

    async fn free_alias(&self, by: &Requester, localpart: Option<&str>) -> Result<Option<OwnedRoomAliasId>> {
        let Some(localpart) = localpart else { return Ok(None) };
        let alias = alias::local(localpart, &self.settings.server_name)?;
        self.check_alias_owner(by, &alias)?;
        match directory::target(&mut self.store.reader(), alias.as_str()).await? {
            Some(_) => Err(taken()),
            None => Ok(Some(alias)),
        }
    }
}

fn taken() -> Error {
    Error::new(Code::RoomInUse, "Another room has this alias. Choose a different one.")
}

/// What the authorisation rules refuse in a new room is a contradiction in the wishes.
fn contradictory(error: Error) -> Error {
    if error.code != Code::Forbidden {
        return error;
    }
    let message = "The wishes for the new room contradict one another, such as power levels that keep its maker from setting its state.";
    Error::new(Code::InvalidRoomState, message).because(error)
}
