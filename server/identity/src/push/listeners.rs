//! The members of a room who are asked one by one: those whom an event mentions, and those with
//! rules of their own. What is known of both is remembered, because most events are followed by
//! another one in the same room.
//!
//! An entry stands until a newer position of the log touches what it was read from, as with
//! remembered tokens: own changes at once, those of other processes within half a second.

use super::event::Event;
use super::rules::{Rules, Tweaks, Verdict};
use super::ruleset;
use crate::{Identity, lock};
use kontor_model::glob::Glob;
use kontor_model::{Error, Nid, Pos, Result};
use kontor_store::Stream;
use kontor_store::identity::push::{self, Member, Settings};
use kontor_store::log::Log;
use ruma::UserId;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

/// Rooms whose members with own rules are remembered.
const ROOMS: u64 = 10_000;
/// Users whose compiled rules are remembered; about 5 KiB each.
const USERS: u64 = 5_000;
/// Changes that are remembered one by one.
const CHANGES: usize = 10_000;

/// A user who is asked.
#[derive(Debug)]
struct Listener {
    user: Nid,
    user_id: String,
    rules: Rules,
    /// The display name as a pattern, in small letters.
    name: Option<Glob>,
}

/// What an event means to one user, if it means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The user.
    pub user: Nid,
    /// What the user's rules say.
    pub verdict: Verdict,
}

/// Those who are asked about an event.
#[derive(Clone, Debug, Default)]
pub struct Listeners(Vec<Arc<Listener>>);

impl Listeners {
    /// What the event means to each of them; those to whom it means nothing are left out.
    pub fn notices(&self, event: &Event<'_>) -> Vec<Notice> {
        let others = self.0.iter().filter(|listener| listener.user_id != event.sender());
        let judged = others.map(|listener| Notice {
            user: listener.user,
            verdict: listener.rules.judge(event, listener.name.as_ref()),
        });
        judged.filter(|notice| notice.verdict.notify).collect()
    }

    /// How each of them wants the event to be presented; those who do not want it are left out.
    pub fn wishes(&self, event: &Event<'_>) -> Vec<(Nid, Arc<Tweaks>)> {
        let others = self.0.iter().filter(|listener| listener.user_id != event.sender());
        let wish = |listener: &Arc<Listener>| {
            Some((listener.user, listener.rules.wish(event, listener.name.as_ref())?))
        };
        others.filter_map(wish).collect()
    }

    /// Whether nobody need be asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where each key last changed; whatever was read before is void.
#[derive(Default)]
struct Changes {
    by_key: HashMap<Nid, Pos>,
    floor: Pos,
}

impl Changes {
    fn note(&mut self, key: Nid, pos: Pos) {
        if self.by_key.len() >= CHANGES {
            self.forget(pos);
        }
        self.by_key.insert(key, pos);
    }

    fn forget(&mut self, pos: Pos) {
        self.by_key.clear();
        self.floor = pos;
    }

    fn since(&self, key: Nid) -> Pos {
        self.by_key.get(&key).copied().unwrap_or_default().max(self.floor)
    }
}

#[derive(Default)]
struct Seen {
    upto: Pos,
    rooms: Changes,
    users: Changes,
}

impl Seen {
    fn catch_up(&mut self, log: &Log) {
        let newest = log.newest();
        if newest <= self.upto {
            return;
        }
        match log.between(self.upto, newest) {
            Some(entries) => {
                for entry in entries {
                    let pos = Pos(entry.pos);
                    match (entry.row.stream, entry.row.room, entry.row.user) {
                        (Stream::PushRules, _, Some(user)) => {
                            self.users.note(user, pos);
                            // The user may be in any room.
                            self.rooms.forget(pos);
                        }
                        (Stream::Profile, _, Some(user)) => self.users.note(user, pos),
                        // A change of membership.
                        (Stream::Event, Some(room), Some(_)) => self.rooms.note(room, pos),
                        _ => {}
                    }
                }
            }
            None => {
                self.rooms.forget(newest);
                self.users.forget(newest);
            }
        }
        self.upto = newest;
    }
}

#[derive(Clone)]
struct Read<T> {
    value: T,
    at: Pos,
}

/// What is remembered of rooms and users.
pub(crate) struct Remembered {
    seen: Mutex<Seen>,
    rooms: moka::sync::Cache<Nid, Read<Arc<[Member]>>>,
    users: moka::sync::Cache<Nid, Read<Arc<Listener>>>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            seen: Mutex::default(),
            rooms: moka::sync::Cache::new(ROOMS),
            users: moka::sync::Cache::new(USERS),
        }
    }
}

impl Remembered {
    fn room(&self, room: Nid, log: &Log) -> Option<Arc<[Member]>> {
        let changed = {
            let mut seen = lock(&self.seen);
            seen.catch_up(log);
            seen.rooms.since(room)
        };
        self.rooms.get(&room).filter(|read| read.at >= changed).map(|read| read.value)
    }

    fn user(&self, user: Nid, log: &Log) -> Option<Arc<Listener>> {
        let changed = {
            let mut seen = lock(&self.seen);
            seen.catch_up(log);
            seen.users.since(user)
        };
        self.users.get(&user).filter(|read| read.at >= changed).map(|read| read.value)
    }
}

impl Identity {
    /// Those who must be asked about an event in a room. No statement when the room is remembered
    /// and the event mentions nobody; three at most.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn listeners(&self, room: Nid, room_id: &str, event: &Event<'_>) -> Result<Listeners> {
        let mut members = self.members_with_own_rules(room, room_id).await?.to_vec();
        let mentioned: HashSet<&str> = event.mentioned().filter(|user| self.is_local(user)).collect();
        if !mentioned.is_empty() {
            let known: HashSet<Nid> = members.iter().map(|member| member.user).collect();
            let mentioned: Vec<_> = mentioned.into_iter().collect();
            let among = push::members_among(&mut self.store.reader(), room, &mentioned).await?;
            members.extend(among.into_iter().filter(|member| !known.contains(&member.user)));
        }
        self.compiled(&members).await
    }

    fn is_local(&self, user: &str) -> bool {
        user.split_once(':').is_some_and(|(_, server)| server == self.options.server_name)
    }

    async fn members_with_own_rules(&self, room: Nid, room_id: &str) -> Result<Arc<[Member]>> {
        let log = self.store.log();
        if let Some(members) = self.push.room(room, log) {
            return Ok(members);
        }
        let at = log.newest();
        let members = push::members_with_own_rules(&mut self.store.reader(), room, room_id).await?;
        let value: Arc<[Member]> = members.into();
        self.push.rooms.insert(room, Read { value: Arc::clone(&value), at });
        Ok(value)
    }

    /// These users with their rules. No statement for those who were asked lately, one for the rest.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn compiled(&self, members: &[Member]) -> Result<Listeners> {
        let log = self.store.log();
        let mut listeners = Vec::with_capacity(members.len());
        let mut unknown: HashMap<Nid, &str> = HashMap::new();
        for member in members {
            match self.push.user(member.user, log) {
                Some(listener) => listeners.push(listener),
                None => {
                    unknown.insert(member.user, &member.user_id);
                }
            }
        }
        if unknown.is_empty() {
            return Ok(Listeners(listeners));
        }
        let at = log.newest();
        let users: Vec<_> = unknown.keys().copied().collect();
        for settings in push::settings(&mut self.store.reader(), &users).await? {
            let Some(user_id) = unknown.get(&settings.user) else { continue };
            let value = Arc::new(compile(user_id, &settings)?);
            self.push.users.insert(settings.user, Read { value: Arc::clone(&value), at });
            listeners.push(value);
        }
        Ok(Listeners(listeners))
    }
}

fn compile(user_id: &str, settings: &Settings) -> Result<Listener> {
    let id = UserId::parse(user_id).map_err(Error::internal)?;
    let rules = Rules::compile(&ruleset::load(&id, settings.rules.as_deref())?);
    let name: Option<String> =
        settings.display_name.as_deref().and_then(|json| serde_json::from_str(json).ok());
    let name = name.filter(|name| !name.is_empty()).and_then(|name| Glob::literal(&name.to_lowercase()));
    Ok(Listener { user: settings.user, user_id: user_id.to_owned(), rules, name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::edit::{Edit, rule};
    use crate::testing::House;
    use kontor_model::Requester;
    use kontor_store::Change;
    use kontor_store::rooms::events::NewMembership;
    use ruma::push::RuleKind;
    use serde_json::{Value, json};

    const ROOM: Nid = 900;

    async fn enter(house: &House, user: &Requester, membership: &str) {
        let mut change = Change::default();
        let pos = change.position(Stream::Event, Some(ROOM), Some(user.user));
        let row = NewMembership { room: ROOM, user: user.user, membership, event: 1, pos, sender: user.user };
        change.set_membership(row);
        house.store.submit(change).await.unwrap();
    }

    async fn heard(house: &House, content: Value) -> Vec<(Nid, bool)> {
        let event = Event::new("m.room.message", "@anna:localhost", None, "!r:x", &content).in_room_of(3);
        let listeners = house.identity.listeners(ROOM, "!r:x", &event).await.unwrap();
        let mut notices: Vec<_> =
            listeners.notices(&event).iter().map(|n| (n.user, n.verdict.highlight)).collect();
        notices.sort_unstable();
        notices
    }

    #[tokio::test]
    async fn only_mentioned_members_and_those_with_own_rules_are_asked() {
        let house = House::new(|_| {}).await;
        let anna = house.somebody("@anna:localhost").await;
        let bert = house.somebody("@bert:localhost").await;
        let cleo = house.somebody("@cleo:localhost").await;
        for user in [&anna, &bert, &cleo] {
            enter(&house, user, "join").await;
        }
        let plain = json!({"body": "eat cake"});
        assert_eq!(heard(&house, plain.clone()).await, []);
        let ids = ["@bert:localhost", "@anna:localhost", "@far:away", "@nobody:localhost"];
        assert_eq!(heard(&house, json!({"m.mentions": {"user_ids": ids}})).await, [(bert.user, true)]);
        let body = json!({"actions": ["notify"], "pattern": "cake"});
        let Value::Object(body) = body else { panic!() };
        let rule = rule(&RuleKind::Content, "cake", body).unwrap();
        let edit = Edit::Put { rule, after: None, before: None };
        let change = house.identity.change_push_rules(&cleo, &edit).await.unwrap();
        house.store.submit(change).await.unwrap();
        assert_eq!(heard(&house, plain.clone()).await, [(cleo.user, false)]);
        enter(&house, &cleo, "leave").await;
        assert_eq!(heard(&house, plain.clone()).await, []);
        enter(&house, &cleo, "join").await;
        assert_eq!(heard(&house, plain.clone()).await, [(cleo.user, false)]);
        let off = Edit::Enable { kind: RuleKind::Content, rule_id: "cake".into(), enabled: false };
        let change = house.identity.change_push_rules(&cleo, &off).await.unwrap();
        house.store.submit(change).await.unwrap();
        assert_eq!(heard(&house, plain).await, []);
    }
}
