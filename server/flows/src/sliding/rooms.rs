//! The rooms of an answer, put together.

use super::answer::{Hero, Room, StatePiece};
use super::directory::text_in;
use super::plan::{Part, Plan};
use super::state::{self, Told};
use super::timelines::{self, Timeline};
use super::{memory::Members, told::Mark};
use crate::sync::Reading;
use kontor_model::position::RoomToken;
use kontor_model::{Nid, Result};
use kontor_rooms::VisibleEvent;
use kontor_store::rooms::events::EventRow;
use kontor_store::rooms::unread::{self, Unread};
use kontor_store::rooms::{members, members::MyRoom};
use kontor_store::sliding;
use std::collections::{BTreeMap, HashMap};

/// Events that count as activity of a room (MSC4186, `bump_stamp`).
const BUMPING: [&str; 9] = [
    "m.room.create",
    "m.room.message",
    "m.room.encrypted",
    "m.sticker",
    "m.call.invite",
    "m.poll.start",
    "m.beacon_info",
    "org.matrix.msc3381.poll.start",
    "org.matrix.msc3672.beacon_info",
];

/// Rooms by Matrix id, and where the timelines begin of those that are told anew.
pub(super) struct Rooms {
    pub rooms: BTreeMap<String, Room>,
    pub anew: HashMap<Nid, i64>,
}

/// Reads and tells the rooms of a plan. `live_from` is the position after which events are new.
pub(super) async fn tell(
    reading: &mut Reading<'_>,
    plan: &mut Plan,
    live_from: i64,
    known: &mut Members,
) -> Result<Rooms> {
    let mut timelines = timelines::read(reading, plan).await?;
    let mut told = state::read(reading, plan, &timelines, known).await?;
    let mut states: HashMap<Nid, Vec<VisibleEvent>> =
        told.iter_mut().map(|(room, told)| (*room, std::mem::take(&mut told.events))).collect();
    timelines::explain(reading, plan, &mut timelines, &mut states).await?;
    let user = reading.user();
    let ids: Vec<Nid> = plan.parts.iter().filter(|part| !part.left).map(|part| part.entry.room).collect();
    let ignored = reading.ignored_nids().await?;
    let mut unread = unread::counts(&mut reading.snapshot, user, &ids, &ignored).await?;
    let bumps = bumps(reading, plan, &timelines).await?;
    let gaps = timelines.iter().map(|(room, timeline)| (*room, timeline.limited)).collect();
    plan.note_limits(&gaps);
    let mut rooms = BTreeMap::new();
    let mut anew = HashMap::new();
    for part in &plan.parts {
        let room = part.entry.room;
        let timeline = timelines.remove(&room).unwrap_or_default();
        if part.initial || part.expanded {
            anew.insert(room, timeline.start);
        }
        let state = states.remove(&room).unwrap_or_default();
        let gone = told.get_mut(&room).map(|told| std::mem::take(&mut told.gone)).unwrap_or_default();
        let quiet = timeline.events.is_empty() && state.is_empty() && gone.is_empty();
        if quiet && !(part.initial || part.expanded || part.counts || part.dm.is_some()) {
            continue;
        }
        let told = told.remove(&room).unwrap_or_default();
        let unread = unread.remove(&room).unwrap_or_default();
        let mut answer = one(part, timeline, told, &unread, live_from);
        answer.required_state = state.into_iter().map(StatePiece::Event).chain(gone).collect();
        answer.bump_stamp = bumps.get(&room).copied();
        rooms.insert(part.entry.room_id.to_string(), answer);
    }
    tell_outside(reading, plan, &mut rooms).await?;
    Ok(Rooms { rooms, anew })
}

fn one(part: &Part, timeline: Timeline, told: Told, unread: &Unread, live_from: i64) -> Room {
    let text = |row: &EventRow, field: &str| text_in(row.content.get(), field);
    let live = |event: &&VisibleEvent| event.row().ord.is_some_and(|ord| ord > live_from.max(part.since));
    let name = told.name.as_deref().map(state::name_of);
    let name_is_news = told.name.as_ref().is_some_and(|row| row.ord.is_some_and(|ord| ord > part.since));
    let hero = |row: &EventRow| Hero {
        user_id: row.state_key.clone().unwrap_or_default(),
        displayname: text(row, "displayname"),
        avatar_url: text(row, "avatar_url"),
    };
    let total = unread.total();
    let heroes: Vec<Hero> = told.heroes.iter().map(|row| hero(row)).collect();
    let named = name.as_ref().is_some_and(Option::is_some);
    let name = name.filter(|name| name_is_news && (name.is_some() || !part.initial));
    let avatar = told.avatar.as_deref().map(|row| text(row, "url"));
    Room {
        name: name.or(told.unnamed.then_some(None)),
        avatar: avatar.or(told.unpictured.then_some(None)),
        heroes: (told.roster.is_some() && !named).then_some(heroes),
        initial: part.initial,
        unstable_expanded_timeline: part.expanded,
        is_dm: part.dm.filter(|dm| *dm || !part.initial),
        prev_batch: Some(RoomToken(timeline.start).to_string()),
        limited: Some(timeline.limited),
        num_live: Some(timeline.events.iter().filter(live).count()),
        joined_count: told.roster.as_ref().map(|roster| roster.joined),
        invited_count: told.roster.as_ref().map(|roster| roster.invited),
        notification_count: (!part.left).then_some(total.notifications),
        highlight_count: (!part.left).then_some(total.highlights),
        timeline: timeline.events,
        ..Room::default()
    }
}

/// Stamps of the rooms where they can have changed.
async fn bumps(
    reading: &mut Reading<'_>,
    plan: &Plan,
    timelines: &HashMap<Nid, Timeline>,
) -> Result<HashMap<Nid, i64>> {
    let mut bumps = HashMap::new();
    let mut unknown = Vec::new();
    for part in &plan.parts {
        let room = part.entry.room;
        let timeline = timelines.get(&room);
        let told = timeline.map(|timeline| timeline.events.as_slice()).unwrap_or_default();
        let bumping = |event: &&VisibleEvent| BUMPING.contains(&event.row().kind.as_str());
        let newest = told.iter().rev().find(bumping).and_then(|event| event.row().ord);
        match newest {
            _ if part.left => drop(bumps.insert(room, part.entry.pos)),
            Some(ord) => drop(bumps.insert(room, ord)),
            None if part.initial || timeline.is_some_and(|timeline| timeline.limited) => {
                unknown.push((room, part.until));
                // Rooms whose first event is not here have their reader's coming at least.
                bumps.insert(room, part.entry.pos);
            }
            None => {}
        }
    }
    bumps.extend(sliding::bumps(&mut reading.snapshot, &unknown).await?);
    Ok(bumps)
}

/// Invitations and knocks.
async fn tell_outside(
    reading: &mut Reading<'_>,
    plan: &mut Plan,
    rooms: &mut BTreeMap<String, Room>,
) -> Result<()> {
    let ids: Vec<Nid> = plan.outside.iter().map(|entry| entry.room).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let user = reading.user();
    let mine: Vec<MyRoom> = members::of_user_in(&mut reading.snapshot, user, &ids).await?;
    let stamps: HashMap<String, i64> = mine.iter().map(|my| (my.room_id.clone(), my.pos)).collect();
    let (knocks, invites): (Vec<MyRoom>, Vec<MyRoom>) =
        mine.into_iter().partition(|my| my.membership == "knock");
    let invited = reading.invited(&invites).await?.into_iter();
    let knocked = reading.knocked(&knocks).await?.into_iter();
    let told = (invited.map(|(room_id, invited)| (room_id, invited.invite_state.events)))
        .chain(knocked.map(|(room_id, knocked)| (room_id, knocked.knock_state.events)));
    for (room_id, events) in told {
        let bump_stamp = stamps.get(&room_id).copied();
        let room = Room { initial: true, invite_state: Some(events), bump_stamp, ..Room::default() };
        rooms.insert(room_id, room);
    }
    // What was not told, since an ignored user invites, is told when that changes.
    for entry in &plan.outside {
        if !rooms.contains_key(&*entry.room_id)
            && let Some(told) = plan.next.rooms.get_mut(&entry.room)
        {
            told.events = Mark::Never;
        }
    }
    Ok(())
}
