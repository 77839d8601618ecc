//! Events that relate to one event, page by page, and the threads of a room (client-server API,
//! "Relationships API" and "Querying threads in a room").

use crate::Flows;
use crate::history::{Direction, RoomReading};
use kontor_model::position::RoomToken;
use kontor_model::{Error, Nid, Requester, Result};
use kontor_rooms::VisibleEvent;
use kontor_store::rooms::events;
use kontor_store::rooms::relations::{self, Seen, Wanted};
use ruma::RoomId;
use std::collections::HashMap;

/// How many relations away events are looked for when indirect ones are wanted.
pub const RECURSION: i64 = 3;
/// Events or threads of one page at most.
const MAX_LIMIT: usize = 500;

/// What of an event's relations is wanted.
#[derive(Clone, Debug)]
pub struct RelationsRequest<'a> {
    /// Only relations of this type.
    pub rel_type: Option<&'a str>,
    /// Only events of this type.
    pub kind: Option<&'a str>,
    /// Which way.
    pub direction: Direction,
    /// Where to begin; the end that the direction comes from when absent.
    pub from: Option<RoomToken>,
    /// Where to end, at the latest.
    pub to: Option<RoomToken>,
    /// At most so many.
    pub limit: usize,
    /// Whether events that relate to related ones are wanted too.
    pub recurse: bool,
}

/// A page of events.
#[derive(Debug)]
pub struct RelationsPage {
    /// The events.
    pub chunk: Vec<VisibleEvent>,
    /// Where the next page begins; `None` when there is no more.
    pub next: Option<RoomToken>,
}

impl Flows {
    /// A page of the events that relate to one.
    ///
    /// # Errors
    /// `NotFound` when the event is not in the room or may not be seen, `InvalidParam` for forged
    /// tokens.
    pub async fn relations(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        event_id: &str,
        request: &RelationsRequest<'_>,
    ) -> Result<RelationsPage> {
        let mut room = self.read_room(requester, room_id).await.map_err(|error| match error.code {
            kontor_model::Code::Forbidden => no_such_event(),
            _ => error,
        })?;
        for token in [request.from, request.to].into_iter().flatten() {
            room.check(token)?;
        }
        room.stands(event_id).await?;
        let backward = request.direction == Direction::Backward;
        let (from, to) = (request.from.map(|token| token.0), request.to.map(|token| token.0));
        let (after, until) = if backward { (to, from) } else { (from, to) };
        let limit = request.limit.clamp(1, MAX_LIMIT);
        let wanted = Wanted {
            room: room.room,
            parent: event_id,
            rel_type: request.rel_type.unwrap_or_default(),
            kind: request.kind.unwrap_or_default(),
            depth: if request.recurse { RECURSION } else { 1 },
            after: after.unwrap_or(i64::MIN),
            until: until.unwrap_or(i64::MAX),
            backward,
            limit: limit as i64 + 1,
        };
        let ignored = self.nids_of(room.ignored()).await?;
        let ranges = room.ranges();
        let seen = Seen { user: requester.user, ignored: &ignored, ranges: &ranges };
        let mut nids = relations::page(&mut room.snapshot, seen, wanted).await?;
        let more = nids.len() > limit;
        nids.truncate(limit);
        let mut chunk = room.in_order(&nids, false).await?;
        let last = chunk.last().and_then(|event| event.row().ord).filter(|_| more);
        let next = last.map(|ord| RoomToken(if backward { ord - 1 } else { ord }));
        room.explain(&mut chunk).await?;
        Ok(RelationsPage { chunk, next })
    }

    /// A page of the threads of a room: their roots, the thread with the newest event first.
    ///
    /// # Errors
    /// `Forbidden` for strangers, `InvalidParam` for forged tokens.
    pub async fn threads(
        &self,
        requester: &Requester,
        room_id: &RoomId,
        from: Option<RoomToken>,
        limit: usize,
        participated: bool,
    ) -> Result<RelationsPage> {
        let mut room = self.read_room(requester, room_id).await?;
        if let Some(token) = from {
            room.check(token)?;
        }
        let limit = limit.clamp(1, MAX_LIMIT);
        let ignored = self.nids_of(room.ignored()).await?;
        let ranges = room.ranges();
        let seen = Seen { user: requester.user, ignored: &ignored, ranges: &ranges };
        let until = from.map_or(i64::MAX, |token| token.0);
        let (id, most) = (room.room, limit as i64 + 1);
        let mut roots = relations::threads(&mut room.snapshot, seen, id, until, participated, most).await?;
        let more = roots.len() > limit;
        roots.truncate(limit);
        let next = roots.last().filter(|_| more).map(|root| RoomToken(root.latest - 1));
        let nids: Vec<Nid> = roots.iter().map(|root| root.event).collect();
        let mut chunk = room.in_order(&nids, true).await?;
        room.explain(&mut chunk).await?;
        Ok(RelationsPage { chunk, next })
    }

    /// Numeric ids of users, as far as anybody ever heard of them.
    pub(crate) async fn nids_of<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Result<Vec<Nid>> {
        let mut nids = Vec::new();
        for name in names {
            nids.extend(self.store.known_name(name).await?);
        }
        Ok(nids)
    }
}

fn no_such_event() -> Error {
    Error::not_found("There is no such event, or you may not see it.")
}

impl RoomReading<'_> {
    /// Fails unless the event is one of this room that the reader may see; whose content the reader
    /// ignores does not matter, since others may have answered.
    async fn stands(&mut self, event_id: &str) -> Result<()> {
        let asker = self.asker();
        let rows = events::by_ids(&mut self.snapshot, asker, &[event_id]).await?;
        let row = rows.into_iter().find(|row| row.room == self.room).ok_or_else(no_such_event)?;
        self.viewer().see_without_content(&row).map(drop).ok_or_else(no_such_event)
    }

    /// Events in this order; with `hollow` those of ignored senders without their content.
    async fn in_order(&mut self, nids: &[Nid], hollow: bool) -> Result<Vec<VisibleEvent>> {
        let asker = self.asker();
        let rows = events::by_nids(&mut self.snapshot, asker, nids).await?;
        let mut rows: HashMap<Nid, _> = rows.into_iter().map(|row| (row.event, row)).collect();
        let viewer = self.viewer();
        let see = |nid: &Nid| {
            let row = rows.remove(nid)?;
            let hollow = || viewer.see_without_content(&row).filter(|_| hollow);
            viewer.see(std::sync::Arc::clone(&row)).or_else(hollow)
        };
        Ok(nids.iter().filter_map(see).collect())
    }
}
