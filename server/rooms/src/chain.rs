//! A chain of new events of this server: built, authorised, and turned into rows, one upon another.
//!
//! Pure: no IO, no lock. What it needs (numeric ids, the time) it is given; what it makes is a
//! [`Change`] and the [`Head`] after it.

use crate::head::{Head, StateEntry};
use crate::redaction;
use kontor_model::{Code, Draft, Error, Ms, Nid, Pdu, Result, SignedPdu, ids};
use kontor_store::rooms::events::{NewEvent, NewMembership};
use kontor_store::{Change, RoomStep, Stream, Value};
use ruma::events::{StateEventType, TimelineEventType};
use ruma::signatures::Ed25519KeyPair;
use ruma::state_res::{
    auth_types_for_event, check_state_dependent_auth_rules, check_state_independent_auth_rules,
};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, EventId, OwnedEventId};
use std::collections::HashMap;
use std::sync::Arc;

/// Events that one event may follow at most (server-server API, "PDUs").
const MAX_PREV_EVENTS: usize = 20;

/// Numeric ids that an event needs, reserved before it is built.
#[derive(Clone, Copy, Debug)]
pub struct EventNids {
    /// Of the event itself.
    pub event: Nid,
    /// Of its sender.
    pub sender: Nid,
    /// Of its state key.
    pub state_key: Option<Nid>,
}

/// Who signs.
pub struct Signer {
    /// This server's name.
    pub server_name: ruma::OwnedServerName,
    /// Its key.
    pub key: Ed25519KeyPair,
}

/// An event that was accepted onto a chain.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Numeric id.
    pub nid: Nid,
    /// The event.
    pub pdu: Arc<Pdu>,
    /// Its position, a promise of the change.
    pub pos: Value,
    /// Its full content, JSON.
    pub content: String,
}

/// Tells whether an event is news for the members of its room; the identity department knows.
pub trait Judge: Send + Sync {
    /// Bits of `event.notifies`: 1 counts as unread, 2 highlights for everybody.
    fn notifies(&self, event: &Pdu, content: &str, before: &Head) -> i64;
}

/// A chain being built.
pub struct Chain {
    from: i64,
    created: bool,
    head: Head,
    change: Change,
    events: Vec<Accepted>,
}

impl Chain {
    /// Begins on a room as it stands.
    pub fn on(head: &Head) -> Self {
        Self {
            from: head.revision,
            created: false,
            head: head.clone(),
            change: Change::default(),
            events: Vec::new(),
        }
    }

    /// Begins a new room; `head` has no state and no extremities, and its revision is of no meaning.
    pub fn create(head: Head) -> Self {
        Self { from: 0, created: true, head, change: Change::default(), events: Vec::new() }
    }

    /// The room as it stands after the events so far.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The events so far.
    pub fn events(&self) -> &[Accepted] {
        &self.events
    }

    /// Rows that belong to the same act, such as its audit row.
    pub fn change(&mut self) -> &mut Change {
        &mut self.change
    }

    /// Builds, authorises and adds one event.
    ///
    /// # Errors
    /// `Forbidden` when the authorisation rules refuse it; `TooLarge`, `BadJson`, `InvalidParam`
    /// when it cannot be an event.
    pub fn push(
        &mut self,
        draft: &Draft,
        nids: EventNids,
        signer: &Signer,
        judge: &dyn Judge,
        now: Ms,
    ) -> Result<OwnedEventId> {
        ids::storable_key(&draft.kind, "event type")?;
        if let Some(key) = &draft.state_key {
            ids::storable_key(key, "state key")?;
        }
        let signed = self.build(draft, signer)?;
        if signed.pdu.kind == TimelineEventType::RoomCreate {
            self.head.room_id = signed.pdu.room_id.clone();
        }
        authorise(&self.head, &signed.pdu)?;
        self.append(signed, nids, judge, now)
    }

    fn build(&self, draft: &Draft, signer: &Signer) -> Result<SignedPdu> {
        let version = &self.head.version;
        let text = |text: &str| CanonicalJsonValue::String(text.to_owned());
        let mut object = CanonicalJsonObject::new();
        let mut content = draft.content.clone();
        if let Some(target) = &draft.redacts {
            if version.rules.redaction.content_field_redacts {
                content.insert("redacts".to_owned(), text(target.as_str()));
            } else {
                object.insert("redacts".to_owned(), text(target.as_str()));
            }
        }
        let prev: Vec<_> = self.head.extremities.iter().take(MAX_PREV_EVENTS).cloned().collect();
        object.insert("auth_events".to_owned(), id_list(&self.auth_events(draft, &content)?));
        object.insert("prev_events".to_owned(), id_list(&prev));
        object.insert("content".to_owned(), CanonicalJsonValue::Object(content));
        object.insert("depth".to_owned(), integer(self.head.depth + 1)?);
        object.insert("origin_server_ts".to_owned(), integer(draft.origin_server_ts)?);
        if !(version.id_is_create_hash() && draft.kind == "m.room.create") {
            object.insert("room_id".to_owned(), text(self.head.room_id.as_str()));
        }
        object.insert("sender".to_owned(), text(draft.sender.as_str()));
        object.insert("type".to_owned(), text(&draft.kind));
        if let Some(key) = &draft.state_key {
            object.insert("state_key".to_owned(), text(key));
        }
        SignedPdu::sign(object, signer.server_name.as_str(), &signer.key, version)
    }

    fn auth_events(&self, draft: &Draft, content: &CanonicalJsonObject) -> Result<Vec<OwnedEventId>> {
        let content = serde_json::value::to_raw_value(content).map_err(Error::internal)?;
        let types = auth_types_for_event(
            &TimelineEventType::from(draft.kind.as_str()),
            &draft.sender,
            draft.state_key.as_deref(),
            &content,
            &self.head.version.rules.authorization,
        )
        .map_err(|reason| Error::bad_json("The event's content is malformed.").because(reason))?;
        let found = types.into_iter().filter_map(|key| self.head.state.get(&key));
        Ok(found.map(|entry| entry.pdu.event_id.clone()).collect())
    }

    fn append(
        &mut self,
        signed: SignedPdu,
        nids: EventNids,
        judge: &dyn Judge,
        now: Ms,
    ) -> Result<OwnedEventId> {
        let parts = signed.parts(&self.head.version)?;
        let pdu = Arc::new(signed.pdu);
        let room = self.head.room;
        let membership = pdu.membership();
        let watcher = membership.as_ref().and(nids.state_key);
        let pos = self.change.position(Stream::Event, Some(room), watcher);
        let replaces = self.replaced(&pdu);
        let kind = pdu.kind.to_string();
        let relation = relation(&parts.content);
        self.change.add_event(NewEvent {
            event: nids.event,
            event_id: pdu.event_id.as_str(),
            room,
            pos: Some(pos.clone()),
            ord: Some(pos.clone()),
            depth: pdu.depth,
            kind: &kind,
            sender: nids.sender,
            state_key: nids.state_key,
            replaces,
            snapshot: None,
            origin_ts: pdu.origin_server_ts,
            received_ts: now,
            retention_ts: now,
            rejected: false,
            soft_failed: false,
            relation: relation.as_ref().map(|(id, how)| (id.as_str(), how.as_str())),
            notifies: judge.notifies(&pdu, &parts.content, &self.head),
            skeleton: parts.skeleton,
            content: &parts.content,
            extra: parts.extra.as_deref(),
        });
        if let Some(key) = nids.state_key {
            self.change.set_state(room, &kind, key, nids.event, pos.clone());
            if let Some(membership) = &membership {
                let row = NewMembership {
                    room,
                    user: key,
                    membership,
                    event: nids.event,
                    pos: pos.clone(),
                    sender: nids.sender,
                };
                self.change.set_membership(row);
            }
        }
        self.advance(&pdu, nids);
        let event_id = pdu.event_id.clone();
        self.events.push(Accepted { nid: nids.event, pdu, pos, content: parts.content });
        Ok(event_id)
    }

    fn replaced(&self, pdu: &Pdu) -> Option<Nid> {
        let key = pdu.state_key.as_deref()?;
        self.head.get(&StateEventType::from(pdu.kind.to_string()), key).map(|entry| entry.nid)
    }

    fn advance(&mut self, pdu: &Arc<Pdu>, nids: EventNids) {
        self.head.revision = nids.event;
        self.head.depth = pdu.depth;
        self.head.extremities = vec![pdu.event_id.clone()];
        if let Some(key) = &pdu.state_key {
            let key = (StateEventType::from(pdu.kind.to_string()), key.clone());
            let key_nid = nids.state_key.unwrap_or_default();
            let entry = StateEntry { nid: nids.event, key: key_nid, pdu: Arc::clone(pdu) };
            Arc::make_mut(&mut self.head.state).insert(key, entry);
        }
    }

    /// Applies the chain's last event, a redaction, to the event that it names.
    ///
    /// # Errors
    /// `Internal` for a chain without events, which would be a defect.
    pub fn redact(&mut self, target: Nid, left: redaction::Left) -> Result<()> {
        let last = self.events.last().ok_or_else(|| Error::internal("a chain without a redaction"))?;
        self.change.redact_event(target, last.nid, &left.content);
        // The next event is judged by what is left, here as after a restart.
        if let Some(key) = &left.pdu.state_key {
            let key = (StateEventType::from(left.pdu.kind.to_string()), key.clone());
            if let Some(old) = self.head.state.get(&key).filter(|entry| entry.nid == target) {
                let entry = StateEntry { pdu: Arc::new(left.pdu), ..old.clone() };
                Arc::make_mut(&mut self.head.state).insert(key, entry);
            }
        }
        Ok(())
    }

    /// Ends the chain: the change to be written, and the room as it will stand.
    ///
    /// # Errors
    /// `Internal` for a chain without events, which would be a defect.
    pub fn finish(mut self, published: bool, now: Ms) -> Result<(Change, Head)> {
        let last = self.events.last().ok_or_else(|| Error::internal("a chain without events"))?;
        let step = RoomStep {
            room: self.head.room,
            from: self.from,
            to: self.head.revision,
            depth: self.head.depth,
            extremities: serde_json::to_string(&self.head.extremities).map_err(Error::internal)?,
            last_ord: last.pos.clone(),
            linear: self.head.linear,
            snapshot: self.head.snapshot,
        };
        if self.created {
            let (room_id, version) = (self.head.room_id.as_str(), self.head.version.id.as_str());
            self.change.make_room(room_id, version, published, now, step);
        } else {
            self.change.step(step);
        }
        Ok((self.change, self.head))
    }
}

fn id_list(list: &[OwnedEventId]) -> CanonicalJsonValue {
    CanonicalJsonValue::Array(list.iter().map(|id| CanonicalJsonValue::String(id.to_string())).collect())
}

fn integer(number: i64) -> Result<CanonicalJsonValue> {
    let number = ruma::Int::new(number);
    number.map(CanonicalJsonValue::Integer).ok_or_else(|| Error::invalid_param("A number is out of range."))
}

/// Checks an event of this server against the room's current state.
///
/// Its auth events were chosen from that state, so the two checks of the specification coincide.
///
/// # Errors
/// `Forbidden` with a sentence for the person.
pub fn authorise(head: &Head, pdu: &Pdu) -> Result<()> {
    let rules = &head.version.rules.authorization;
    let refused = |reason: String| Error::new(Code::Forbidden, refusal(&reason)).because(reason);
    let key = pdu.state_key.as_deref();
    let types = auth_types_for_event(&pdu.kind, &pdu.sender, key, &pdu.content, rules).map_err(refused)?;
    let create = (StateEventType::RoomCreate, String::new());
    // Few of a large room's state events matter: found by key, not by walking the state.
    let by_id: HashMap<&EventId, &Pdu> = types
        .iter()
        .chain([&create])
        .filter_map(|key| head.state.get(key))
        .map(|entry| (entry.pdu.event_id.as_ref(), &*entry.pdu))
        .collect();
    check_state_independent_auth_rules(rules, pdu, |id| by_id.get(id).copied()).map_err(refused)?;
    check_state_dependent_auth_rules(rules, pdu, |kind, key| head.get(kind, key).map(|entry| &*entry.pdu))
        .map_err(refused)
}

/// What a person reads when a rule refuses. The rules' own words go to the log.
fn refusal(reason: &str) -> &'static str {
    if reason.contains("sender's membership") || reason.contains("sender is not in the room") {
        "You are not a member of this room."
    } else if reason.contains("power") {
        "You do not have the power to do this in this room."
    } else if reason.contains("ban") {
        "This user is banned from the room."
    } else if reason.contains("join") || reason.contains("invite") || reason.contains("knock") {
        "The room does not let you in this way. Ask a member for an invitation."
    } else {
        "The rules of this room do not allow this."
    }
}

/// The event that `m.relates_to` names and how, within what can be stored.
pub fn relation(content: &str) -> Option<(String, String)> {
    #[derive(serde::Deserialize)]
    struct Content {
        #[serde(rename = "m.relates_to")]
        relates_to: Option<Relation>,
    }
    #[derive(serde::Deserialize)]
    struct Relation {
        event_id: String,
        rel_type: String,
    }
    if !content.contains("m.relates_to") {
        return None;
    }
    let relation = serde_json::from_str::<Content>(content).ok()?.relates_to?;
    let storable = ids::storable_key(&relation.event_id, "id").is_ok()
        && ids::storable_key(&relation.rel_type, "relation").is_ok();
    storable.then_some((relation.event_id, relation.rel_type))
}
