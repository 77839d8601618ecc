//! `/search`: finding messages, names and topics by their words, in the rooms that the searcher is or
//! was in.
//!
//! The index says where words stand; which of those places the searcher may see is decided here,
//! place by place, before anything is counted. What is then shown passes the same door as everywhere
//! ([`kontor_rooms::Viewer`]).

mod find;
mod follow;
mod page;
mod token;

use crate::Flows;
use crate::sync::ignored_users;
use find::{Hit, Kinds};
use kontor_model::filter::EventFilter;
use kontor_model::{Nid, Requester, Result};
use kontor_rooms::search::Query;
use kontor_rooms::{Viewer, Visibility};
use kontor_store::Snapshot;
use kontor_store::identity::sessions;
use kontor_store::rooms::events::{self, Asker};
use kontor_store::rooms::members::{self, MyRoom};
use kontor_store::rooms::state;
pub use page::Answer;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
pub use token::{GroupBy, SearchToken};

/// Results of one page where the client asks for no number, and at most.
const DEFAULT_LIMIT: u64 = 10;
const MAX_LIMIT: u64 = 100;
/// How many rooms back an upgraded room is followed.
const UPGRADES: usize = 10;

/// In which order results come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those first in which the words say most.
    #[default]
    Rank,
    /// The newest first.
    Recent,
}

/// How much of what stands around a result is told with it.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// Events before it.
    pub before: u64,
    /// Events after it.
    pub after: u64,
    /// Whether what the senders were called then is told.
    pub profiles: bool,
}

/// What a client asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// What a person typed.
    pub term: String,
    /// Which of `content.body`, `content.name` and `content.topic` to look at.
    pub keys: Vec<Key>,
    /// Which events; with the number of results.
    pub filter: EventFilter,
    /// The order.
    pub order: Order,
    /// What of their surroundings.
    pub around: Option<Around>,
    /// How to divide them.
    pub groups: Vec<GroupBy>,
    /// Whether to tell the state of their rooms.
    pub state: bool,
    /// Where to go on.
    pub from: Option<SearchToken>,
}

/// A property that is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The text of a message.
    Body,
    /// The name of a room.
    Name,
    /// The topic of a room.
    Topic,
}

/// One reading of the archive for one answer.
struct Reading<'a> {
    flows: &'a Flows,
    requester: &'a Requester,
    request: &'a Request,
    snapshot: Snapshot<'a>,
    /// The rooms that the searcher is or was in, and did not forget.
    rooms: HashMap<Nid, MyRoom>,
    /// What the searcher may see, of the rooms that were asked about so far.
    seen: HashMap<Nid, Seen>,
    /// Users that the searcher ignores.
    ignored: HashSet<String>,
    /// The newest position in this moment.
    newest: i64,
    now: i64,
}

/// What the searcher may see of a room.
#[derive(Default)]
struct Seen {
    visibility: Visibility,
    /// The same as `(after, until]`, in order.
    ranges: Vec<(i64, i64)>,
}

impl Seen {
    fn covers(&self, ord: i64) -> bool {
        let next = self.ranges.partition_point(|(_, until)| *until < ord);
        self.ranges.get(next).is_some_and(|(after, _)| *after < ord)
    }
}

impl Flows {
    /// Finds what holds all words of a term.
    ///
    /// # Errors
    /// `UnknownToken` when the session ended; `InvalidParam` for forged tokens; `Unavailable` when
    /// the archive or the index is gone.
    pub async fn search(&self, requester: &Requester, request: &Request) -> Result<Answer> {
        let mut snapshot = self.store.snapshot().await?;
        let guard = sessions::guard(&mut snapshot, requester.session, requester.user).await?;
        kontor_identity::sessions::stands(&guard, requester)?;
        let ignored = ignored_users(&mut snapshot, requester.user).await?;
        let mine = members::of_user(&mut snapshot, requester.user).await?;
        let rooms = mine.into_iter().filter(|room| !room.forgotten).map(|room| (room.room, room)).collect();
        let mut reading = Reading {
            flows: self,
            requester,
            request,
            snapshot,
            rooms,
            seen: HashMap::new(),
            ignored,
            newest: guard.newest.0,
            now: self.clock.now(),
        };
        let query = Query::parse(&request.term);
        let hits = reading.find(&query).await?;
        reading.answer(&query, hits).await
    }
}

impl<'a> Reading<'a> {
    fn asker(&self) -> Asker<'a> {
        Asker { user: self.requester.user, device: self.requester.device_id.as_str() }
    }

    /// Hits in their order.
    async fn find(&mut self, query: &Query) -> Result<Vec<Hit>> {
        let filter = &self.request.filter;
        let kinds = Kinds::of(self.request);
        if query.terms.is_empty() || filter.admits_nothing() || kinds.none() {
            return Ok(Vec::new());
        }
        let rooms = self.wanted_rooms().await?;
        let mut hits = self.hits(query, kinds, &rooms).await?;
        if self.request.order == Order::Recent {
            for hit in &mut hits {
                hit.score = 0;
            }
        }
        hits.sort_unstable_by_key(|hit| std::cmp::Reverse(hit.key()));
        Ok(hits)
    }

    /// The rooms to look in. A room that is asked for stands for those that it replaced, too.
    async fn wanted_rooms(&mut self) -> Result<Vec<Nid>> {
        let filter = &self.request.filter;
        let group = self.request.from.and_then(|from| from.group).filter(|group| group.by == GroupBy::Room);
        let asked = |room: &&MyRoom| filter.admits_room(&room.room_id);
        let mut wanted: HashSet<Nid> = self.rooms.values().filter(asked).map(|room| room.room).collect();
        if filter.rooms.is_some() {
            let mut newest: Vec<Nid> = wanted.iter().copied().collect();
            for _ in 0..UPGRADES {
                newest =
                    self.replaced_by(&newest).await?.into_iter().filter(|old| wanted.insert(*old)).collect();
                if newest.is_empty() {
                    break;
                }
            }
        }
        Ok(wanted.into_iter().filter(|room| group.is_none_or(|group| group.of == *room)).collect())
    }

    /// Those of the searcher's rooms that some rooms replaced.
    async fn replaced_by(&mut self, rooms: &[Nid]) -> Result<Vec<Nid>> {
        #[derive(serde::Deserialize)]
        struct Create {
            predecessor: Predecessor,
        }
        #[derive(serde::Deserialize)]
        struct Predecessor {
            room_id: String,
        }
        if rooms.is_empty() {
            return Ok(Vec::new());
        }
        let nids = state::current_of_types(&mut self.snapshot, rooms, &["m.room.create"]).await?;
        let asker = self.asker();
        let rows = events::by_nids(&mut self.snapshot, asker, &nids).await?;
        let read = |row: &Arc<events::EventRow>| serde_json::from_str::<Create>(row.content.get()).ok();
        let old: HashSet<String> =
            rows.iter().filter_map(read).map(|create| create.predecessor.room_id).collect();
        let not = &self.request.filter.not_rooms;
        let known =
            self.rooms.values().filter(|room| old.contains(&room.room_id) && !not.contains(&room.room_id));
        Ok(known.map(|room| room.room).collect())
    }

    /// Learns what the searcher may see of rooms.
    async fn look_into(&mut self, rooms: &[Nid]) -> Result<()> {
        let unknown: Vec<Nid> = rooms.iter().filter(|room| !self.seen.contains_key(room)).copied().collect();
        let mut histories = state::histories(&mut self.snapshot, &unknown, self.requester.user).await?;
        for room in unknown {
            let visibility = Visibility::new(&histories.remove(&room).unwrap_or_default());
            // Who never was in a room does not search it, even if everybody may read it.
            let ranges = match visibility.state_until().is_some() {
                true => visibility.ranges(),
                false => Vec::new(),
            };
            self.seen.insert(room, Seen { visibility, ranges });
        }
        Ok(())
    }

    /// Senders whose words are kept from the searcher, with the rooms in which they are.
    fn kept_senders(&self, rooms: &[Nid]) -> HashMap<Vec<String>, HashSet<Nid>> {
        let mut kept: HashMap<Vec<String>, HashSet<Nid>> = HashMap::new();
        for room in rooms {
            let users = self.seen.get(room).map(|seen| seen.visibility.kept_senders()).unwrap_or_default();
            if !users.is_empty() {
                kept.entry(users).or_default().insert(*room);
            }
        }
        kept
    }

    fn covers(&self, room: Nid, ord: i64) -> bool {
        ord <= self.newest && self.seen.get(&room).is_some_and(|seen| seen.covers(ord))
    }

    fn viewer(&self, room: Nid) -> Option<Viewer<'_>> {
        let (mine, seen) = (self.rooms.get(&room)?, self.seen.get(&room)?);
        Some(Viewer {
            reader: self.requester.user,
            visibility: &seen.visibility,
            ignored: &self.ignored,
            room_id: Some(mine.room_id.as_str().into()),
            now: self.now,
        })
    }
}
