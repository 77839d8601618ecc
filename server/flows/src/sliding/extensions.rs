//! What sliding sync tells besides rooms: account data, receipts, typing.
//!
//! Each kind has its own mark for each room, since a client chooses for each of them which rooms it
//! concerns.

use super::answer::{AccountData, ByRoom, Encryption, Extensions, Messages};
use super::directory::Directory;
use super::lists::Reach;
use super::request::{OfRooms, OnOff, Request, ToDevice};
use super::told::{Mark, State, Told};
use crate::encryption::{DeviceLists, MESSAGES, Wanted};
use crate::sync::Reading;
use crate::sync::answer::Plain;
use crate::sync::extras::plain;
use kontor_model::{Error, Nid, Pos, Result};
use kontor_rooms::receipts as receipt;
use kontor_store::Stream;
use kontor_store::identity::account_data;
use kontor_store::rooms::receipts::Receipt;
use kontor_store::sliding;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the extensions need to know of the rest of the answer.
pub(super) struct Context<'a> {
    pub request: &'a Request,
    pub reach: &'a Reach,
    pub directory: &'a Directory,
    /// What the client was told before.
    pub before: &'a State,
    /// Where its token stands; `None` on the first request.
    pub pos: Option<i64>,
    /// Of rooms that are told anew: where their timelines begin.
    pub anew: &'a HashMap<Nid, i64>,
    /// Rooms whose typing may have changed.
    pub typing: &'a HashSet<Nid>,
}

/// The rooms that an extension concerns; `None` when it was not asked for.
fn rooms_of(extension: Option<&OfRooms>, reach: &Reach, directory: &Directory) -> Option<HashSet<Nid>> {
    let extension = extension.filter(|extension| extension.enabled == Some(true))?;
    let mut rooms = HashSet::new();
    for (name, list) in &reach.lists {
        let wanted = |names: &Vec<String>| names.iter().any(|wanted| wanted == name || wanted == "*");
        if extension.lists.as_ref().is_none_or(wanted) {
            rooms.extend(&list.rooms);
        }
    }
    let id = |room: &Nid| directory.entries.get(room).map(|entry| &*entry.room_id);
    let wanted = |room: &Nid| match &extension.rooms {
        None => true,
        Some(rooms) => rooms.iter().any(|wanted| wanted == "*" || Some(wanted.as_str()) == id(room)),
    };
    rooms.extend(reach.subscribed.iter().filter(|room| wanted(room)));
    Some(rooms)
}

/// Moves the marks of one kind: what it concerns is told, the rest stays behind.
fn move_marks(next: &mut State, rooms: &HashSet<Nid>, pos: i64, mark: impl Fn(&mut Told) -> &mut Mark) {
    for (room, told) in &mut next.rooms {
        let mark = mark(told);
        *mark = if rooms.contains(room) { Mark::Live } else { mark.left_behind(pos) };
    }
}

impl Context<'_> {
    fn stands_at(&self) -> i64 {
        self.pos.unwrap_or_default()
    }

    fn told(&self, room: Nid) -> Told {
        self.before.rooms.get(&room).copied().unwrap_or_default()
    }

    fn id(&self, room: Nid) -> Option<String> {
        self.directory.entries.get(&room).map(|entry| entry.room_id.to_string())
    }

    /// Reads what was asked for, and notes in `next` what will have been told.
    pub async fn read(&self, reading: &mut Reading<'_>, next: &mut State) -> Result<Extensions> {
        let extensions = &self.request.extensions;
        let none = HashSet::new();
        let of = |extension| rooms_of(extension, self.reach, self.directory);
        let account_data = match of(extensions.account_data.as_ref()) {
            Some(rooms) => {
                let data = self.account_data(reading, &rooms).await?;
                move_marks(next, &rooms, self.stands_at(), |told| &mut told.account_data);
                next.account_data = Mark::Live;
                Some(data)
            }
            None => {
                move_marks(next, &none, self.stands_at(), |told| &mut told.account_data);
                next.account_data = next.account_data.left_behind(self.stands_at());
                None
            }
        };
        let receipts = match of(extensions.receipts.as_ref()) {
            Some(rooms) => {
                let receipts = self.receipts(reading, &rooms).await?;
                move_marks(next, &rooms, self.stands_at(), |told| &mut told.receipts);
                Some(ByRoom { rooms: receipts })
            }
            None => {
                move_marks(next, &none, self.stands_at(), |told| &mut told.receipts);
                None
            }
        };
        let typing = match of(extensions.typing.as_ref()) {
            Some(rooms) => Some(ByRoom { rooms: self.typing(reading, &rooms)? }),
            None => None,
        };
        let (to_device, e2ee) = self.encryption(reading, next).await?;
        Ok(Extensions { to_device, e2ee, account_data, receipts, typing })
    }

    /// Messages to the device, its keys, and the device lists of others.
    async fn encryption(
        &self,
        reading: &mut Reading<'_>,
        next: &mut State,
    ) -> Result<(Option<Messages>, Option<Encryption>)> {
        let wanted = &self.request.extensions;
        let to_device = wanted.to_device.as_ref().filter(|wanted| wanted.enabled == Some(true));
        let e2ee = OnOff::is_on(wanted.e2ee.as_ref());
        next.devices = if e2ee { Mark::Live } else { next.devices.left_behind(self.stands_at()) };
        if to_device.is_none() && !e2ee {
            return Ok((None, None));
        }
        let messages = to_device.map(|wanted| messages(wanted, reading.until)).transpose()?;
        let (flows, requester, until) = (reading.flows, reading.requester, reading.until);
        let news = flows.device_news(&mut reading.snapshot, requester, messages, until).await?;
        let messages = to_device
            .map(|_| Messages { next_batch: news.messages_until.0.to_string(), events: news.messages });
        let mut encryption = None;
        if e2ee {
            let device_lists = match self.before.devices.since(self.stands_at()) {
                Some(since) => {
                    flows.device_lists(&mut reading.snapshot, requester, Pos(since), until).await?
                }
                None => DeviceLists::default(),
            };
            let (keys, keys_changed) = (news.counts, news.counts_changed);
            encryption = Some(Encryption { device_lists, keys, keys_changed });
        }
        Ok((messages, encryption))
    }

    async fn account_data(&self, reading: &mut Reading<'_>, rooms: &HashSet<Nid>) -> Result<AccountData> {
        let (user, until) = (reading.user(), reading.until);
        let global_since = self.before.account_data.since(self.stands_at());
        let mark = |room: &Nid| self.told(*room).account_data;
        let fresh: Vec<Nid> = rooms.iter().filter(|room| mark(room) == Mark::Never).copied().collect();
        let sinces = rooms.iter().filter_map(|room| mark(room).since(self.stands_at()));
        let since = sinces.chain([global_since.unwrap_or_default()]).min().unwrap_or_default();
        let mut pieces = if has_news(reading, Pos(since), Stream::AccountData) {
            account_data::since(&mut reading.snapshot, user, Pos(since), until).await?
        } else {
            Vec::new()
        };
        pieces.retain(|piece| match piece.room {
            None => global_since.is_none_or(|since| piece.pos > since),
            Some(room) => {
                let since = mark(&room).since(self.stands_at());
                rooms.contains(&room) && since.is_some_and(|since| piece.pos > since)
            }
        });
        pieces.extend(account_data::of_rooms(&mut reading.snapshot, user, &fresh).await?);
        let mut data = AccountData::default();
        for piece in &pieces {
            match piece.room.map(|room| self.id(room)) {
                None => data
                    .global
                    .push(told(kontor_identity::account_data::event(&reading.requester.user_id, piece)?)?),
                Some(Some(room)) => {
                    let content = RawValue::from_string(piece.content.clone()).map_err(Error::internal)?;
                    data.rooms.entry(room).or_default().push(Plain { kind: piece.kind.clone(), content });
                }
                Some(None) => {}
            }
        }
        // Push rules hold before anybody changed them.
        if global_since.is_none() && !data.global.iter().any(|piece| piece.kind == "m.push_rules") {
            data.global
                .push(told(kontor_identity::account_data::usual_push_rules(&reading.requester.user_id)?)?);
        }
        Ok(data)
    }

    /// Of rooms that are told anew the receipts on the events that are told, and the reader's own;
    /// of others what moved.
    async fn receipts(
        &self,
        reading: &mut Reading<'_>,
        rooms: &HashSet<Nid>,
    ) -> Result<BTreeMap<String, Plain>> {
        let moved = has_news(reading, Pos(self.stands_at()), Stream::Receipt);
        let joined = |room: &&Nid| {
            let standing = self.directory.entries.get(room).map(|entry| entry.standing);
            standing == Some(super::directory::Standing::Joined)
        };
        let mut wanted: Vec<(Nid, i64, i64)> = Vec::new();
        for room in rooms.iter().filter(joined) {
            match (self.anew.get(room), self.told(*room).receipts) {
                (Some(start), _) => wanted.push((*room, 0, *start)),
                (None, Mark::Never) => wanted.push((*room, 0, i64::MIN)),
                (None, Mark::Upto(pos)) => wanted.push((*room, pos, i64::MIN)),
                (None, Mark::Live) if moved => wanted.push((*room, self.stands_at(), i64::MIN)),
                (None, Mark::Live) => {}
            }
        }
        let user = reading.user();
        let mut rows = sliding::receipts(&mut reading.snapshot, user, &wanted).await?;
        rows.retain(|row| !reading.ignored.contains(&row.user_id));
        // Where one user read one event in several ways, there is room for one: that of all threads.
        rows.sort_unstable_by(|a, b| a.thread.cmp(&b.thread).then(a.pos.cmp(&b.pos)));
        let mut by_room: HashMap<Nid, Vec<Receipt>> = HashMap::new();
        for row in rows {
            by_room.entry(row.room).or_default().push(row);
        }
        let mut told = BTreeMap::new();
        for (room, rows) in by_room {
            if let (Some(id), Some(content)) = (self.id(room), receipt::contents(&rows).first()) {
                told.insert(id, plain("m.receipt", content)?);
            }
        }
        Ok(told)
    }

    fn typing(&self, reading: &Reading<'_>, rooms: &HashSet<Nid>) -> Result<BTreeMap<String, Plain>> {
        let typing = &reading.flows.rooms.typing;
        let active = typing.active();
        let mut told = BTreeMap::new();
        for room in rooms {
            let entry = self.directory.entries.get(room);
            let joined = entry.is_some_and(|entry| entry.standing == super::directory::Standing::Joined);
            // Whoever comes to a room is told who types there.
            let came = self.told(*room).events != Mark::Live && active.contains(room);
            if joined && (came || self.typing.contains(room)) {
                let users: Vec<_> =
                    typing.now(*room).into_iter().filter(|user| !reading.ignored.contains(user)).collect();
                if let Some(id) = self.id(*room) {
                    told.insert(id, plain("m.typing", &json!({ "user_ids": users }))?);
                }
            }
        }
        Ok(told)
    }
}

/// Up to where the client has messages, and how many it wants. They have their own token, since they
/// must not be lost with a connection.
fn messages(wanted: &ToDevice, until: Pos) -> Result<Wanted> {
    let most = wanted.limit.map_or(MESSAGES, |limit| i64::try_from(limit).unwrap_or(MESSAGES));
    let Some(since) = wanted.since.as_deref().filter(|since| !since.is_empty()) else {
        return Ok(Wanted { since: Pos(0), most });
    };
    let digits = since.len() <= 18 && since.bytes().all(|byte| byte.is_ascii_digit());
    let since = since.parse::<i64>().ok().filter(|since| digits && *since <= until.0);
    let since = since.map(|since| Wanted { since: Pos(since), most });
    since.ok_or_else(|| Error::invalid_param("to_device.since was not given out by this server."))
}

/// Whether anything of a stream can have changed for the reader, as far as memory tells.
pub(super) fn has_news(reading: &Reading<'_>, since: Pos, stream: Stream) -> bool {
    let me = Some(reading.user());
    let concerns = |entry: &kontor_store::log::Entry| {
        entry.row.stream == stream && (entry.row.user == me || entry.row.room.is_some())
    };
    reading.flows.store.log().between(since, reading.until).is_none_or(|entries| entries.iter().any(concerns))
}

fn told(mut event: Value) -> Result<Plain> {
    let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    plain(&kind, &event.get_mut("content").map(Value::take).unwrap_or_default())
}
