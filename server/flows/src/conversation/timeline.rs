//! What happened with a contact over all its conversations: read from their rooms, the newest first, as far as
//! whoever asks reads them. Nothing of it is kept anywhere else.

use super::reader;
use crate::Flows;
use crate::aggregate::OfRoom;
use crate::search::{Order, Request};
use crate::sync::{admits, ignored_users};
use kontor_model::filter::EventFilter;
use kontor_model::{Error, Nid, Requester, Result};
use kontor_rooms::{Viewer, Visibility, VisibleEvent};
use kontor_store::Snapshot;
use kontor_store::contacts::conversations::{self, ConversationRow};
use kontor_store::identity::sessions;
use kontor_store::rooms::events::{self, Asker};
use kontor_store::rooms::{members, state};
use std::collections::{HashMap, HashSet};

/// Items of one page at most.
const MOST: usize = 500;
/// Events that are read for one page at most, shown or not.
const SCAN: usize = 2_000;
/// Events that one statement reads.
const STEP: usize = 200;

/// Something that happened.
#[derive(Debug)]
pub struct Passed {
    /// The conversation.
    pub conversation: String,
    /// The channel that it came by.
    pub channel: String,
    /// The room, Matrix id.
    pub room_id: String,
    /// Whether it was said among employees.
    pub backstage: bool,
    /// What it is.
    pub event: VisibleEvent,
}

/// A page of what happened.
#[derive(Debug, Default)]
pub struct Past {
    /// The newest first.
    pub items: Vec<Passed>,
    /// Where the next page begins; `None` when there is no more.
    pub next: Option<i64>,
}

/// A room of the contact's conversations.
struct Side<'a> {
    row: &'a ConversationRow,
    backstage: bool,
    visibility: Visibility,
}

impl Side<'_> {
    fn room_id(&self) -> &str {
        if self.backstage { &self.row.backstage_id } else { &self.row.room_id }
    }
}

/// The rooms as one reader may see them, in one moment.
pub(super) struct Sides<'a> {
    flows: &'a Flows,
    by: &'a Requester,
    pub snapshot: Snapshot<'a>,
    ignored: HashSet<String>,
    rooms: HashMap<Nid, Side<'a>>,
    now: i64,
}

impl Flows {
    /// Files that were sent with and about a contact, before a place.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see; `UnknownToken` when the session ended.
    pub async fn contact_files(
        &self,
        by: &Requester,
        contact: &str,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Past> {
        let contact = self.contacts.now_of(reader(by)?, contact).await?;
        let rows = conversations::of_contact(&mut self.store.reader(), &contact).await?;
        let mut sides = self.sides(by, &rows).await?;
        let mut past = sides.page(&filter(true), before, limit.clamp(1, MOST), |_| true).await?;
        sides.explain(&mut past.items).await?;
        Ok(past)
    }

    /// Messages with some words in the rooms of a contact's conversations, the newest first.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see; `InvalidParam` for a text without words.
    pub async fn contact_search(
        &self,
        by: &Requester,
        contact: &str,
        words: &str,
        limit: usize,
    ) -> Result<Vec<Passed>> {
        if words.trim().is_empty() {
            return Err(Error::invalid_param("Which words? q must not be empty."));
        }
        let contact = self.contacts.now_of(reader(by)?, contact).await?;
        let rows = conversations::of_contact(&mut self.store.reader(), &contact).await?;
        let rooms = rows.iter().flat_map(|row| [row.room_id.clone(), row.backstage_id.clone()]).collect();
        let limit = limit.clamp(1, MOST);
        let request = Request {
            term: words.to_owned(),
            filter: EventFilter {
                rooms: Some(rooms),
                types: Some(vec!["m.room.message".to_owned()]),
                not_senders: vec![self.identity.company_user_id()?.to_string()],
                limit: Some(limit as u64 * 2),
                ..EventFilter::default()
            },
            order: Order::Recent,
            ..Request::default()
        };
        let found = self.search(by, &request).await?;
        // The question itself holds the words.
        let told = found.into_events().filter(|event| !super::commands::is_search(event));
        let passed = told.filter_map(|event| {
            let room = event.room_id()?.to_owned();
            let row = rows.iter().find(|row| row.room_id == room || row.backstage_id == room)?;
            Some(Passed {
                conversation: row.id.clone(),
                channel: row.channel.clone(),
                backstage: row.backstage_id == room,
                room_id: room,
                event,
            })
        });
        Ok(passed.take(limit).collect())
    }

    pub(super) async fn sides<'a>(
        &'a self,
        by: &'a Requester,
        rows: &'a [ConversationRow],
    ) -> Result<Sides<'a>> {
        let mut snapshot = self.store.snapshot().await?;
        let guard = sessions::guard(&mut snapshot, by.session, by.user).await?;
        kontor_identity::sessions::stands(&guard, by)?;
        let rooms: Vec<Nid> = rows.iter().flat_map(|row| [row.room, row.backstage]).collect();
        let mut histories = state::histories(&mut snapshot, &rooms, by.user).await?;
        let mine = members::of_user_in(&mut snapshot, by.user, &rooms).await?;
        let forgotten: HashSet<Nid> =
            mine.into_iter().filter(|mine| mine.forgotten).map(|mine| mine.room).collect();
        let mut sides = HashMap::new();
        for row in rows {
            for (room, backstage) in [(row.room, false), (row.backstage, true)] {
                let visibility = Visibility::new(&histories.remove(&room).unwrap_or_default());
                if visibility.state_until().is_some() && !forgotten.contains(&room) {
                    sides.insert(room, Side { row, backstage, visibility });
                }
            }
        }
        let ignored = ignored_users(&mut snapshot, by.user).await?;
        Ok(Sides { flows: self, by, snapshot, ignored, rooms: sides, now: self.clock.now() })
    }
}

/// What is told of rooms.
pub(super) fn filter(files: bool) -> EventFilter {
    EventFilter {
        types: Some(vec!["m.room.message".to_owned(), "m.sticker".to_owned()]),
        contains_url: files.then_some(true),
        ..EventFilter::default()
    }
}

impl<'a> Sides<'a> {
    fn viewer<'v>(&'v self, side: &'v Side<'_>) -> Viewer<'v> {
        Viewer {
            reader: self.by.user,
            visibility: &side.visibility,
            ignored: &self.ignored,
            room_id: Some(side.room_id().into()),
            now: self.now,
        }
    }

    /// The conversations whose backstage room is read.
    pub(super) fn backstage_of(&self) -> Vec<&'a str> {
        let backstage = self.rooms.values().filter(|side| side.backstage);
        backstage.map(|side| side.row.id.as_str()).collect()
    }

    /// The newest events before a place, of those that `shows` lets through. What edits another event is told with that
    /// one.
    pub(super) async fn page(
        &mut self,
        filter: &EventFilter,
        before: Option<i64>,
        limit: usize,
        shows: impl Fn(Nid) -> bool,
    ) -> Result<Past> {
        let mut past = Past::default();
        let (mut until, mut scanned) = (before.map_or(i64::MAX, |before| before.saturating_sub(1)), 0);
        while scanned < SCAN {
            let windows: Vec<(Nid, i64, i64)> = self
                .rooms
                .iter()
                .flat_map(|(room, side)| side.visibility.ranges().into_iter().map(|range| (*room, range)))
                .map(|(room, (after, last))| (room, after, last.min(until)))
                .filter(|(_, after, last)| after < last)
                .collect();
            let asker = Asker { user: self.by.user, device: self.by.device_id.as_str() };
            let rows = events::newest_of_each(&mut self.snapshot, asker, &windows, STEP as i64).await?;
            // Of a room with more than one step only the newest are there: no further than those.
            let whole = rows.len() < STEP;
            for row in rows.into_iter().take(STEP) {
                scanned += 1;
                until = row.ord.unwrap_or(until).saturating_sub(1);
                let Some(side) = self.rooms.get(&row.room) else { continue };
                let edits = row.relates_to.as_ref().is_some_and(|(_, how)| how == "m.replace");
                if edits || !admits(filter, &row) || !shows(row.event) {
                    continue;
                }
                let Some(event) = self.viewer(side).see(row) else { continue };
                past.items.push(Passed {
                    conversation: side.row.id.clone(),
                    channel: side.row.channel.clone(),
                    room_id: side.room_id().to_owned(),
                    backstage: side.backstage,
                    event,
                });
                if past.items.len() == limit {
                    past.next = Some(until + 1);
                    return Ok(past);
                }
            }
            if whole {
                return Ok(past);
            }
        }
        past.next = Some(until + 1);
        Ok(past)
    }

    /// Tells with events what redacted them and what relates to them.
    pub(super) async fn explain(&mut self, items: &mut [Passed]) -> Result<()> {
        let wanted: Vec<Nid> = items.iter().filter_map(|item| item.event.row().redacted_by).collect();
        let asker = Asker { user: self.by.user, device: self.by.device_id.as_str() };
        let rows = events::by_nids(&mut self.snapshot, asker, &wanted).await?;
        let seen = rows.into_iter().filter_map(|row| {
            let side = self.rooms.get(&row.room)?;
            Some((row.event, self.viewer(side).see(row)?))
        });
        let redactions: HashMap<Nid, VisibleEvent> = seen.collect();
        VisibleEvent::explain_redactions(items.iter_mut().map(|item| &mut item.event), &redactions);
        let mut by_room: HashMap<Nid, Vec<&mut VisibleEvent>> = HashMap::new();
        for item in items {
            by_room.entry(item.event.row().room).or_default().push(&mut item.event);
        }
        let Self { flows, by, snapshot, ignored, rooms, now } = self;
        let mut parts = Vec::new();
        for (room, events) in by_room {
            let Some(side) = rooms.get(&room) else { continue };
            let viewer = Viewer {
                reader: by.user,
                visibility: &side.visibility,
                ignored,
                room_id: Some(side.room_id().into()),
                now: *now,
            };
            parts.push(OfRoom { viewer, room, events });
        }
        let asker = Asker { user: by.user, device: by.device_id.as_str() };
        flows.bundle(snapshot, asker, &mut parts).await
    }
}

/// Where a page begins, as it was given out.
///
/// # Errors
/// `InvalidParam` for anything else.
pub fn place(from: &str) -> Result<i64> {
    let forged = || Error::invalid_param("The parameter \"from\" must be the \"next\" of an earlier answer.");
    from.parse().ok().filter(|place| *place >= 0).ok_or_else(forged)
}
