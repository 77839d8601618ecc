//! One page of results, as the client is told it.

use super::find::Hit;
use super::token::{Group as TokenGroup, SearchToken};
use super::{Around, DEFAULT_LIMIT, GroupBy, MAX_LIMIT, Reading};
use crate::aggregate::OfRoom;
use crate::sync::admits;
use kontor_model::position::RoomToken;
use kontor_model::{Nid, Result};
use kontor_rooms::search::Query;
use kontor_rooms::{Viewer, VisibleEvent};
use kontor_store::rooms::events::{self, EventRow};
use kontor_store::rooms::state;
use kontor_store::search::around;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Events on one side of a result at most.
const MAX_AROUND: u64 = 50;

/// Everything that was found, as much as one page holds.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// How many results there are for this searcher, on all pages.
    count: usize,
    /// Words to highlight.
    highlights: BTreeSet<String>,
    results: Vec<Found>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<BTreeMap<String, Vec<VisibleEvent>>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    groups: BTreeMap<&'static str, BTreeMap<String, Group>>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "token")]
    next_batch: Option<SearchToken>,
}

#[derive(Debug, Serialize)]
struct Found {
    rank: f64,
    result: VisibleEvent,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
    #[serde(skip)]
    hit: Hit,
}

#[derive(Debug, Serialize)]
struct Context {
    start: String,
    end: String,
    /// Newest first.
    events_before: Vec<VisibleEvent>,
    /// Oldest first.
    events_after: Vec<VisibleEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_info: Option<BTreeMap<String, Profile>>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    displayname: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Group {
    order: usize,
    results: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "token")]
    next_batch: Option<SearchToken>,
}

#[allow(clippy::ref_option)] // The form that serde asks for.
fn token<S: Serializer>(token: &Option<SearchToken>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&token.map(|token| token.to_string()).unwrap_or_default())
}

type Rows = HashMap<(Nid, i64), Arc<EventRow>>;

impl Answer {
    /// The results, in their order.
    pub fn into_events(self) -> impl Iterator<Item = VisibleEvent> {
        self.results.into_iter().map(|found| found.result)
    }
}

impl Reading<'_> {
    /// The page that was asked for, of hits in their order.
    pub(super) async fn answer(&mut self, query: &Query, hits: Vec<Hit>) -> Result<Answer> {
        let mut count = hits.len();
        let from = self.request.from;
        let after = |hit: &&Hit| from.is_none_or(|from| hit.key() < (from.score, from.place));
        let mut rest: Vec<Hit> = hits.iter().filter(after).copied().collect();
        let limit = self.request.filter.limit_within(DEFAULT_LIMIT, MAX_LIMIT);
        let limit = usize::try_from(limit).unwrap_or_default();
        let mut results: Vec<Found> = Vec::new();
        while results.len() < limit && !rest.is_empty() {
            let later = rest.split_off(rest.len().min(limit - results.len()));
            let seen = self.show(query, &rest).await?;
            // Redacted since the index was last brought up to date.
            count -= rest.len() - seen.len();
            results.extend(seen);
            rest = later;
        }
        let last = results.last().map(|found| found.hit).filter(|_| !rest.is_empty());
        let next_batch = last.map(|hit| self.token_after(hit, from.and_then(|from| from.group)));
        let groups = self.groups(&results, &rest);
        if let Some(around) = self.request.around {
            self.put_in_context(&mut results, around).await?;
        }
        self.bundle(&mut results).await?;
        let state = if self.request.state { Some(self.states(&results).await?) } else { None };
        let mut highlights: BTreeSet<String> = BTreeSet::new();
        for found in &results {
            query.highlight(&text_of(&found.result), &mut highlights);
        }
        highlights.extend(query.terms.iter().map(|term| term.word.clone()));
        Ok(Answer { count, highlights, results, state, groups, next_batch })
    }

    fn token_after(&self, hit: Hit, group: Option<TokenGroup>) -> SearchToken {
        let newest = self.request.from.map_or(self.newest, |from| from.newest);
        SearchToken { newest, score: hit.score, place: hit.place, group }
    }

    async fn rows(&mut self, nids: &[Nid]) -> Result<Rows> {
        let asker = self.asker();
        let rows = events::by_nids(&mut self.snapshot, asker, nids).await?;
        Ok(rows.into_iter().filter_map(|row| Some(((row.room, row.ord?), row))).collect())
    }

    /// The events at hits, in their order, through the door.
    async fn show(&mut self, query: &Query, hits: &[Hit]) -> Result<Vec<Found>> {
        let places: Vec<_> = hits.iter().map(|hit| (hit.room, hit.place)).collect();
        let nids = around::at(&mut self.snapshot, &places).await?;
        let mut rows = self.rows(&nids).await?;
        let best =
            i64::try_from(query.terms.len()).unwrap_or(1) * 4 * i64::from(kontor_store::search::MAX_WEIGHT);
        let show = |hit: &Hit| {
            let row = rows.remove(&(hit.room, hit.place)).filter(|row| row.redacted_by.is_none())?;
            let viewer = self.viewer(hit.room)?;
            let kept = row.state_key.is_none() && viewer.visibility.keeps_words_of(&row.sender);
            let admitted = admits(&self.request.filter, &row) && !kept;
            let result = viewer.see(row).filter(|_| admitted)?;
            Some(Found { rank: hit.score as f64 / best.max(1) as f64, result, context: None, hit: *hit })
        };
        Ok(hits.iter().filter_map(show).collect())
    }

    fn groups(&self, results: &[Found], rest: &[Hit]) -> BTreeMap<&'static str, BTreeMap<String, Group>> {
        let mut all = BTreeMap::new();
        for by in &self.request.groups {
            let mut groups: BTreeMap<String, Group> = BTreeMap::new();
            for found in results {
                let row = found.result.row();
                let (name, of) = match by {
                    GroupBy::Room => (self.rooms.get(&row.room).map(|room| room.room_id.clone()), row.room),
                    GroupBy::Sender => (Some(row.sender.clone()), row.sender_nid),
                };
                let order = groups.len() + 1;
                let group = groups.entry(name.unwrap_or_default());
                let group = group.or_insert(Group { order, results: Vec::new(), next_batch: None });
                group.results.push(row.event_id.clone());
                // Who sent the rest is not known here; a page may turn out to be empty.
                let more = rest.iter().any(|hit| *by == GroupBy::Sender || hit.room == of);
                group.next_batch =
                    more.then(|| self.token_after(found.hit, Some(TokenGroup { by: *by, of })));
            }
            all.insert(if *by == GroupBy::Room { "room_id" } else { "sender" }, groups);
        }
        all
    }

    /// Adds what stands around the results: three statements for all of them, and two for profiles.
    async fn put_in_context(&mut self, results: &mut [Found], wish: Around) -> Result<()> {
        let number = |wish: u64| i64::try_from(wish.min(MAX_AROUND)).unwrap_or_default();
        let (before, after) = (number(wish.before), number(wish.after));
        let mut parts = Vec::new();
        for found in results.iter() {
            let Hit { room, place, .. } = found.hit;
            let ranges = self.seen.get(&room).map(|seen| seen.ranges.as_slice()).unwrap_or_default();
            // Not past what the searcher may not see: what stands beyond is not around the result.
            let (from, until) = ranges
                .iter()
                .find(|(from, until)| *from < place && place <= *until)
                .copied()
                .unwrap_or((place - 1, place));
            parts.push((room, from, place, until.min(self.newest)));
        }
        let older: Vec<_> = parts.iter().map(|(room, from, place, _)| (*room, *from, place - 1)).collect();
        let newer: Vec<_> = parts.iter().map(|(room, _, place, until)| (*room, *place, *until)).collect();
        let mut nids = around::newest(&mut self.snapshot, &older, before).await?;
        nids.extend(around::oldest(&mut self.snapshot, &newer, after).await?);
        let rows: BTreeMap<(Nid, i64), Arc<EventRow>> = self.rows(&nids).await?.into_iter().collect();
        for (found, (room, from, place, until)) in results.iter_mut().zip(parts) {
            let Some(viewer) = self.viewer(room) else { continue };
            let back = rows.range((room, from.saturating_add(1))..(room, place)).rev();
            let back: Vec<_> = back.take(usize::try_from(before).unwrap_or_default()).collect();
            let on = rows.range((room, place.saturating_add(1))..=(room, until.max(place.saturating_add(1))));
            let on: Vec<_> = on.take(usize::try_from(after).unwrap_or_default()).collect();
            let start = back.last().map_or(place, |((_, ord), _)| *ord) - 1;
            let end = on.last().map_or(place, |((_, ord), _)| *ord);
            let see = |list: Vec<(&(Nid, i64), &Arc<EventRow>)>| {
                list.into_iter().filter_map(|(_, row)| viewer.see(Arc::clone(row))).collect::<Vec<_>>()
            };
            found.context = Some(Context {
                start: RoomToken(start).to_string(),
                end: RoomToken(end).to_string(),
                events_before: see(back),
                events_after: see(on),
                profile_info: None,
            });
        }
        if wish.profiles {
            self.put_profiles(results).await?;
        }
        Ok(())
    }

    /// Adds what the senders of results and of the events around them were called then.
    async fn put_profiles(&mut self, results: &mut [Found]) -> Result<()> {
        let mut wanted = Vec::new();
        for found in results.iter() {
            let last = found.context.iter().flat_map(|context| &context.events_after).last();
            let place = last.and_then(|event| event.row().ord).unwrap_or(found.hit.place);
            let senders: BTreeSet<Nid> = told(found).map(|event| event.row().sender_nid).collect();
            wanted.push((found.hit.room, place, senders));
        }
        let asked: Vec<_> = wanted
            .iter()
            .flat_map(|(room, place, users)| users.iter().map(|user| (*room, *user, *place)))
            .collect();
        let members = around::members_at(&mut self.snapshot, &asked).await?;
        let nids: Vec<Nid> = members.iter().map(|member| member.event).collect();
        let asker = self.asker();
        let rows = events::by_nids(&mut self.snapshot, asker, &nids).await?;
        let rows: HashMap<Nid, Arc<EventRow>> = rows.into_iter().map(|row| (row.event, row)).collect();
        let mut profiles: HashMap<(Nid, i64), BTreeMap<String, Profile>> = HashMap::new();
        for member in members {
            let Some(viewer) = self.viewer(member.room) else { continue };
            let row = rows.get(&member.event).map(Arc::clone);
            let Some(event) = row.and_then(|row| viewer.see_state(row)) else { continue };
            let user = event.row().state_key.clone().unwrap_or_default();
            profiles.entry((member.room, member.ord)).or_default().insert(user, profile(&event));
        }
        for (found, (room, place, _)) in results.iter_mut().zip(wanted) {
            if let Some(context) = &mut found.context {
                // Results that end at the same place may ask for different senders; more is no harm.
                context.profile_info = Some(profiles.get(&(room, place)).cloned().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// Tells with each event what relates to it.
    async fn bundle(&mut self, results: &mut [Found]) -> Result<()> {
        let asker = self.asker();
        let mut by_room: BTreeMap<Nid, Vec<&mut VisibleEvent>> = BTreeMap::new();
        for found in results {
            let list = by_room.entry(found.hit.room).or_default();
            list.push(&mut found.result);
            if let Some(context) = &mut found.context {
                list.extend(context.events_before.iter_mut().chain(&mut context.events_after));
            }
        }
        let (rooms, seen, ignored, now) = (&self.rooms, &self.seen, &self.ignored, self.now);
        let reader = self.requester.user;
        let mut parts: Vec<OfRoom<'_>> = Vec::new();
        for (room, events) in by_room {
            let (Some(mine), Some(seen)) = (rooms.get(&room), seen.get(&room)) else { continue };
            let room_id = Some(mine.room_id.as_str().into());
            let viewer = Viewer { reader, visibility: &seen.visibility, ignored, room_id, now };
            parts.push(OfRoom { viewer, room, events });
        }
        self.flows.bundle(&mut self.snapshot, asker, &mut parts).await
    }

    /// The state of the rooms in the results: as it is, or as it was when the searcher left.
    async fn states(&mut self, results: &[Found]) -> Result<BTreeMap<String, Vec<VisibleEvent>>> {
        let rooms: BTreeSet<Nid> = results.iter().map(|found| found.hit.room).collect();
        let until = |room: &Nid| self.seen.get(room).and_then(|seen| seen.visibility.state_until());
        let places: Vec<_> =
            rooms.iter().filter_map(|room| Some((*room, until(room)?.min(self.newest)))).collect();
        let nids = state::at(&mut self.snapshot, &places, false).await?;
        let asker = self.asker();
        let rows = events::by_nids(&mut self.snapshot, asker, &nids).await?;
        let mut states: BTreeMap<String, Vec<VisibleEvent>> = BTreeMap::new();
        for row in rows {
            let (Some(mine), Some(viewer)) = (self.rooms.get(&row.room), self.viewer(row.room)) else {
                continue;
            };
            states.entry(mine.room_id.clone()).or_default().extend(viewer.see_state(row));
        }
        Ok(states)
    }
}

/// A result with everything around it.
fn told(found: &Found) -> impl Iterator<Item = &VisibleEvent> {
    let around =
        found.context.iter().flat_map(|context| context.events_before.iter().chain(&context.events_after));
    around.chain([&found.result])
}

fn profile(member: &VisibleEvent) -> Profile {
    let content: Value = serde_json::from_str(member.content().get()).unwrap_or_default();
    let field = |key| content.get(key).filter(|value| value.is_string()).cloned();
    Profile { displayname: field("displayname"), avatar_url: field("avatar_url") }
}

/// The text of a result, for highlights.
fn text_of(event: &VisibleEvent) -> String {
    let content: Value = serde_json::from_str(event.content().get()).unwrap_or_default();
    let texts = ["body", "name", "topic"].iter().filter_map(|key| content.get(key)).filter_map(Value::as_str);
    texts.collect::<Vec<_>>().join("\n")
}
