//! Who is to be told of an event, and how: the members of its room who have pushers, asked by their
//! push rules.
//!
//! For most of them the server's own rules say the same, and are asked once. Only members whom the
//! event mentions or invites, and members who ever changed their rules, are asked one by one.

use super::receivers::Receivers;
use super::registry::Registry;
use crate::Flows;
use kontor_identity::push::{self, Event, Tweaks};
use kontor_model::{Nid, Result};
use kontor_rooms::{Act, Visibility};
use kontor_store::identity::push::Member;
use kontor_store::rooms::pushed::{self, Hearer, News};
use kontor_store::rooms::state;
use ruma::RoomId;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Rooms whose hearers are remembered. Beyond, all are forgotten and read anew.
const ROOMS: usize = 10_000;

/// Those of a room who have pushers.
struct Ears {
    hearers: Vec<Hearer>,
    joined: u64,
}

/// What is remembered of rooms.
#[derive(Default)]
pub(super) struct Audience {
    rooms: HashMap<Nid, Arc<Ears>>,
    /// Users who changed their rules after their rooms were read.
    own_rules: HashSet<Nid>,
}

/// Somebody who is to be told.
pub(super) type Told = (Nid, Arc<Tweaks>);

impl Audience {
    /// The members of a room changed.
    pub fn forget_room(&mut self, room: Nid) {
        self.rooms.remove(&room);
    }

    /// Somebody has pushers who had none, and may be in any room.
    pub fn forget_rooms(&mut self) {
        self.rooms.clear();
    }

    /// A user changed the push rules.
    pub fn note_own_rules(&mut self, user: Nid) {
        self.own_rules.insert(user);
    }

    async fn ears(&mut self, flows: &Flows, room: Nid) -> Result<Arc<Ears>> {
        if let Some(ears) = self.rooms.get(&room) {
            return Ok(Arc::clone(ears));
        }
        let mut reader = flows.store.reader();
        let hearers = pushed::hearers(&mut reader, room).await?;
        let joined = if hearers.is_empty() { 0 } else { pushed::joined(&mut reader, room).await? };
        let ears = Arc::new(Ears { hearers, joined: u64::try_from(joined).unwrap_or_default() });
        if self.rooms.len() >= ROOMS {
            self.rooms.clear();
        }
        self.rooms.insert(room, Arc::clone(&ears));
        Ok(ears)
    }

    /// Who is to be told of an event. Constant statements; none in a room where nobody has pushers
    /// and that is remembered.
    pub async fn of(
        &mut self,
        flows: &Flows,
        registry: &Registry,
        receivers: &Receivers,
        news: &News,
    ) -> Result<Vec<Told>> {
        let ears = self.ears(flows, news.room).await?;
        let content: Value = serde_json::from_str(&news.content).unwrap_or_default();
        let invited = invited(news, &content).and_then(|user_id| Some((registry.named(user_id)?, user_id)));
        if ears.hearers.is_empty() && invited.is_none() {
            return Ok(Vec::new());
        }
        let event = facts(flows, news, &content, ears.joined).await?;
        let mentioned: HashSet<&str> = event.mentioned().collect();
        let usual = push::usual_wish(&event);
        let (mut told, mut asked) = (Vec::new(), Vec::new());
        for hearer in ears.hearers.iter().filter(|hearer| hearer.user != news.sender_nid) {
            let own = hearer.own_rules
                || self.own_rules.contains(&hearer.user)
                || mentioned.contains(hearer.user_id.as_str());
            if !registry.has(hearer.user) || (!own && usual.is_none()) || !was_in(flows, hearer, news).await?
            {
                continue;
            }
            match (&usual, own) {
                (_, true) => asked.push(Member { user: hearer.user, user_id: hearer.user_id.clone() }),
                (Some(usual), false) => told.push((hearer.user, Arc::clone(usual))),
                (None, false) => {}
            }
        }
        if let Some((user, user_id)) = invited {
            asked.push(Member { user, user_id: user_id.to_owned() });
        }
        told.extend(flows.identity.compiled(&asked).await?.wishes(&event));
        let users: Vec<Nid> = told.iter().map(|(user, _)| *user).collect();
        let listening = receivers.listening(&users, &news.sender).await?;
        told.retain(|(user, _)| listening.contains(user));
        Ok(told)
    }

    /// Those of a room to whom a redaction may have taken something unread.
    pub fn hearers(&self, room: Nid) -> impl Iterator<Item = Nid> {
        self.rooms.get(&room).into_iter().flat_map(|ears| ears.hearers.iter().map(|hearer| hearer.user))
    }
}

/// The user whom an event invites.
fn invited<'a>(news: &'a News, content: &Value) -> Option<&'a str> {
    let invites = news.kind == "m.room.member" && content.get("membership")?.as_str() == Some("invite");
    news.state_key.as_deref().filter(|_| invites)
}

async fn facts<'a>(flows: &Flows, news: &'a News, content: &'a Value, joined: u64) -> Result<Event<'a>> {
    let event = Event::new(&news.kind, &news.sender, news.state_key.as_deref(), &news.room_id, content);
    let event = event.in_room_of(joined);
    if !crate::notify::mentions_room(content) {
        return Ok(event);
    }
    let Ok(room_id) = RoomId::parse(&news.room_id) else { return Ok(event) };
    let head = flows.rooms.lanes.peek(&room_id).await?;
    Ok(event.sent_by_somebody_who_may_notify(head.powers().may(&news.sender, Act::NotifyRoom)))
}

/// Whether somebody who is in the room now was in it, and could see what was said, when the event
/// came. Asks the archive only about those whose membership changed since.
async fn was_in(flows: &Flows, hearer: &Hearer, news: &News) -> Result<bool> {
    if hearer.ord <= news.ord {
        return Ok(true);
    }
    let mut found = state::histories(&mut flows.store.reader(), &[news.room], hearer.user).await?;
    let visibility = Visibility::new(&found.remove(&news.room).unwrap_or_default());
    Ok(visibility.membership_at(news.ord) == "join" && visibility.may_see(news.ord))
}
