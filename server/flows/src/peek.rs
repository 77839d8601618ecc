//! Looking into rooms in other ways than page by page: at a date, at what comes next, at the whole
//! room at once. The last two serve deprecated endpoints, on what the others stand on.

use crate::Flows;
use crate::history::{Direction, PageRequest};
use kontor_model::filter::EventFilter;
use kontor_model::position::SyncToken;
use kontor_model::{Error, Ms, Pos, Requester, Result};
use kontor_rooms::VisibleEvent;
use kontor_store::identity::account_data::{self, AccountData};
use kontor_store::log::Topic;
use kontor_store::rooms::moments::{self, Moment};
use kontor_store::rooms::{card, events, head};
use ruma::{OwnedRoomId, RoomId};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::Instant;

/// Events that one answer about what comes next holds at most.
const MOST: usize = 500;

/// The longest wait for something to come.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// What came in a room.
#[derive(Debug)]
pub struct News {
    /// Where it began.
    pub start: SyncToken,
    /// Where to go on.
    pub end: SyncToken,
    /// The events, oldest first.
    pub events: Vec<VisibleEvent>,
}

/// What belongs to a room besides its events.
#[derive(Debug)]
pub struct Belongings {
    /// The reader's membership, of those that are more than having left.
    pub membership: String,
    /// Whether the directory shows the room.
    pub published: bool,
    /// The reader's account data of the room.
    pub account_data: Vec<AccountData>,
}

impl Flows {
    /// The event closest to a date that the reader may see.
    ///
    /// # Errors
    /// `Forbidden` for strangers to the room; `NotFound` when there is none on that side.
    pub async fn event_at(
        &self,
        reader: &Requester,
        room_id: &RoomId,
        ts: Ms,
        direction: Direction,
    ) -> Result<VisibleEvent> {
        let mut room = self.read_room(reader, room_id).await?;
        let backward = direction == Direction::Backward;
        let ranges = room.visibility.ranges();
        let moment = Moment { room: room.room, ts, backward, ranges: &ranges };
        let ignored: Vec<String> = room.viewer().ignored.iter().cloned().collect();
        let found = moments::closest(&mut room.snapshot, moment, &ignored).await?;
        let asker = room.asker();
        let rows = events::by_nids(&mut room.snapshot, asker, &found.into_iter().collect::<Vec<_>>()).await?;
        let none = || Error::not_found("There is no event on that side of the date that you may see.");
        rows.into_iter().find_map(|row| room.viewer().see(row)).ok_or_else(none)
    }

    /// One event, wherever it is.
    ///
    /// # Errors
    /// `NotFound` when it does not exist or may not be seen.
    pub async fn event_anywhere(&self, reader: &Requester, event_id: &str) -> Result<VisibleEvent> {
        let none = || Error::not_found("There is no such event, or you may not see it.");
        if event_id.contains('\0') {
            return Err(none());
        }
        let room = moments::room_of(&mut self.store.reader(), event_id).await?.ok_or_else(none)?;
        let room = OwnedRoomId::try_from(room).map_err(Error::internal)?;
        self.event(reader, &room, event_id).await
    }

    /// What comes in a room that the reader need not be in, waiting for it if need be.
    ///
    /// # Errors
    /// `Forbidden` unless the reader may look into the room; `InvalidParam` for forged tokens.
    pub async fn news_of(
        &self,
        reader: &Requester,
        room_id: &RoomId,
        from: Option<SyncToken>,
        timeout: Duration,
    ) -> Result<News> {
        let deadline = Instant::now() + timeout.min(MAX_WAIT);
        let row = head::room(&mut self.store.reader(), room_id.as_str()).await?;
        let room = row.ok_or_else(|| Error::forbidden("You are not a member of this room."))?.room;
        let mut from = from;
        loop {
            // Before reading, so that nothing falls between.
            let waiter = self.store.log().wait_for([Topic::Room(room), Topic::User(reader.user)]);
            let news = self.news_once(reader, room_id, from).await?;
            from = Some(news.start);
            if !news.events.is_empty() {
                return Ok(news);
            }
            tokio::select! {
                () = waiter.woken() => {}
                () = tokio::time::sleep_until(deadline) => return Ok(news),
                () = self.stopping() => return Ok(news),
            }
        }
    }

    async fn news_once(&self, reader: &Requester, room_id: &RoomId, from: Option<SyncToken>) -> Result<News> {
        let mut room = self.read_room(reader, room_id).await?;
        let process = self.rooms.typing.process();
        let at = |pos: i64| SyncToken { pos: Pos(pos), ephemeral: 0, process, to_device: Pos(pos) };
        let start = from.unwrap_or_else(|| at(room.newest));
        if start.pos.0 > room.newest {
            return Err(Error::invalid_param("This token was not given out by this server."));
        }
        let request = PageRequest {
            from: None,
            to: None,
            direction: Direction::Forward,
            limit: MOST,
            filter: EventFilter::default(),
        };
        let (mut events, next) = room.page(start.pos.0, &request).await?;
        room.explain(&mut events).await?;
        let end = at(next.map_or(room.newest, |next| next.0));
        Ok(News { start, end, events })
    }

    /// What belongs to a room that the reader may look into, besides its events.
    ///
    /// # Errors
    /// `Forbidden` for strangers to the room.
    pub async fn belongings(&self, reader: &Requester, room_id: &RoomId) -> Result<Belongings> {
        let mut room = self.read_room(reader, room_id).await?;
        let nid = room.room;
        let row = head::room(&mut room.snapshot, room_id.as_str()).await?;
        Ok(Belongings {
            membership: room.visibility.membership().to_owned(),
            published: row.is_some_and(|row| row.published),
            account_data: account_data::of_rooms(&mut room.snapshot, reader.user, &[nid]).await?,
        })
    }

    /// Which of these rooms the directory shows.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn shown_in_directory(&self, rooms: &[&str]) -> Result<HashSet<String>> {
        let rows = card::by_ids(&mut self.store.reader(), 0, rooms).await?;
        Ok(rows.into_iter().filter(|row| row.published).map(|row| row.room_id).collect())
    }
}
