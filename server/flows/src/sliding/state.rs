//! The state that is told of the rooms of an answer: all that is wanted of rooms that the client
//! does not know, what changed of others, and the members whose events are told.
//!
//! Clients take the state from here and not from the timeline, so that what a timeline tells is told
//! here as well.

use super::answer::StatePiece;
use super::memory::Members;
use super::plan::{Part, Plan};
use super::timelines::{Timeline, viewer};
use super::wanted::MEMBER;
use crate::Flows;
use crate::sync::Reading;
use kontor_model::{Nid, Requester, Result};
use kontor_rooms::{Viewer, Visibility, VisibleEvent};
use kontor_store::rooms::events::{self, EventRow};
use kontor_store::rooms::members::{self, Hero, Roster};
use kontor_store::rooms::state;
use kontor_store::sliding;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What rooms are named after and shown with.
const NAME: &str = "m.room.name";
const AVATAR: &str = "m.room.avatar";

/// The state of one room, as far as it is told.
#[derive(Default)]
pub(super) struct Told {
    pub events: Vec<VisibleEvent>,
    /// The state event of the name, if it was looked at.
    pub name: Option<Arc<EventRow>>,
    /// The state event of the picture, if it is news.
    pub avatar: Option<Arc<EventRow>>,
    /// Who is in the room, if that can have changed.
    pub roster: Option<Roster>,
    /// Member events to name the room after.
    pub heroes: Vec<Arc<EventRow>>,
    /// State that is there no more, as far as it is wanted.
    pub gone: Vec<StatePiece>,
    /// Whether there is no state event of the name any more.
    pub unnamed: bool,
    /// Whether there is none of the picture any more.
    pub unpictured: bool,
}

/// What must be read of which rooms.
#[derive(Default)]
struct Wishes {
    /// Current state of these types.
    types: HashSet<String>,
    typed: Vec<Nid>,
    /// The whole current state but members.
    whole: Vec<Nid>,
    /// All member events.
    members: Vec<Nid>,
    /// Single members.
    pairs: HashSet<(Nid, Nid)>,
    /// State as it was at a place.
    at: Vec<(Nid, i64)>,
    at_with_members: Vec<(Nid, i64)>,
    /// Events that are known to be wanted.
    events: HashSet<Nid>,
}

/// Reads the state of all rooms of a plan, and notes which members the client will know.
pub(super) async fn read(
    reading: &mut Reading<'_>,
    plan: &Plan,
    timelines: &HashMap<Nid, Timeline>,
    known: &mut Members,
) -> Result<HashMap<Nid, Told>> {
    let changes = changes(reading, plan, timelines).await?;
    let mut rosters = rosters(reading, plan, timelines, &changes).await?;
    let mut wishes = Wishes::default();
    let mut lazy: HashSet<(Nid, Nid)> = HashSet::new();
    for part in &plan.parts {
        wishes.add(reading.flows, reading.requester, part, rosters.contains_key(&part.entry.room)).await?;
        let Some(timeline) = timelines.get(&part.entry.room) else { continue };
        if part.wanted.state.is_lazy() {
            lazy.extend(unknown_members(part, timeline, known));
        }
    }
    wishes.pairs.extend(&lazy);
    wishes.events.extend(changes.iter().filter_map(|change| change.event));
    let (rows, lazy_events) = wishes.read(reading, &lazy).await?;
    let changed: HashSet<(Nid, Nid)> = changes
        .iter()
        .filter(|change| change.kind == MEMBER)
        .map(|change| (change.room, change.key))
        .collect();
    let mut told = hand_out(reading, plan, timelines, rows, &lazy_events);
    for (room, key) in lazy.iter().chain(&changed) {
        known.add(*room, *key);
    }
    for (room, told) in &mut told {
        told.roster = rosters.remove(room);
    }
    add_gone(reading, plan, timelines, &changes, &mut told).await?;
    add_heroes(reading, &mut told).await?;
    Ok(told)
}

/// What changed in rooms that the client knows, as far as it is wanted.
async fn changes(
    reading: &mut Reading<'_>,
    plan: &Plan,
    timelines: &HashMap<Nid, Timeline>,
) -> Result<Vec<state::StateChange>> {
    let parts: HashMap<Nid, &Part> =
        plan.parts.iter().filter(|part| !part.initial).map(|part| (part.entry.room, part)).collect();
    let news = parts.values().filter(|part| part.has_news());
    let windows: Vec<_> = news.map(|part| (part.entry.room, part.since, part.until)).collect();
    let mut newest: HashMap<(Nid, String, Nid), state::StateChange> = HashMap::new();
    for change in state::changes(&mut reading.snapshot, &windows).await? {
        newest.insert((change.room, change.kind.clone(), change.key), change);
    }
    let me = reading.user();
    let wanted = |change: &state::StateChange| {
        let Some(part) = parts.get(&change.room) else { return false };
        let state = &part.wanted.state;
        if change.kind == MEMBER {
            // After a gap, members come with their events: there may be thousands of changes.
            let gap = timelines.get(&change.room).is_some_and(|timeline| timeline.limited);
            return change.key == me || state.all_members() || !gap;
        }
        let shown = change.kind == NAME || change.kind == AVATAR;
        shown || state.types().is_none_or(|mut types| types.any(|kind| kind == change.kind))
    };
    Ok(newest.into_values().filter(wanted).collect())
}

/// Tells what fell out of the state when branches of a room met: there is no event that says so.
async fn add_gone(
    reading: &mut Reading<'_>,
    plan: &Plan,
    timelines: &HashMap<Nid, Timeline>,
    changes: &[state::StateChange],
    told: &mut HashMap<Nid, Told>,
) -> Result<()> {
    let gone: Vec<&state::StateChange> = changes.iter().filter(|change| change.event.is_none()).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let keys: HashSet<Nid> = gone.iter().map(|change| change.key).collect();
    let keys = sliding::names(&mut reading.snapshot, &keys).await?;
    let parts: HashMap<Nid, &Part> = plan.parts.iter().map(|part| (part.entry.room, part)).collect();
    let me = reading.requester.user_id.as_str();
    for change in gone {
        let (Some(part), Some(key)) = (parts.get(&change.room), keys.get(&change.key)) else { continue };
        let told = told.entry(change.room).or_default();
        told.unnamed |= change.kind == NAME && key.is_empty();
        told.unpictured |= change.kind == AVATAR && key.is_empty();
        let gap = timelines.get(&change.room).is_some_and(|timeline| timeline.limited);
        let lazily = change.kind == MEMBER && part.wanted.state.is_lazy() && !gap;
        if lazily || part.wanted.state.names(&change.kind, key, me) {
            told.gone.push(StatePiece::Gone { kind: change.kind.clone(), state_key: key.clone() });
        }
    }
    Ok(())
}

/// Members are counted again where somebody may have come or gone, and where the name changed: a room
/// without a name is named after them.
async fn rosters(
    reading: &mut Reading<'_>,
    plan: &Plan,
    timelines: &HashMap<Nid, Timeline>,
    changes: &[state::StateChange],
) -> Result<HashMap<Nid, Roster>> {
    let moved: HashSet<Nid> = (changes.iter().filter(|change| change.kind == MEMBER || change.kind == NAME))
        .map(|change| change.room)
        .collect();
    let may_have_changed = |part: &&Part| {
        let room = part.entry.room;
        let gap = timelines.get(&room).is_some_and(|timeline| timeline.limited) && part.has_news();
        !part.left && (part.initial || gap || moved.contains(&room))
    };
    let rooms: Vec<Nid> = plan.parts.iter().filter(may_have_changed).map(|part| part.entry.room).collect();
    members::rosters(&mut reading.snapshot, &rooms).await
}

/// Those whose events, or changes of membership, are told and who are new to the client.
fn unknown_members(part: &Part, timeline: &Timeline, known: &mut Members) -> Vec<(Nid, Nid)> {
    let room = part.entry.room;
    // After a gap the client cannot rely on the members that it has.
    if part.initial || timeline.limited {
        known.forget(room);
    }
    let senders = timeline.events.iter().map(|event| event.row().sender_nid);
    senders.filter(|sender| !known.has(room, *sender)).map(|sender| (room, sender)).collect()
}

impl Wishes {
    async fn add(&mut self, flows: &Flows, requester: &Requester, part: &Part, named: bool) -> Result<()> {
        let room = part.entry.room;
        let state = &part.wanted.state;
        let me = requester.user_id.as_str();
        if part.left || (part.initial && state.names(MEMBER, me, me)) {
            // Whoever is told a room must be told that it was left.
            self.events.insert(part.entry.event);
        }
        if part.left {
            if part.initial && part.visibility.state_until().is_some() {
                let place = (room, part.until);
                if state.all_members() { self.at_with_members.push(place) } else { self.at.push(place) }
            }
            return Ok(());
        }
        let all = part.initial || part.had.is_some();
        if all {
            match state.types() {
                None => self.whole.push(room),
                Some(types) => {
                    self.types.extend(types.map(str::to_owned));
                    self.types.extend([NAME.to_owned(), AVATAR.to_owned()]);
                    self.typed.push(room);
                }
            }
            if state.all_members() {
                self.members.push(room);
            } else {
                for user in state.single_members(me) {
                    let nid =
                        if user == me { Some(requester.user) } else { flows.store.known_name(user).await? };
                    self.pairs.extend(nid.map(|nid| (room, nid)));
                }
            }
        } else if named {
            self.types.insert(NAME.to_owned());
            self.typed.push(room);
        }
        Ok(())
    }

    /// All events, and which of them are of members whose events are told.
    async fn read(
        mut self,
        reading: &mut Reading<'_>,
        lazy: &HashSet<(Nid, Nid)>,
    ) -> Result<(Vec<Arc<EventRow>>, HashSet<Nid>)> {
        let snapshot = &mut reading.snapshot;
        let types: Vec<&str> = self.types.iter().map(String::as_str).collect();
        let typed = sliding::state_of_types(snapshot, &self.typed, &types).await?;
        self.events.extend(typed.into_iter().map(|entry| entry.event));
        let members = sliding::state_of_types(snapshot, &self.members, &[MEMBER]).await?;
        self.events.extend(members.into_iter().map(|entry| entry.event));
        if !self.whole.is_empty() {
            self.events.extend(state::current(snapshot, &self.whole, true).await?);
        }
        let mut lazy_events = HashSet::new();
        for (room, user, event) in sliding::member_events(snapshot, self.pairs).await? {
            self.events.insert(event);
            if lazy.contains(&(room, user)) {
                lazy_events.insert(event);
            }
        }
        self.events.extend(state::at(snapshot, &self.at, true).await?);
        self.events.extend(state::at(snapshot, &self.at_with_members, false).await?);
        let nids: Vec<Nid> = self.events.into_iter().collect();
        let asker = reading.asker();
        Ok((events::by_nids(&mut reading.snapshot, asker, &nids).await?, lazy_events))
    }
}

fn hand_out(
    reading: &Reading<'_>,
    plan: &Plan,
    timelines: &HashMap<Nid, Timeline>,
    rows: Vec<Arc<EventRow>>,
    lazy: &HashSet<Nid>,
) -> HashMap<Nid, Told> {
    let mut by_room: HashMap<Nid, Vec<Arc<EventRow>>> = HashMap::new();
    for row in rows {
        by_room.entry(row.room).or_default().push(row);
    }
    let one = |part: &Part| {
        let gap = timelines.get(&part.entry.room).is_some_and(|timeline| timeline.limited);
        let rows = by_room.remove(&part.entry.room).unwrap_or_default();
        (part.entry.room, one_room(reading, part, rows, gap, lazy))
    };
    plan.parts.iter().map(one).collect()
}

/// Sorts what was read of one room.
fn one_room(
    reading: &Reading<'_>,
    part: &Part,
    rows: Vec<Arc<EventRow>>,
    gap: bool,
    lazy: &HashSet<Nid>,
) -> Told {
    let me = reading.requester.user_id.as_str();
    let mut told = Told::default();
    let viewer = viewer(reading, part);
    let own = Visibility::of_member();
    let own_viewer = Viewer { visibility: &own, ..self::viewer(reading, part) };
    for row in rows {
        let key = row.state_key.as_deref().unwrap_or_default();
        let is_news = part.initial || row.ord.is_some_and(|ord| ord > part.since);
        if row.kind == NAME && key.is_empty() {
            told.name = Some(Arc::clone(&row));
        }
        if row.kind == AVATAR && key.is_empty() && is_news {
            told.avatar = Some(Arc::clone(&row));
        }
        let added = part.had.as_ref().is_some_and(|had| !had.names(&row.kind, key, me));
        let lazily = row.kind == MEMBER
            && part.wanted.state.is_lazy()
            && (lazy.contains(&row.event) || (is_news && !part.initial && !gap));
        let named = part.wanted.state.names(&row.kind, key, me) && (is_news || added);
        if part.left && row.event == part.entry.event {
            // One's own membership is no secret, whatever else is.
            told.events.extend(own_viewer.see_state(row));
        } else if named || lazily {
            told.events.extend(viewer.see_state(row));
        }
    }
    told.events.sort_unstable_by_key(|event| event.row().ord);
    told
}

/// The name that a room was given.
pub(super) fn name_of(row: &EventRow) -> Option<String> {
    super::directory::text_in(row.content.get(), "name")
}

/// Reads the member events of those after whom rooms without a name are named.
async fn add_heroes(reading: &mut Reading<'_>, told: &mut HashMap<Nid, Told>) -> Result<()> {
    let me = reading.user();
    let mut wanted: HashMap<Nid, Vec<Hero>> = HashMap::new();
    for (room, told) in told.iter() {
        let named = told.name.as_deref().is_some_and(|row| name_of(row).is_some());
        if let Some(roster) = told.roster.as_ref().filter(|_| !named) {
            wanted.insert(*room, roster.heroes(me).cloned().collect());
        }
    }
    let nids: Vec<Nid> = wanted.values().flatten().map(|hero| hero.event).collect();
    if nids.is_empty() {
        return Ok(());
    }
    let asker = reading.asker();
    let rows = events::by_nids(&mut reading.snapshot, asker, &nids).await?;
    let rows: HashMap<Nid, Arc<EventRow>> = rows.into_iter().map(|row| (row.event, row)).collect();
    for (room, heroes) in wanted {
        if let Some(told) = told.get_mut(&room) {
            told.heroes = heroes.iter().filter_map(|hero| rows.get(&hero.event).cloned()).collect();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::create_room::NewRoom;
    use crate::post::Post;
    use crate::sliding::request::Request;
    use crate::testing::{Town, by};
    use kontor_model::Draft;
    use kontor_store::{Change, Stream};
    use serde_json::{Value, json};

    async fn slide(town: &Town, anna: &kontor_model::Requester, pos: Option<&Value>) -> Value {
        let wish = json!({"lists": {"all": {"ranges": [[0, 9]], "timeline_limit": 5,
            "required_state": [["m.room.topic", ""], ["org.example.kind", "*"]]}}});
        let mut request: Request = serde_json::from_value(wish).unwrap();
        request.pos = pos.and_then(Value::as_str).map(str::to_owned);
        let answer = town.processes[0].sliding_sync(anna, &request).await.unwrap();
        serde_json::to_value(answer).unwrap()
    }

    #[tokio::test]
    async fn state_that_fell_out_of_a_room_is_told_as_gone() {
        let town = Town::of(1).await;
        let flows = &town.processes[0];
        // One who acts for an application service needs no session.
        let anna = kontor_model::Requester { session: -1, ..town.person("anna").await };
        let room = flows.create_room(&by(&anna), NewRoom::default()).await.unwrap();
        let content = |json: Value| serde_json::from_value(json).unwrap();
        let sender = || anna.user_id.clone();
        let drafts = [("m.room.topic", ""), ("m.room.name", ""), ("org.example.kind", "a"), ("other", "")]
            .map(|(kind, key)| Draft::state(kind, key, content(json!({"name": "n"})), sender(), 1));
        flows.post(&room, Post { drafts: drafts.into(), ..Post::default() }).await.unwrap();
        let first = slide(&town, &anna, None).await;
        assert_eq!(first["rooms"][room.as_str()]["name"], "n", "{first}");
        // As the meeting of two branches does it, which no event of this server can.
        let (empty, a) = (town.store.name("").await.unwrap(), town.store.name("a").await.unwrap());
        let fall_out = |chain: &mut kontor_rooms::Chain| {
            let numeric = chain.head().room;
            let change: &mut Change = chain.change();
            let pos = change.position(Stream::Event, Some(numeric), None);
            for (kind, key) in
                [("m.room.topic", empty), ("m.room.name", empty), ("org.example.kind", a), ("other", empty)]
            {
                change.turn_state(numeric, kind, key, None, pos.clone());
                change.drop_state(numeric, kind, key);
            }
            Ok(())
        };
        let said = Draft::message("m.room.message", content(json!({"body": "x"})), sender(), 1);
        let post = Post { drafts: vec![said], rows: Some(&fall_out), ..Post::default() };
        flows.post(&room, post).await.unwrap();
        let next = slide(&town, &anna, Some(&first["pos"])).await;
        let told = &next["rooms"][room.as_str()];
        let mut gone = told["required_state"].as_array().cloned().unwrap_or_default();
        gone.sort_by_key(|piece| piece["type"].to_string());
        let expected = [
            json!({"type": "m.room.topic", "state_key": ""}),
            json!({"type": "org.example.kind", "state_key": "a"}),
        ];
        assert_eq!(gone, expected, "what was not asked for is not told: {next}");
        assert_eq!(told.get("name"), Some(&Value::Null), "{next}");
        assert!(told["heroes"].is_array(), "a room without a name is named after its members: {next}");
        let last = slide(&town, &anna, Some(&next["pos"])).await;
        assert_eq!(last["rooms"], json!({}), "{last}");
        town.store.close().await;
    }
}
