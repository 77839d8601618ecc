//! The keys of a version: written, read in pages, deleted.

use super::{MAX_SESSION_DATA, MOST_KEYS, Versions};
use crate::Identity;
use kontor_model::{Code, Error, Nid, Requester, Result, ids};
use kontor_store::Change;
use kontor_store::identity::backup::{self, KeyRow, Standing, VersionRow};
use kontor_store::identity::sessions;
use ruma::RoomId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// Keys that are read at once; each is at most [`MAX_SESSION_DATA`].
const PAGE: i64 = 250;

/// A key as clients send and see it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct KeyData {
    /// The first message that the key can decrypt.
    pub first_message_index: i64,
    /// How often the key was forwarded between devices.
    pub forwarded_count: i64,
    /// Whether the device that the key is from was verified.
    pub is_verified: bool,
    /// A JSON object that only clients can read.
    pub session_data: Box<RawValue>,
}

/// Keys of a room, by session.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RoomBackup {
    /// By session id.
    pub sessions: BTreeMap<String, KeyData>,
}

/// Keys of several rooms.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Backup {
    /// By room id.
    pub rooms: BTreeMap<String, RoomBackup>,
}

impl Backup {
    /// The keys of one room.
    pub fn of_room(room_id: String, keys: RoomBackup) -> Self {
        Self { rooms: BTreeMap::from([(room_id, keys)]) }
    }

    /// One key.
    pub fn of_session(room_id: String, session_id: String, key: KeyData) -> Self {
        Self::of_room(room_id, RoomBackup { sessions: BTreeMap::from([(session_id, key)]) })
    }

    fn keys(&self) -> impl Iterator<Item = (&str, &str, &KeyData)> {
        self.rooms.iter().flat_map(|(room, keys)| {
            keys.sessions.iter().map(|(session, key)| (room.as_str(), session.as_str(), key))
        })
    }
}

/// What there is after a change of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// Changes whenever keys do.
    pub etag: String,
    /// How many keys there are.
    pub count: i64,
}

/// Which keys are meant.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// All.
    Whole,
    /// Those of a room.
    Room(&'a str),
    /// That of a session: room and session.
    Session(&'a str, &'a str),
}

/// How far the keys of a version were read.
#[derive(Clone, Debug)]
pub struct Place {
    user: Nid,
    session: Nid,
    epoch: i64,
    backup: Nid,
    room: Option<String>,
    after: (String, String),
}

/// Refuses what could not be stored or told apart.
fn check(keys: &Backup) -> Result<()> {
    for (room_id, session_id, key) in keys.keys() {
        ids::storable_key(room_id, "room id")?;
        ids::storable_key(session_id, "session id")?;
        if session_id.is_empty() || RoomId::parse(room_id).is_err() {
            return Err(Error::invalid_param("Keys are stored by room id and session id."));
        }
        if key.first_message_index < 0 || key.forwarded_count < 0 {
            return Err(Error::bad_json("The numbers of a key cannot be negative."));
        }
        if !key.session_data.get().trim_start().starts_with('{') {
            return Err(Error::bad_json("The session_data of a key must be an object."));
        }
        if key.session_data.get().len() > MAX_SESSION_DATA {
            return Err(Error::new(Code::TooLarge, "The session_data of a key may hold at most 16 KiB."));
        }
    }
    Ok(())
}

/// Orders keys of one session: the least is the best. A key that is no better than the one that is
/// there does not replace it.
fn rank(standing: &Standing) -> (bool, i64, i64) {
    (!standing.is_verified, standing.first_message_index, standing.forwarded_count)
}

fn stored(etag: i64, count: i64) -> Stored {
    Stored { etag: etag.to_string(), count }
}

impl Identity {
    /// Plans to store keys; says with the plan what there is then. `Conflict` on submission means
    /// that another device wrote keys at the same moment: plan again.
    ///
    /// # Errors
    /// `NotFound` when there is no such version; `WrongRoomKeysVersion` when it is not the newest
    /// one; `BadJson`, `InvalidParam` and `TooLarge` for keys that are not stored.
    pub async fn store_backup_keys(
        &self,
        user: &Requester,
        version: &str,
        keys: &Backup,
    ) -> Result<(Change, Stored)> {
        check(keys)?;
        let versions = Versions::of(self, user.user).await?;
        let current = versions.current()?;
        if versions.get(version)?.version != current.version {
            let code = Code::WrongRoomKeysVersion { current: current.version };
            return Err(Error::new(code, "Wrong backup version."));
        }
        let backup = numbered(&current)?;
        let sessions = keys.keys().map(|(_, session, _)| session);
        let there = backup::standings(&mut self.store.reader(), backup, sessions).await?;
        let there: HashMap<_, _> =
            there.iter().map(|old| ((old.room_id.as_str(), old.session_id.as_str()), old)).collect();
        let mut rows = Change::default();
        let mut count = current.keys;
        for (room, session, key) in keys.keys() {
            let new = Standing {
                room_id: room.to_owned(),
                session_id: session.to_owned(),
                is_verified: key.is_verified,
                first_message_index: key.first_message_index,
                forwarded_count: key.forwarded_count,
            };
            match there.get(&(room, session)) {
                Some(old) if rank(old) <= rank(&new) => continue,
                Some(_) => {}
                None => count += 1,
            }
            rows.put_backup_key(backup, &new, key.session_data.get());
        }
        if rows.is_empty() {
            return Ok((rows, stored(current.etag, current.keys)));
        }
        if count > MOST_KEYS && count > current.keys {
            return Err(Error::new(Code::TooLarge, "The backup is full. Make a new one."));
        }
        rows.change_backup(user.user, &current, count);
        Ok((rows, stored(current.etag + 1, count)))
    }

    /// Plans to delete keys of a version, as [`Identity::store_backup_keys`]; those that are not
    /// there are passed over.
    ///
    /// # Errors
    /// `NotFound` when there is no such version.
    pub async fn delete_backup_keys(
        &self,
        user: &Requester,
        version: &str,
        part: Part<'_>,
    ) -> Result<(Change, Stored)> {
        let row = Versions::of(self, user.user).await?.get(version)?;
        let backup = numbered(&row)?;
        let mut change = Change::default();
        let mut reader = self.store.reader();
        let gone = match part {
            Part::Whole => row.keys,
            Part::Room(room) if is_storable(room) => backup::count_of_room(&mut reader, backup, room).await?,
            Part::Session(room, session) if is_storable(room) && is_storable(session) => {
                i64::from(backup::one(&mut reader, backup, room, session).await?.is_some())
            }
            Part::Room(_) | Part::Session(..) => 0,
        };
        if gone == 0 {
            return Ok((change, stored(row.etag, row.keys)));
        }
        match part {
            Part::Whole => change.empty_backup(user.user, &row, self.store.nid().await?),
            Part::Room(room) => change.delete_backup_room(backup, room),
            Part::Session(room, session) => change.delete_backup_key(backup, room, session),
        }
        if !matches!(part, Part::Whole) {
            change.change_backup(user.user, &row, row.keys - gone);
        }
        Ok((change, stored(row.etag + 1, row.keys - gone)))
    }

    /// The key of one session.
    ///
    /// # Errors
    /// `NotFound` when there is no such version or key.
    pub async fn backup_key(
        &self,
        user: &Requester,
        version: &str,
        room_id: &str,
        session_id: &str,
    ) -> Result<KeyData> {
        let backup = numbered(&Versions::of(self, user.user).await?.get(version)?)?;
        let found = match is_storable(room_id) && is_storable(session_id) {
            true => backup::one(&mut self.store.reader(), backup, room_id, session_id).await?,
            false => None,
        };
        found.ok_or_else(|| Error::not_found("No room_keys found"))?.try_into()
    }

    /// Begins to read the keys of a version, of one room or of all.
    ///
    /// # Errors
    /// `NotFound` when there is no such version.
    pub async fn backup_keys(&self, user: &Requester, version: &str, room: Option<&str>) -> Result<Place> {
        let backup = numbered(&Versions::of(self, user.user).await?.get(version)?)?;
        let room = room.map(str::to_owned);
        let after = Default::default();
        Ok(Place { user: user.user, session: user.session, epoch: user.epoch, backup, room, after })
    }

    /// The next keys, and whether there may be more. They are read in one moment with the end of the
    /// session: whoever was logged out meanwhile gets nothing more.
    ///
    /// # Errors
    /// `UnknownToken` when the session ended.
    pub async fn next_backup_keys(&self, place: &mut Place) -> Result<(Vec<KeyRow>, bool)> {
        let mut snapshot = self.store.snapshot().await?;
        let guard = sessions::guard(&mut snapshot, place.session, place.user).await?;
        if guard.ended || guard.epoch != place.epoch {
            let code = Code::UnknownToken { soft_logout: false };
            return Err(Error::new(code, "You are logged out. Log in again."));
        }
        let (room, session) = (place.after.0.as_str(), place.after.1.as_str());
        let rows = match place.room.as_deref() {
            Some(room) if !is_storable(room) => Vec::new(),
            Some(room) => backup::page_of_room(&mut snapshot, place.backup, room, session, PAGE).await?,
            None => backup::page(&mut snapshot, place.backup, (room, session), PAGE).await?,
        };
        if let Some(KeyRow { standing, .. }) = rows.last() {
            place.after = (standing.room_id.clone(), standing.session_id.clone());
        }
        let more = i64::try_from(rows.len()).is_ok_and(|read| read == PAGE);
        Ok((rows, more))
    }
}

/// What the keys of a version that stands are stored under.
fn numbered(row: &VersionRow) -> Result<Nid> {
    row.backup.ok_or_else(super::unknown_version)
}

/// Whether a text could be in the archive at all.
fn is_storable(text: &str) -> bool {
    ids::storable_key(text, "key").is_ok()
}

impl TryFrom<KeyRow> for KeyData {
    type Error = Error;

    fn try_from(row: KeyRow) -> Result<Self> {
        Ok(Self {
            first_message_index: row.standing.first_message_index,
            forwarded_count: row.standing.forwarded_count,
            is_verified: row.standing.is_verified,
            session_data: RawValue::from_string(row.session_data).map_err(Error::internal)?,
        })
    }
}
