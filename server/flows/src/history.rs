//! Reading a room's past: one event, the events around it, and page after page.
//!
//! Every reader passes the same door ([`RoomReading`]): who has nothing to do with a room learns
//! nothing of it, not even that it exists.

use crate::Flows;
use crate::aggregate::OfRoom;
use crate::sync::{admits, ignored_users};
use kontor_model::filter::EventFilter;
use kontor_model::position::RoomToken;
use kontor_model::{Code, Error, Nid, Requester, Result};
use kontor_rooms::{Viewer, Visibility, VisibleEvent};
use kontor_store::Snapshot;
use kontor_store::identity::sessions;
use kontor_store::rooms::events::{self, Asker, Page};
use kontor_store::rooms::{head, members, state};
use ruma::RoomId;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Events that one page reads at most, shown or not: a filter that matches nothing costs no more.
const SCAN: usize = 2_000;
/// Events of one page at most.
const MAX_LIMIT: usize = 1_000;

/// Which way to turn pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From new to old.
    Backward,
    /// From old to new.
    Forward,
}

/// What a page is asked for with.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Where to begin; the end that the direction comes from when absent.
    pub from: Option<RoomToken>,
    /// Where to end, at the latest.
    pub to: Option<RoomToken>,
    /// Which way.
    pub direction: Direction,
    /// At most so many events.
    pub limit: usize,
    /// Which events.
    pub filter: EventFilter,
}

/// A page of a room's history.
#[derive(Debug)]
pub struct HistoryPage {
    /// Where the page began.
    pub start: RoomToken,
    /// Where the next page begins; `None` when there is no more.
    pub end: Option<RoomToken>,
    /// The events, in the asked direction.
    pub chunk: Vec<VisibleEvent>,
    /// Member events of their senders, for clients that load members lazily.
    pub state: Vec<VisibleEvent>,
}

/// An event with what stands around it.
#[derive(Debug)]
pub struct Context {
    /// The event.
    pub event: VisibleEvent,
    /// Before it, newest first.
    pub before: Vec<VisibleEvent>,
    /// After it, oldest first.
    pub after: Vec<VisibleEvent>,
    /// The state after the last of them.
    pub state: Vec<VisibleEvent>,
    /// Where to go on backward.
    pub start: RoomToken,
    /// Where to go on forward.
    pub end: RoomToken,
}

/// A room as one reader may see it, in one moment.
pub(crate) struct RoomReading<'a> {
    flows: &'a Flows,
    pub snapshot: Snapshot<'a>,
    pub room: Nid,
    pub room_id: Arc<str>,
    pub visibility: Visibility,
    ignored: HashSet<String>,
    requester: &'a Requester,
    /// The newest position in this moment.
    pub newest: i64,
    now: i64,
}

fn not_in_room() -> Error {
    Error::forbidden("You are not a member of this room.")
}

fn no_such_event() -> Error {
    Error::not_found("There is no such event, or you may not see it.")
}

impl Flows {
    /// Opens a room for reading.
    ///
    /// # Errors
    /// `Forbidden` for those who never were in the room, unless everybody may read it, and for
    /// rooms that do not exist; `UnknownToken` when the session ended.
    pub(crate) async fn read_room<'a>(
        &'a self,
        requester: &'a Requester,
        room_id: &RoomId,
    ) -> Result<RoomReading<'a>> {
        let mut snapshot = self.store.snapshot().await?;
        let guard = sessions::guard(&mut snapshot, requester.session, requester.user).await?;
        kontor_identity::sessions::stands(&guard, requester)?;
        let row = head::room(&mut snapshot, room_id.as_str()).await?.ok_or_else(not_in_room)?;
        let mut histories = state::histories(&mut snapshot, &[row.room], requester.user).await?;
        let visibility = Visibility::new(&histories.remove(&row.room).unwrap_or_default());
        // Whoever forgot a room is a stranger to it.
        let mine = members::membership_of(&mut snapshot, room_id.as_str(), requester.user).await?;
        let forgotten = mine.is_some_and(|mine| mine.forgotten) && !visibility.world_readable();
        if forgotten || visibility.state_until().is_none() {
            return Err(not_in_room());
        }
        Ok(RoomReading {
            ignored: ignored_users(&mut snapshot, requester.user).await?,
            flows: self,
            snapshot,
            room: row.room,
            room_id: row.room_id.into(),
            visibility,
            requester,
            newest: guard.newest.0,
            now: self.clock.now(),
        })
    }

    /// One event.
    ///
    /// # Errors
    /// `NotFound` when it does not exist, is of another room, or may not be seen.
    pub async fn event(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        event_id: &str,
    ) -> Result<VisibleEvent> {
        let mut room = self
            .read_room(requester, room_id)
            .await
            .map_err(|error| if error.code == Code::Forbidden { no_such_event() } else { error })?;
        let mut event = room.find(event_id).await?;
        room.explain([&mut event]).await?;
        Ok(event)
    }

    /// A page of a room's history.
    ///
    /// # Errors
    /// `Forbidden` for strangers, `InvalidParam` for forged tokens.
    pub async fn messages(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        request: &PageRequest,
    ) -> Result<HistoryPage> {
        let mut room = self.read_room(requester, room_id).await?;
        for token in [request.from, request.to].into_iter().flatten() {
            room.check(token)?;
        }
        let from = match (request.from, request.direction) {
            (Some(token), _) => token.0,
            (None, Direction::Backward) => room.newest,
            (None, Direction::Forward) => i64::MIN,
        };
        let (chunk, end) = room.page(from, request).await?;
        let mut page = HistoryPage { start: RoomToken(from.max(0)), end, chunk, state: Vec::new() };
        room.explain(&mut page.chunk).await?;
        if request.filter.lazy_load_members {
            page.state = room.senders(&page.chunk).await?;
        }
        Ok(page)
    }

    /// An event with up to `limit` events around it.
    ///
    /// # Errors
    /// As [`Flows::event`].
    pub async fn context(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        event_id: &str,
        limit: usize,
        filter: &EventFilter,
    ) -> Result<Context> {
        let mut room = self.read_room(requester, room_id).await?;
        let event = room.find(event_id).await?;
        let ord = event.row().ord.ok_or_else(no_such_event)?;
        let limit = limit.min(MAX_LIMIT);
        let part =
            |direction, limit| PageRequest { from: None, to: None, direction, limit, filter: filter.clone() };
        let (before, start) = room.page(ord - 1, &part(Direction::Backward, limit.div_ceil(2))).await?;
        let (after, end) = room.page(ord, &part(Direction::Forward, limit / 2)).await?;
        let last = after.last().and_then(|event| event.row().ord).unwrap_or(ord);
        let mut context = Context {
            start: start.unwrap_or(RoomToken(before.last().and_then(|e| e.row().ord).unwrap_or(ord) - 1)),
            end: end.unwrap_or(RoomToken(last)),
            event,
            before,
            after,
            state: Vec::new(),
        };
        room.explain([&mut context.event].into_iter().chain(&mut context.before).chain(&mut context.after))
            .await?;
        let told = context.before.iter().chain(&context.after).chain([&context.event]);
        let lazy = filter.lazy_load_members.then(|| told.map(|event| event.row().sender_nid).collect());
        context.state = room.state_at(last, lazy).await?;
        Ok(context)
    }
}

impl<'a> RoomReading<'a> {
    pub fn asker(&self) -> Asker<'a> {
        Asker { user: self.requester.user, device: self.requester.device_id.as_str() }
    }

    pub fn viewer(&self) -> Viewer<'_> {
        Viewer {
            reader: self.requester.user,
            visibility: &self.visibility,
            ignored: &self.ignored,
            room_id: Some(Arc::clone(&self.room_id)),
            now: self.now,
        }
    }

    /// Users that the reader ignores.
    pub fn ignored(&self) -> &HashSet<String> {
        &self.ignored
    }

    /// The parts of the room that the reader may see: room, `after`, `until`.
    pub fn ranges(&self) -> Vec<(Nid, i64, i64)> {
        self.visibility.ranges().into_iter().map(|(after, until)| (self.room, after, until)).collect()
    }

    /// Tokens ahead of the server were not given out by it.
    pub fn check(&self, token: RoomToken) -> Result<()> {
        if token.0 > self.newest {
            return Err(Error::invalid_param("This token was not given out by this server."));
        }
        Ok(())
    }

    /// An event of this room that the reader may see.
    pub async fn find(&mut self, event_id: &str) -> Result<VisibleEvent> {
        let asker = self.asker();
        let rows = events::by_ids(&mut self.snapshot, asker, &[event_id]).await?;
        let row = rows.into_iter().find(|row| row.room == self.room);
        row.and_then(|row| self.viewer().see(row)).ok_or_else(no_such_event)
    }

    /// Events from a place on, and where the next page begins if there may be more.
    pub(crate) async fn page(
        &mut self,
        from: i64,
        request: &PageRequest,
    ) -> Result<(Vec<VisibleEvent>, Option<RoomToken>)> {
        let limit = request.limit.min(MAX_LIMIT);
        let mut chunk = Vec::new();
        if request.filter.admits_nothing() || !request.filter.admits_room(&self.room_id) {
            return Ok((chunk, None));
        }
        let mut place = from;
        let mut scanned = 0;
        let backward = request.direction == Direction::Backward;
        let to = request.to.map(|token| token.0);
        while chunk.len() < limit && scanned < SCAN {
            let want = (limit - chunk.len()).clamp(20, 200);
            let page = Page {
                room: self.room,
                after: if backward { to.unwrap_or(i64::MIN) } else { place },
                until: if backward { place } else { to.unwrap_or(self.newest) },
                limit: want as i64,
            };
            let asker = self.asker();
            let rows = if backward {
                events::backward(&mut self.snapshot, asker, page).await?
            } else {
                events::forward(&mut self.snapshot, asker, page).await?
            };
            let exhausted = rows.len() < want;
            for row in rows {
                scanned += 1;
                if let Some(ord) = row.ord {
                    place = if backward { ord - 1 } else { ord };
                }
                if admits(&request.filter, &row) {
                    chunk.extend(self.viewer().see(row));
                }
                if chunk.len() == limit {
                    return Ok((chunk, Some(RoomToken(place))));
                }
            }
            if exhausted {
                return Ok((chunk, None));
            }
        }
        Ok((chunk, Some(RoomToken(place))))
    }

    /// Tells with events what redacted them and what relates to them, as far as the reader may see
    /// that.
    pub async fn explain<'e>(&mut self, list: impl IntoIterator<Item = &'e mut VisibleEvent>) -> Result<()> {
        let mut list: Vec<_> = list.into_iter().collect();
        let wanted: Vec<Nid> = list.iter().filter_map(|event| event.row().redacted_by).collect();
        let asker = self.asker();
        let rows = events::by_nids(&mut self.snapshot, asker, &wanted).await?;
        let viewer = self.viewer();
        let redactions: HashMap<Nid, VisibleEvent> =
            rows.into_iter().filter_map(|row| Some((row.event, viewer.see(row)?))).collect();
        VisibleEvent::explain_redactions(list.iter_mut().map(|event| &mut **event), &redactions);
        let viewer = Viewer {
            reader: self.requester.user,
            visibility: &self.visibility,
            ignored: &self.ignored,
            room_id: Some(Arc::clone(&self.room_id)),
            now: self.now,
        };
        let mut rooms = [OfRoom { viewer, room: self.room, events: list }];
        self.flows.bundle(&mut self.snapshot, asker, &mut rooms).await
    }

    async fn senders(&mut self, chunk: &[VisibleEvent]) -> Result<Vec<VisibleEvent>> {
        let users: HashSet<Nid> = chunk.iter().map(|event| event.row().sender_nid).collect();
        let until = self.visibility.state_until().unwrap_or_default();
        self.state_at(until.min(self.newest), Some(users)).await.map(|list| {
            let member = |event: &VisibleEvent| event.row().kind == "m.room.member";
            list.into_iter().filter(member).collect()
        })
    }

    /// The state after the event at a place, as far as the reader is entitled to it; with `members`
    /// the member events of these users only.
    pub async fn state_at(&mut self, ord: i64, members: Option<HashSet<Nid>>) -> Result<Vec<VisibleEvent>> {
        let until = self.visibility.state_until().unwrap_or(i64::MIN).min(ord);
        let mut nids = state::at(&mut self.snapshot, &[(self.room, until)], members.is_some()).await?;
        if let Some(users) = members {
            let users: Vec<Nid> = users.into_iter().collect();
            nids.extend(state::members_at(&mut self.snapshot, self.room, &users, until).await?);
        }
        let asker = self.asker();
        let rows = events::by_nids(&mut self.snapshot, asker, &nids).await?;
        let viewer = self.viewer();
        Ok(rows.into_iter().filter_map(|row| viewer.see_state(row)).collect())
    }
}
