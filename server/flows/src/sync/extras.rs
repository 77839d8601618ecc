//! Everything of a room besides its events: receipts, typing, unread counts, summaries, account
//! data, invitations.

use super::Reading;
use super::answer::{
    Answer, Counts, Events, Invited, Joined, Knocked, Left, Plain, RoomSections, Shown, State, Summary,
    Timeline,
};
use super::plan::{Part, Plan};
use super::timeline::RoomEvents;
use crate::invite_rules::{self, InviteRules};
use kontor_model::filter::Facts;
use kontor_model::position::RoomToken;
use kontor_model::{Error, Nid, Pos, Result};
use kontor_rooms::receipts as receipt;
use kontor_rooms::{StrippedEvent, Viewer, Visibility, VisibleEvent};
use kontor_store::rooms::events::EventRow;
use kontor_store::rooms::members::MyRoom;
use kontor_store::rooms::receipts::Receipt;
use kontor_store::rooms::unread::Unread;
use kontor_store::rooms::{events, receipts, state, unread};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// What those outside a room are told about it (client-server API, "Stripped state").
const STRIPPED: [&str; 9] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
    "m.room.history_visibility",
    "m.room.guest_access",
];

/// Things by room, gathered for all rooms at once.
#[derive(Default)]
struct Extras {
    receipts: HashMap<Nid, Vec<receipt::Content>>,
    unread: HashMap<Nid, Unread>,
}

impl Reading<'_> {
    pub(super) async fn assemble(
        &mut self,
        plan: &Plan,
        mut rooms: HashMap<Nid, RoomEvents>,
    ) -> Result<(Answer, HashMap<Nid, Unread>)> {
        let extras = self.extras(plan).await?;
        let mut account_data = self.room_account_data(plan)?;
        let mut sections = RoomSections::default();
        let projection = self.request.filter.projection();
        let raw = self.raw(plan, &rooms).await?;
        for part in &plan.parts {
            let events = rooms.remove(&part.my.room).unwrap_or_default();
            let shown = |list: Vec<_>| -> Vec<Shown> {
                let show = |event: VisibleEvent| match &raw {
                    None => Some(Shown::new(event, projection.as_ref())),
                    Some(raw) => {
                        let event = raw.get(&event.row().event)?;
                        Some(Shown::raw(event.clone(), projection.as_ref()))
                    }
                };
                list.into_iter().filter_map(show).collect()
            };
            let timeline = Timeline {
                events: shown(events.timeline),
                limited: events.limited,
                prev_batch: RoomToken(events.start).to_string(),
            };
            let state = shown(events.state).into();
            let state = if self.request.use_state_after { State::After(state) } else { State::Before(state) };
            let account_data: Events<_> = account_data.remove(&part.my.room).unwrap_or_default().into();
            let room_id = part.my.room_id.clone();
            if part.left {
                sections.leave.insert(room_id, Left { state, timeline, account_data });
                continue;
            }
            let mut joined = self.joined(plan, part, timeline, state, account_data, &extras)?;
            joined.summary = events.summary.map(|summary| Summary {
                heroes: summary.heroes.into_iter().map(|hero| hero.user_id).collect(),
                joined: summary.joined,
                invited: summary.invited,
            });
            if self.whole() || part.fresh || !joined.is_empty() {
                sections.join.insert(room_id, joined);
            }
        }
        Ok((Answer { rooms: sections, ..Answer::default() }, extras.unread))
    }

    fn joined(
        &self,
        plan: &Plan,
        part: &Part,
        timeline: Timeline,
        state: State,
        account_data: Events<Plain>,
        extras: &Extras,
    ) -> Result<Joined> {
        let room = part.my.room;
        let filter = &self.request.filter.room;
        let mut ephemeral = Vec::new();
        if plan.typing.contains(&room) && filter.ephemeral.admits_type("m.typing") {
            let users = self.flows.rooms.typing.now(room);
            let users: Vec<_> = users.into_iter().filter(|user| !self.ignored.contains(user)).collect();
            ephemeral.push(plain("m.typing", &json!({ "user_ids": users }))?);
        }
        for content in extras.receipts.get(&room).into_iter().flatten() {
            ephemeral.push(plain("m.receipt", content)?);
        }
        let unread = extras.unread.get(&room).cloned().unwrap_or_default();
        let counts = |count: unread::Count| Counts {
            notification_count: count.notifications,
            highlight_count: count.highlights,
        };
        let by_thread = filter.timeline.unread_thread_notifications;
        let threads = unread.threads.iter().filter(|_| by_thread);
        Ok(Joined {
            summary: None,
            state,
            timeline,
            ephemeral: ephemeral.into(),
            account_data,
            unread_notifications: counts(if by_thread { unread.main } else { unread.total() }),
            unread_thread_notifications: threads
                .map(|(root, count)| (root.clone(), counts(*count)))
                .collect(),
        })
    }

    async fn extras(&mut self, plan: &Plan) -> Result<Extras> {
        let mut extras = Extras::default();
        let joined: Vec<&Part> = plan.parts.iter().filter(|part| !part.left).collect();
        let ids: Vec<Nid> = joined.iter().map(|part| part.my.room).collect();
        if ids.is_empty() {
            return Ok(extras);
        }
        if plan.receipts && self.request.filter.room.ephemeral.admits_type("m.receipt") {
            extras.receipts = self.receipts(&joined).await?;
        }
        let user = self.user();
        let ignored = self.ignored_nids().await?;
        extras.unread = unread::counts(&mut self.snapshot, user, &ids, &ignored).await?;
        Ok(extras)
    }

    /// Numeric ids of the users that the reader ignores.
    pub(crate) async fn ignored_nids(&mut self) -> Result<Vec<Nid>> {
        let mut nids = Vec::new();
        for name in &self.ignored {
            nids.extend(self.flows.store.known_name(name).await?);
        }
        Ok(nids)
    }

    /// `m.receipt` contents by room: everything for rooms that the client does not know, news for
    /// the others.
    async fn receipts(&mut self, joined: &[&Part]) -> Result<HashMap<Nid, Vec<receipt::Content>>> {
        let (user, until) = (self.user(), self.until);
        let ids = |fresh: bool| -> Vec<Nid> {
            joined.iter().filter(|part| part.fresh == fresh).map(|part| part.my.room).collect()
        };
        let mut rows = receipts::since(&mut self.snapshot, user, &ids(true), Pos(0), until).await?;
        let since = self.since.unwrap_or_default();
        rows.extend(receipts::since(&mut self.snapshot, user, &ids(false), since, until).await?);
        let mut by_room: HashMap<Nid, Vec<Receipt>> = HashMap::new();
        for row in rows.into_iter().filter(|row| !self.ignored.contains(&row.user_id)) {
            by_room.entry(row.room).or_default().push(row);
        }
        Ok(by_room.into_iter().map(|(room, rows)| (room, receipt::contents(&rows))).collect())
    }

    fn room_account_data(&self, plan: &Plan) -> Result<HashMap<Nid, Vec<Plain>>> {
        let filter = &self.request.filter.room.account_data;
        let mut by_room: HashMap<Nid, Vec<Plain>> = HashMap::new();
        for data in &plan.account_data {
            let facts = Facts { kind: &data.kind, sender: None, has_url: false };
            if let Some(room) = data.room.filter(|_| filter.admits(facts)) {
                let content = RawValue::from_string(data.content.clone()).map_err(Error::internal)?;
                by_room.entry(room).or_default().push(Plain { kind: data.kind.clone(), content });
            }
        }
        Ok(by_room)
    }

    pub(super) fn global_account_data(&self, plan: &Plan) -> Result<Vec<Plain>> {
        let filter = &self.request.filter.account_data;
        let user_id = &self.requester.user_id;
        let global: Vec<_> = plan.account_data.iter().filter(|data| data.room.is_none()).collect();
        let mut list = Vec::new();
        for data in &global {
            list.push(kontor_identity::account_data::event(user_id, data)?);
        }
        // Push rules hold before anybody changed them.
        if self.since.is_none() && !global.iter().any(|data| data.kind == "m.push_rules") {
            list.push(kontor_identity::account_data::usual_push_rules(user_id)?);
        }
        let mut told = Vec::new();
        for mut event in list {
            let kind = event.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
            if filter.admits(Facts { kind: &kind, sender: None, has_url: false }) {
                told.push(plain(&kind, &event.get_mut("content").map(Value::take).unwrap_or_default())?);
            }
        }
        Ok(told)
    }

    pub(crate) async fn invited(&mut self, rooms: &[MyRoom]) -> Result<BTreeMap<String, Invited>> {
        let told = self.stripped(rooms).await?;
        Ok(told.into_iter().map(|(id, events)| (id, Invited { invite_state: events.into() })).collect())
    }

    pub(crate) async fn knocked(&mut self, rooms: &[MyRoom]) -> Result<BTreeMap<String, Knocked>> {
        let told = self.stripped(rooms).await?;
        Ok(told.into_iter().map(|(id, events)| (id, Knocked { knock_state: events.into() })).collect())
    }

    /// What the invited and those who knock are told about rooms. Invitations by ignored users, and
    /// by those whose invitations the reader does not take, are not told at all.
    pub(crate) async fn stripped(&mut self, rooms: &[MyRoom]) -> Result<Vec<(String, Vec<StrippedEvent>)>> {
        if rooms.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Nid> = rooms.iter().map(|my| my.room).collect();
        let mut nids = state::current_of_types(&mut self.snapshot, &ids, &STRIPPED).await?;
        nids.extend(rooms.iter().map(|my| my.event));
        let asker = self.asker();
        let rows = events::by_nids(&mut self.snapshot, asker, &nids).await?;
        let rules = if rooms.iter().any(|my| my.membership == "invite") {
            invite_rules::own(&mut self.snapshot, &self.requester.user_id).await?
        } else {
            InviteRules::default()
        };
        let mut told = Vec::new();
        for my in rooms {
            let own = rows.iter().find(|row| row.event == my.event);
            let unwanted = |own: &EventRow| {
                self.ignored.contains(&own.sender) || (my.membership == "invite" && !rules.shows(&own.sender))
            };
            if own.is_none_or(|own| unwanted(own)) {
                continue;
            }
            let visibility = Visibility::outside(&my.membership);
            let viewer = Viewer {
                reader: self.user(),
                visibility: &visibility,
                ignored: &self.ignored,
                room_id: None,
                now: self.now,
            };
            let of_room = rows.iter().filter(|row| row.room == my.room);
            told.push((my.room_id.clone(), of_room.filter_map(|row| viewer.see_stripped(row)).collect()));
        }
        Ok(told)
    }
}

/// An event without sender and id.
pub(crate) fn plain<T: serde::Serialize>(kind: &str, content: &T) -> Result<Plain> {
    Ok(Plain { kind: kind.to_owned(), content: to_raw_value(content).map_err(Error::internal)? })
}
