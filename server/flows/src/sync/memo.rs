//! What a session was told last, in memory: most news of a long poll are plain messages in rooms
//! that the client knows, and those are told without asking the archive anything. So are changes of
//! other members' devices, which would otherwise make everybody in a large room ask at once.
//!
//! The log is one order, and it is complete in memory between two positions or the look-up says so.
//! A memo stands at one position; when nothing but plain messages came since, what to tell and the
//! new unread counts follow from the memo and the messages alone. The session's end is an entry of
//! the same log: if there is none up to the told position, no told event was committed after it.
//! Whatever else happened is read from the archive, and the memo is made anew.

use super::answer::{Answer, Counts, Events, Joined, Shown, State, Timeline};
use super::plan::Part;
use super::timeline::{DEFAULT_LIMIT, MAX_LIMIT, admits};
use super::{Reading, Request};
use crate::Flows;
use kontor_model::filter::{EventFormat, Filter};
use kontor_model::position::RoomToken;
use kontor_model::{Error, Nid, Pos, Requester, Result, SyncToken};
use kontor_rooms::{Viewer, Visibility};
use kontor_store::Stream;
use kontor_store::identity::{device_lists, push};
use kontor_store::log::Entry;
use kontor_store::rooms::plain::{self, PlainMessage};
use kontor_store::rooms::unread::Unread;
use kontor_store::rooms::{members, unread};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// Rooms remembered over all sessions together, about 100 bytes each; joined ones and told ones.
const ROOMS: u64 = 200_000;
/// Rooms of one session whose unread counts are read before anything happens in them, at most.
const FORESEEN: usize = 300;
/// Recent events remembered, about 1 KB each.
const EVENTS: u64 = 4_000;

/// What is remembered over all sessions.
pub struct Memos {
    sessions: moka::sync::Cache<Nid, Arc<Mutex<Memo>>>,
    recent: moka::future::Cache<i64, Option<Arc<PlainMessage>>>,
    names: moka::future::Cache<Nid, Option<Arc<str>>>,
}

impl Default for Memos {
    fn default() -> Self {
        let weigh = |_: &Nid, memo: &Arc<Mutex<Memo>>| {
            let rooms = memo.lock().map_or(1, |memo| memo.rooms.len() + memo.told.len() * 4);
            u32::try_from(rooms + 10).unwrap_or(u32::MAX)
        };
        Self {
            sessions: moka::sync::Cache::builder().max_capacity(ROOMS).weigher(weigh).build(),
            recent: moka::future::Cache::new(EVENTS),
            names: moka::future::Cache::new(EVENTS),
        }
    }
}

/// What a session was told, up to a position.
struct Memo {
    as_of: Pos,
    filter: Arc<Filter>,
    /// Rooms from which news come.
    rooms: Arc<HashSet<Nid>>,
    ignored: Arc<HashSet<String>>,
    told: HashMap<Nid, Told>,
}

/// What it was told of a room.
struct Told {
    room_id: Arc<str>,
    unread: Unread,
    /// Those whose member events it has, for clients that load members lazily.
    members: HashSet<Nid>,
}

/// What the memory makes of the news.
pub(super) enum Recalled {
    /// The answer, which may be empty, and where it ends.
    Answer(Box<Answer>, SyncToken),
    /// Something that only the archive knows.
    Unknown,
}

impl Flows {
    /// The rooms from which news of a session come, if it is remembered.
    pub(super) fn remembered_rooms(&self, session: Nid, as_of: Pos) -> Option<Arc<HashSet<Nid>>> {
        let memo = self.memos.sessions.get(&session)?;
        let memo = memo.lock().ok()?;
        (memo.as_of == as_of).then(|| Arc::clone(&memo.rooms))
    }

    /// Answers from memory, if everything that came since is plain messages.
    pub(super) async fn recall(&self, requester: &Requester, request: &Request) -> Result<Recalled> {
        let typing = &self.rooms.typing;
        let Some(since) = request.since.filter(|since| since.process == typing.process()) else {
            return Ok(Recalled::Unknown);
        };
        let lazy = &request.filter.room.state;
        let raw = request.filter.event_format == EventFormat::Federation;
        if request.full_state || lazy.include_redundant_members || raw {
            return Ok(Recalled::Unknown);
        }
        let Some(memo) = self.memos.sessions.get(&requester.session) else { return Ok(Recalled::Unknown) };
        let ephemeral = typing.counter();
        let until = self.store.log().newest();
        let Some(news) = self.store.log().between(since.pos, until) else { return Ok(Recalled::Unknown) };
        let Some(news) =
            plain_news(&memo, requester, request, since, news, &typing.changed_since(since.ephemeral))
        else {
            return Ok(Recalled::Unknown);
        };
        let Some(devices) = self.quiet_news(requester, Some(since.to_device), until).await else {
            return Ok(Recalled::Unknown);
        };
        super::settled(devices.gone).await;
        let (news, changed) = news;
        let changed = self.names_of(&changed).await?;
        let mut recent = Vec::with_capacity(news.len());
        for entry in news {
            match self.recent(entry).await? {
                Some(event) => recent.push(event),
                None => return Ok(Recalled::Unknown),
            }
        }
        let process = typing.process();
        let token = SyncToken { pos: until, ephemeral, process, to_device: until };
        let Ok(mut memo) = memo.lock() else { return Ok(Recalled::Unknown) };
        // Another request of the same session may have moved it meanwhile.
        let answer = (memo.as_of == since.pos)
            .then(|| memo.tell(requester, request, &recent, self.clock.now(), until))
            .flatten();
        Ok(answer.map_or(Recalled::Unknown, |mut answer| {
            answer.next_batch = token.to_string();
            answer.keys = devices.counts;
            answer.device_lists.changed = changed;
            Recalled::Answer(Box::new(answer), token)
        }))
    }

    /// Matrix ids of users, each read once for all who are told.
    async fn names_of(&self, users: &HashSet<Nid>) -> Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for user in users {
            let load = async { device_lists::name(&mut self.store.reader(), *user).await };
            let name = self.memos.names.try_get_with(*user, load).await;
            let name = name.map_err(|error: Arc<Error>| Error::new(error.code, error.message.clone()))?;
            names.extend(name.map(|name| name.to_string()));
        }
        Ok(names)
    }

    /// A plain message, read once for all who are told; `None` for other events.
    async fn recent(&self, entry: Entry) -> Result<Option<Arc<PlainMessage>>> {
        let load = async {
            let Some(room) = entry.row.room else { return Ok(None) };
            let found = plain::at(&mut self.store.reader(), room, entry.pos).await?;
            Ok::<_, Error>(found.map(Arc::new))
        };
        let loaded = self.memos.recent.try_get_with(entry.pos, load).await;
        loaded.map_err(|error: Arc<Error>| Error::new(error.code, error.message.clone()))
    }
}

/// The news that concern the session, if they all may be plain messages in rooms that it knows, or
/// are changes of the devices of others there: the messages, and those others.
fn plain_news(
    memo: &Mutex<Memo>,
    requester: &Requester,
    request: &Request,
    since: SyncToken,
    news: Vec<Entry>,
    typing: &HashSet<Nid>,
) -> Option<(Vec<Entry>, HashSet<Nid>)> {
    let memo = memo.lock().ok()?;
    if memo.as_of != since.pos || *memo.filter != *request.filter {
        return None;
    }
    if typing.iter().any(|room| memo.rooms.contains(room)) {
        return None;
    }
    let mine = |entry: &Entry| {
        entry.row.user == Some(requester.user)
            || entry.row.room.is_some_and(|room| memo.rooms.contains(&room))
    };
    let (mut messages, mut devices) = (Vec::new(), HashSet::new());
    for entry in news.into_iter().filter(mine) {
        entry.row.room.filter(|room| memo.told.contains_key(room))?;
        match (entry.row.stream, entry.row.user) {
            (Stream::Event, None) => messages.push(entry),
            (Stream::DeviceList, Some(user)) if user != requester.user => {
                devices.insert(user);
            }
            _ => return None,
        }
    }
    Some((messages, devices))
}

impl Memo {
    /// Tells messages and remembers that they were told; `None` when the archive must be asked.
    fn tell(
        &mut self,
        requester: &Requester,
        request: &Request,
        recent: &[Arc<PlainMessage>],
        now: i64,
        until: Pos,
    ) -> Option<Answer> {
        let me = requester.user;
        let filter = &request.filter.room;
        let lazy = filter.state.lazy_load_members;
        let limit = usize::try_from(filter.timeline.limit_within(DEFAULT_LIMIT, MAX_LIMIT)).ok()?;
        let mut by_room: BTreeMap<Nid, Vec<&PlainMessage>> = BTreeMap::new();
        for event in recent {
            let told = self.told.get(&event.row.room)?;
            let known = !lazy || told.members.contains(&event.row.sender_nid);
            if event.row.sender_nid == me || event.concerns.contains(&me) || !known {
                return None;
            }
            by_room.entry(event.row.room).or_default().push(event);
        }
        if by_room.values().any(|events| events.len() > limit) {
            return None;
        }
        let mut answer = Answer::default();
        let member = Visibility::of_member();
        let projection = request.filter.projection();
        for (room, events) in by_room {
            let told = self.told.get_mut(&room)?;
            let viewer =
                Viewer { reader: me, visibility: &member, ignored: &self.ignored, room_id: None, now };
            let mut shown = Vec::new();
            for event in events {
                if self.ignored.contains(&event.row.sender) {
                    continue;
                }
                told.unread.count_plain(event.notifies);
                if admits(&filter.timeline, &event.row) && filter.timeline.admits_room(&told.room_id) {
                    let event = viewer.see(event.row.clone())?;
                    shown.push(Shown::new(event, projection.as_ref()));
                }
            }
            if !shown.is_empty() && filter.admits_room(&told.room_id) {
                let joined = told.joined(request, shown, self.as_of);
                answer.rooms.join.insert(told.room_id.to_string(), joined);
            }
        }
        self.as_of = until;
        Some(answer)
    }
}

impl Told {
    fn joined(&self, request: &Request, shown: Vec<Shown>, since: Pos) -> Joined {
        let none = Events::default();
        let by_thread = request.filter.room.timeline.unread_thread_notifications;
        let counts = |count: unread::Count| Counts {
            notification_count: count.notifications,
            highlight_count: count.highlights,
        };
        let threads = self.unread.threads.iter().filter(|_| by_thread);
        Joined {
            summary: None,
            state: if request.use_state_after { State::After(none) } else { State::Before(none) },
            timeline: Timeline { events: shown, limited: false, prev_batch: RoomToken(since.0).to_string() },
            ephemeral: Events::default(),
            account_data: Events::default(),
            unread_notifications: counts(if by_thread { self.unread.main } else { self.unread.total() }),
            unread_thread_notifications: threads
                .map(|(root, count)| (root.clone(), counts(*count)))
                .collect(),
        }
    }
}

impl Reading<'_> {
    /// Remembers what this answer told, for the next one. Rooms in which own push rules decide are
    /// always read from the archive.
    pub(super) async fn remember(&mut self, parts: &[Part], told: Remembered) -> Result<()> {
        let user = self.user();
        let sessions = &self.flows.memos.sessions;
        let old = sessions.get(&self.requester.session).and_then(|old| {
            let mut old = old.lock().ok()?;
            let goes_on = Some(old.as_of) == self.since && *old.filter == *self.request.filter && !told.anew;
            goes_on.then(|| std::mem::take(&mut old.told))
        });
        let begins = old.is_none();
        let mut rooms = old.unwrap_or_default();
        let own_rules: HashSet<String> =
            push::modes(&mut self.snapshot, user).await?.into_iter().map(|mode| mode.room_id).collect();
        for part in parts {
            let room = part.my.room;
            let unread = told.unread.get(&room).cloned();
            if part.left || own_rules.contains("") || own_rules.contains(&part.my.room_id) {
                rooms.remove(&room);
                continue;
            }
            let entry = rooms.entry(room).or_insert_with(|| Told {
                room_id: part.my.room_id.as_str().into(),
                unread: Unread::default(),
                members: HashSet::new(),
            });
            entry.unread = unread.unwrap_or_default();
            entry.members.extend(told.senders.get(&room).into_iter().flatten());
        }
        let watched = members::watched_rooms(&mut self.snapshot, user).await?;
        if begins && watched.len() <= FORESEEN && !own_rules.contains("") {
            self.foresee(&watched, &own_rules, &mut rooms).await?;
        }
        let watched: HashSet<Nid> = watched.into_iter().collect();
        let usual = |told: &Told| !own_rules.contains("") && !own_rules.contains(&*told.room_id);
        rooms.retain(|room, told| watched.contains(room) && usual(told));
        let memo = Memo {
            as_of: self.until,
            filter: Arc::clone(&self.request.filter),
            rooms: Arc::new(watched),
            ignored: Arc::new(self.ignored.clone()),
            told: rooms,
        };
        sessions.insert(self.requester.session, Arc::new(Mutex::new(memo)));
        Ok(())
    }
}

impl Reading<'_> {
    /// Reads the unread counts of the rooms that the answer did not tell of, once when a session
    /// begins to wait, so that the first message in each need not ask for them.
    async fn foresee(
        &mut self,
        watched: &[Nid],
        own_rules: &HashSet<String>,
        rooms: &mut HashMap<Nid, Told>,
    ) -> Result<()> {
        let user = self.user();
        let ignored = self.ignored_nids().await?;
        let mine = members::of_user_in(&mut self.snapshot, user, watched).await?;
        let mut quiet = mine;
        quiet.retain(|my| {
            my.membership == "join" && !rooms.contains_key(&my.room) && !own_rules.contains(&my.room_id)
        });
        let ids: Vec<Nid> = quiet.iter().map(|my| my.room).collect();
        let mut counts = unread::counts(&mut self.snapshot, user, &ids, &ignored).await?;
        for my in quiet {
            let told = Told {
                room_id: my.room_id.as_str().into(),
                unread: counts.remove(&my.room).unwrap_or_default(),
                members: HashSet::new(),
            };
            rooms.insert(my.room, told);
        }
        Ok(())
    }
}

/// What an answer told that its memo needs.
#[derive(Default)]
pub(super) struct Remembered {
    pub unread: HashMap<Nid, Unread>,
    /// By room, those whose events the timeline tells: their member events were told as well.
    pub senders: HashMap<Nid, Vec<Nid>>,
    /// Whether what was remembered before no longer holds: ignored users or push rules changed.
    pub anew: bool,
}
