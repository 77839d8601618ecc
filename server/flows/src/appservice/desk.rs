//! What the runners of all application services read together: the log, its events, and which rooms
//! are whose. However many services follow the same part of the log, each event is read once.

use super::ties::Ties;
use crate::Flows;
use kontor_identity::appservice::Known;
use kontor_model::appservice::Service;
use kontor_model::{Nid, Pos, Result};
use kontor_store::contacts::conversations;
use kontor_store::log::Entry;
use kontor_store::rooms::events::{self, EventRow};
use kontor_store::rooms::served;
use kontor_store::{Stream, follower};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Entries of the log that are looked at together.
const ENTRIES: i64 = 1_000;
/// Events of one transaction.
const EVENTS: usize = 100;
/// Bytes of their contents, about.
const BYTES: usize = 1 << 20;
/// Events remembered, and bytes of their contents.
const REMEMBERED: usize = 2_000;
const REMEMBERED_BYTES: usize = 8 << 20;
/// Members of services in rooms, and rooms, that are remembered; about 100 bytes each.
const MEMBERS: usize = 200_000;
/// Names of users remembered.
const NAMES: usize = 50_000;

/// The shared table of the runners.
pub(super) struct Desk {
    pub flows: Arc<Flows>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(super) struct Inner {
    /// What was registered when the ties were made.
    known: Option<Arc<Known>>,
    rooms: HashMap<Nid, Ties>,
    /// By position.
    rows: BTreeMap<i64, Arc<EventRow>>,
    bytes: usize,
    names: HashMap<Nid, Arc<str>>,
}

/// An event for a service.
pub(super) struct Told {
    pub row: Arc<EventRow>,
    pub room_id: Arc<str>,
    /// Whose membership it changes, if it is one.
    pub user: Option<Nid>,
}

/// A part of the log, as one service sees it.
pub(super) struct Look {
    /// It ends here.
    pub until: Pos,
    /// Events of interest, oldest first.
    pub events: Vec<Told>,
    /// Everything that the log has in this part.
    pub entries: Vec<Entry>,
}

#[derive(serde::Deserialize)]
struct Member {
    membership: Option<String>,
}

/// Whether a member event says that somebody joined.
pub(super) fn joins(row: &EventRow) -> bool {
    let member = serde_json::from_str::<Member>(row.content.get()).ok();
    member.and_then(|member| member.membership).as_deref() == Some("join")
}

impl Desk {
    pub fn new(flows: Arc<Flows>) -> Self {
        Self { flows, inner: Mutex::default() }
    }

    /// The next part of the log after a place, up to as many events as one transaction holds.
    pub async fn look(&self, service: &Service, after: Pos) -> Result<Look> {
        let (entries, until) = self.entries(after).await?;
        let mut look = Look { until, events: Vec::new(), entries };
        let mut inner = self.inner.lock().await;
        inner.renew(self.flows.identity.services().now());
        for entry in look.entries.iter().filter(|entry| entry.row.stream == Stream::Alias) {
            inner.rooms.remove(&entry.row.user.unwrap_or_default());
        }
        let places: Vec<_> = look.entries.iter().filter(|entry| entry.row.stream == Stream::Event).collect();
        inner.tie(&self.flows, places.iter().filter_map(|entry| entry.row.room)).await?;
        let rows = inner.fetch(&self.flows, &places).await?;
        let mut bytes = 0;
        for entry in places {
            let (Some(room), Some(row)) = (entry.row.room, rows.get(&entry.pos)) else { continue };
            if !inner.concerns(service, room, entry, row) {
                continue;
            }
            let room_id = inner.rooms.get(&room).map(|ties| Arc::clone(&ties.room_id)).unwrap_or_default();
            look.events.push(Told { row: Arc::clone(row), room_id, user: entry.row.user });
            bytes += row.content.get().len();
            if look.events.len() == EVENTS || bytes > BYTES {
                look.until = Pos(entry.pos);
                break;
            }
        }
        drop(inner);
        let until = look.until.0;
        look.entries.retain(|entry| entry.pos <= until);
        Ok(look)
    }

    async fn entries(&self, after: Pos) -> Result<(Vec<Entry>, Pos)> {
        let log = self.flows.store.log();
        let until = Pos((after.0 + ENTRIES).min(log.newest().0));
        if until <= after {
            return Ok((Vec::new(), after));
        }
        if let Some(entries) = log.between(after, until) {
            return Ok((entries, until));
        }
        let entries = follower::changes_after(&mut self.flows.store.reader(), after, ENTRIES).await?;
        let until = entries.last().map_or(until, |entry| Pos(entry.pos));
        Ok((entries, until))
    }

    /// Of some rooms those that are a service's now, with their Matrix ids.
    pub async fn rooms_of(
        &self,
        service: &Service,
        rooms: impl IntoIterator<Item = Nid>,
    ) -> Result<HashMap<Nid, Arc<str>>> {
        let rooms: HashSet<Nid> = rooms.into_iter().collect();
        if rooms.is_empty() {
            return Ok(HashMap::new());
        }
        let mut inner = self.inner.lock().await;
        inner.renew(self.flows.identity.services().now());
        inner.tie(&self.flows, rooms.iter().copied()).await?;
        let own = |room: &Nid| {
            let ties = inner.rooms.get(room).filter(|ties| ties.concerns_now(&service.id))?;
            Some((*room, Arc::clone(&ties.room_id)))
        };
        Ok(rooms.iter().filter_map(own).collect())
    }

    /// Matrix ids of users.
    pub async fn names(&self, users: impl IntoIterator<Item = Nid>) -> Result<HashMap<Nid, Arc<str>>> {
        let users: HashSet<Nid> = users.into_iter().collect();
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let mut inner = self.inner.lock().await;
        if inner.names.len() > NAMES {
            inner.names.clear();
        }
        let missing: Vec<Nid> =
            users.iter().filter(|user| !inner.names.contains_key(user)).copied().collect();
        let found = served::names(&mut self.flows.store.reader(), &missing).await?;
        inner.names.extend(found.into_iter().map(|(user, name)| (user, Arc::from(name))));
        Ok(users.into_iter().filter_map(|user| Some((user, Arc::clone(inner.names.get(&user)?)))).collect())
    }
}

impl Inner {
    /// Forgets whose rooms are whose when other services are registered.
    fn renew(&mut self, known: Arc<Known>) {
        if self.known.as_ref().is_none_or(|before| !Arc::ptr_eq(before, &known)) {
            self.rooms.clear();
            self.known = Some(known);
        }
    }

    /// Finds out whose some rooms are, of those that are not known.
    async fn tie(&mut self, flows: &Flows, rooms: impl Iterator<Item = Nid>) -> Result<()> {
        let Some(known) = self.known.clone() else { return Ok(()) };
        let services = known.list();
        let missing: HashSet<Nid> = rooms.filter(|room| !self.rooms.contains_key(room)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        if self.rooms.values().map(Ties::size).sum::<usize>() > MEMBERS {
            let all = std::mem::take(&mut self.rooms);
            self.rooms = all.into_iter().filter(|(room, _)| missing.contains(room)).collect();
        }
        let missing: Vec<Nid> = missing.into_iter().collect();
        let mut reader = flows.store.reader();
        let mut called: HashMap<Nid, (String, Vec<String>)> = HashMap::new();
        for named in served::names_of_rooms(&mut reader, &missing).await? {
            let entry = called.entry(named.room).or_insert_with(|| (named.room_id, Vec::new()));
            entry.1.extend(named.alias);
        }
        let everybody = served::everybody(&mut reader, &missing).await?;
        let own: HashMap<(Nid, Nid), String> = everybody
            .into_iter()
            .filter(|(.., name)| services.iter().any(|service| service.has_user(name)))
            .map(|(room, user, name)| ((room, user), name))
            .collect();
        let members: Vec<(Nid, Nid)> = own.keys().copied().collect();
        let steps = served::steps(&mut reader, &members).await?;
        let backstage = conversations::backstage_among(&mut reader, &missing).await?;
        for (room, (room_id, aliases)) in called {
            let ties = match backstage.contains(&room) {
                true => Ties::closed(&room_id),
                false => Ties::new(&room_id, &aliases, services),
            };
            self.rooms.insert(room, ties);
        }
        for step in steps {
            let name = own.get(&(step.room, step.user));
            if let (Some(ties), Some(name)) = (self.rooms.get_mut(&step.room), name) {
                ties.note(services, (step.user, name), step.ord, step.joined);
            }
        }
        Ok(())
    }

    /// The events of places that may be of interest to anybody, by position.
    async fn fetch(&mut self, flows: &Flows, places: &[&Entry]) -> Result<HashMap<i64, Arc<EventRow>>> {
        let moving: HashSet<Nid> = places
            .iter()
            .filter(|entry| entry.row.user.is_some())
            .filter_map(|entry| entry.row.room)
            .collect();
        let wanted = places.iter().filter_map(|entry| {
            let room = entry.row.room?;
            let ties = self.rooms.get(&room);
            let concerns = ties.is_some_and(|ties| ties.concerns_any(entry.pos));
            (moving.contains(&room) || concerns).then_some((room, entry.pos))
        });
        let wanted: Vec<(Nid, i64)> = wanted.collect();
        let missing: Vec<_> =
            wanted.iter().filter(|(_, pos)| !self.rows.contains_key(pos)).copied().collect();
        let mut rows = HashMap::with_capacity(wanted.len());
        for row in events::at_places(&mut flows.store.reader(), &missing).await? {
            let (Some(ord), row) = (row.ord, Arc::new(row)) else { continue };
            rows.insert(ord, Arc::clone(&row));
            self.remember(ord, row);
        }
        for (_, pos) in wanted {
            if let Some(row) = self.rows.get(&pos) {
                rows.entry(pos).or_insert_with(|| Arc::clone(row));
            }
        }
        Ok(rows)
    }

    fn remember(&mut self, ord: i64, row: Arc<EventRow>) {
        // What was redacted is read again.
        if row.kind == "m.room.redaction" {
            self.rows.retain(|_, known| known.room != row.room);
            self.bytes = self.rows.values().map(|row| row.content.get().len()).sum();
        }
        self.bytes += row.content.get().len();
        self.rows.insert(ord, row);
        while self.rows.len() > REMEMBERED || self.bytes > REMEMBERED_BYTES {
            let Some((_, oldest)) = self.rows.pop_first() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.content.get().len());
        }
    }

    /// Whether an event is of interest to a service; takes note of what it says of the room.
    fn concerns(&mut self, service: &Service, room: Nid, entry: &Entry, row: &EventRow) -> bool {
        let member = row.kind == "m.room.member";
        let target = row.state_key.as_deref().filter(|_| member);
        if let (Some(known), Some(ties), Some(user), Some(name)) =
            (&self.known, self.rooms.get_mut(&room), entry.row.user, target)
        {
            ties.note(known.list(), (user, name), entry.pos, joins(row));
        }
        let ties = self.rooms.get(&room);
        if ties.is_some_and(|ties| ties.closed) {
            return false;
        }
        ties.is_some_and(|ties| ties.concerns(&service.id, entry.pos))
            || service.has_user(&row.sender)
            || target.is_some_and(|target| service.has_user(target))
    }
}
