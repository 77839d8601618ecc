//! An invented federation: servers with keys of their own that build and sign events, on whatever
//! parents a test wants.

use kontor_model::{Pdu, RoomVersion, SignedPdu};
use kontor_rooms::resolve::{Candidate, Lookup, resolve};
use kontor_rooms::{StateEntry, StateMap};
use ruma::events::{StateEventType, TimelineEventType};
use ruma::signatures::{Ed25519KeyPair, PublicKeyMap, add_content_hash_to_event, reference_hash, sign_json};
use ruma::state_res::auth_types_for_event;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedEventId, OwnedRoomId, UserId};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The house itself, and two others.
pub const HOME: &str = "home.example";
pub const EAST: &str = "east.example";
pub const WEST: &str = "west.example";

pub const ANNA: &str = "@anna:home.example";
pub const EVA: &str = "@eva:east.example";
pub const EMIL: &str = "@emil:east.example";
pub const WIM: &str = "@wim:west.example";

/// A key pair out of a seed.
pub fn key(seed: [u8; 32]) -> Ed25519KeyPair {
    // PKCS#8, version 1, Ed25519: everything before the seed is always the same.
    let mut der =
        vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    der.extend(seed);
    Ed25519KeyPair::from_der(&der, "1".to_owned()).unwrap()
}

pub fn key_of(server: &str) -> Ed25519KeyPair {
    let mut seed = [7; 32];
    for (slot, byte) in seed.iter_mut().zip(server.bytes()) {
        *slot = byte;
    }
    key(seed)
}

/// The public keys of all servers.
pub fn public_keys() -> PublicKeyMap {
    let one = |server: &str| {
        let key = key_of(server);
        let public = ruma::serde::Base64::new(key.public_key().to_vec());
        (server.to_owned(), [("ed25519:1".to_owned(), public)].into())
    };
    [HOME, EAST, WEST].into_iter().map(one).collect()
}

pub fn object(value: Value) -> CanonicalJsonObject {
    serde_json::from_value(value).unwrap()
}

/// All events of one room, by whomever they were made.
pub struct World {
    pub version: RoomVersion,
    pub room_id: OwnedRoomId,
    pub objects: HashMap<OwnedEventId, CanonicalJsonObject>,
    pub pdus: HashMap<OwnedEventId, Arc<Pdu>>,
    after: HashMap<OwnedEventId, Arc<StateMap>>,
    nids: HashMap<OwnedEventId, i64>,
    pub ts: i64,
}

/// What a test wants of an event beyond the usual.
#[derive(Clone, Default)]
pub struct Wish {
    pub state_key: Option<String>,
    pub redacts: Option<OwnedEventId>,
    pub auth: Option<Vec<OwnedEventId>>,
    pub depth: Option<i64>,
    pub event_id: Option<String>,
    pub extra: Option<Value>,
}

impl Wish {
    pub fn key(key: &str) -> Self {
        Self { state_key: Some(key.to_owned()), ..Self::default() }
    }
}

impl World {
    pub fn new(version: &str) -> Self {
        Self {
            version: RoomVersion::parse(version).unwrap(),
            room_id: OwnedRoomId::try_from("!room:home.example").unwrap(),
            objects: HashMap::new(),
            pdus: HashMap::new(),
            after: HashMap::new(),
            nids: HashMap::new(),
            ts: 1_000,
        }
    }

    /// A room of Anna's: create event, her join, power levels, public join rule. Returns the events
    /// in order.
    pub async fn found(&mut self) -> Vec<OwnedEventId> {
        let creator = if self.version.rules.authorization.use_room_create_sender {
            json!({"room_version": self.version.id.as_str()})
        } else {
            json!({"room_version": self.version.id.as_str(), "creator": ANNA})
        };
        let create = self.make(ANNA, "m.room.create", creator, &[], Wish::key("")).await;
        self.room_id = self.pdus[&create].room_id.clone();
        let join = self.member(ANNA, ANNA, "join", std::slice::from_ref(&create)).await;
        let powers = self.powers(ANNA, json!({}), std::slice::from_ref(&join)).await;
        let rule = self.state(
            ANNA,
            "m.room.join_rules",
            "",
            json!({"join_rule": "public"}),
            std::slice::from_ref(&powers),
        );
        let rule = rule.await;
        vec![create, join, powers, rule]
    }

    /// Power levels: Anna 100 where she is not above numbers anyway, others as given.
    pub async fn powers(&mut self, by: &str, users: Value, prev: &[OwnedEventId]) -> OwnedEventId {
        let mut users = users;
        if !self.version.rules.authorization.explicitly_privilege_room_creators {
            users[ANNA] = json!(100);
        }
        self.state(by, "m.room.power_levels", "", json!({"users": users}), prev).await
    }

    pub async fn member(&mut self, by: &str, user: &str, how: &str, prev: &[OwnedEventId]) -> OwnedEventId {
        self.state(by, "m.room.member", user, json!({"membership": how}), prev).await
    }

    pub async fn state(
        &mut self,
        by: &str,
        kind: &str,
        key: &str,
        content: Value,
        prev: &[OwnedEventId],
    ) -> OwnedEventId {
        self.make(by, kind, content, prev, Wish::key(key)).await
    }

    pub async fn say(&mut self, by: &str, text: &str, prev: &[OwnedEventId]) -> OwnedEventId {
        let content = json!({"msgtype": "m.text", "body": text});
        self.make(by, "m.room.message", content, prev, Wish::default()).await
    }

    pub async fn redact(&mut self, by: &str, target: &OwnedEventId, prev: &[OwnedEventId]) -> OwnedEventId {
        let wish = Wish { redacts: Some(target.clone()), ..Wish::default() };
        self.make(by, "m.room.redaction", json!({}), prev, wish).await
    }

    /// Builds and signs an event on some parents.
    pub async fn make(
        &mut self,
        by: &str,
        kind: &str,
        content: Value,
        prev: &[OwnedEventId],
        wish: Wish,
    ) -> OwnedEventId {
        self.ts += 1;
        let before = self.before(prev).await;
        let auth = wish.auth.clone().unwrap_or_else(|| self.auth(by, kind, &wish, &content, &before));
        let depth = prev.iter().map(|id| self.pdus[id].depth).max().unwrap_or(0) + 1;
        let mut event = json!({
            "type": kind, "sender": by, "content": content, "origin_server_ts": self.ts,
            "depth": wish.depth.unwrap_or(depth),
            "prev_events": self.references(prev), "auth_events": self.references(&auth),
        });
        if !(self.version.id_is_create_hash() && kind == "m.room.create") {
            event["room_id"] = json!(self.room_id);
        }
        if let Some(key) = &wish.state_key {
            event["state_key"] = json!(key);
        }
        if let Some(target) = &wish.redacts {
            if self.version.rules.redaction.content_field_redacts {
                event["content"]["redacts"] = json!(target);
            } else {
                event["redacts"] = json!(target);
            }
        }
        if self.version.rules.event_format.require_event_id {
            let server = UserId::parse(by).unwrap().server_name().to_string();
            event["event_id"] = json!(wish.event_id.unwrap_or(format!("$e{}:{server}", self.ts)));
        }
        for (field, value) in wish.extra.as_ref().and_then(Value::as_object).into_iter().flatten() {
            event[field] = value.clone();
        }
        self.add(sign(object(event), by, &self.version), before)
    }

    /// Takes an event in that was signed elsewhere.
    pub fn add(&mut self, object: CanonicalJsonObject, before: Arc<StateMap>) -> OwnedEventId {
        let signed = SignedPdu::from_wire(object.clone(), &self.version).unwrap();
        let id = signed.pdu.event_id.clone();
        self.objects.insert(id.clone(), object);
        self.learn(Arc::new(signed.pdu), before);
        id
    }

    /// Takes an event in that the house made itself.
    pub fn learn(&mut self, pdu: Arc<Pdu>, before: Arc<StateMap>) {
        let nid = i64::try_from(self.nids.len()).unwrap() + 1;
        let mut after = before;
        if let Some(key) = &pdu.state_key {
            let key = (StateEventType::from(pdu.kind.to_string()), key.clone());
            Arc::make_mut(&mut after).insert(key, StateEntry { nid, key: nid, pdu: Arc::clone(&pdu) });
        }
        self.nids.insert(pdu.event_id.clone(), nid);
        self.after.insert(pdu.event_id.clone(), after);
        self.pdus.insert(pdu.event_id.clone(), pdu);
    }

    /// Learns that an event was rejected: it changes no state.
    pub async fn reject(&mut self, id: &OwnedEventId) {
        let mut pdu = (*self.pdus[id]).clone();
        pdu.rejected = true;
        let before = self.before(&pdu.prev_events).await;
        self.after.insert(id.clone(), before);
        self.pdus.insert(id.clone(), Arc::new(pdu));
    }

    /// The state before an event on some parents.
    pub async fn before(&self, prev: &[OwnedEventId]) -> Arc<StateMap> {
        let states: Vec<_> = prev.iter().map(|id| self.after(id)).collect();
        self.resolve(&states).await
    }

    /// The state after an event.
    pub fn after(&self, id: &OwnedEventId) -> Arc<StateMap> {
        Arc::clone(&self.after[id])
    }

    pub async fn resolve(&self, states: &[Arc<StateMap>]) -> Arc<StateMap> {
        resolve(&self.version, states, &mut Known(self)).await.unwrap()
    }

    /// A state that consists of some events.
    pub fn state_of(&self, ids: &[&OwnedEventId]) -> Arc<StateMap> {
        let entry = |id: &&OwnedEventId| {
            let (pdu, nid) = (Arc::clone(&self.pdus[*id]), self.nids[*id]);
            let key = (StateEventType::from(pdu.kind.to_string()), pdu.state_key.clone().unwrap());
            (key, StateEntry { nid, key: nid, pdu })
        };
        Arc::new(ids.iter().map(entry).collect())
    }

    fn auth(
        &self,
        by: &str,
        kind: &str,
        wish: &Wish,
        content: &Value,
        before: &StateMap,
    ) -> Vec<OwnedEventId> {
        let content = serde_json::value::to_raw_value(content).unwrap();
        let types = auth_types_for_event(
            &TimelineEventType::from(kind),
            <&UserId>::try_from(by).unwrap(),
            wish.state_key.as_deref(),
            &content,
            &self.version.rules.authorization,
        );
        let found = types.unwrap().into_iter().filter_map(|key| before.get(&key));
        found.map(|entry| entry.pdu.event_id.clone()).collect()
    }

    /// Ids as `prev_events` and `auth_events` hold them in this version.
    fn references(&self, ids: &[OwnedEventId]) -> Value {
        if !self.version.rules.event_format.require_event_id {
            return json!(ids);
        }
        let pair = |id: &OwnedEventId| {
            let hash =
                self.objects.get(id).map(|object| reference_hash(object, &self.version.rules).unwrap());
            json!([id, {"sha256": hash.unwrap_or_default()}])
        };
        ids.iter().map(pair).collect()
    }

    pub fn wire(&self, ids: &[OwnedEventId]) -> Vec<CanonicalJsonObject> {
        ids.iter().map(|id| self.objects[id].clone()).collect()
    }
}

/// Hashes and signs as the sender's server.
pub fn sign(mut event: CanonicalJsonObject, by: &str, version: &RoomVersion) -> CanonicalJsonObject {
    let server = UserId::parse(by).unwrap().server_name().to_string();
    add_content_hash_to_event(&mut event).unwrap();
    sign_again(event, &server, version)
}

/// Signs what was hashed, or claims to have been.
pub fn sign_again(event: CanonicalJsonObject, server: &str, version: &RoomVersion) -> CanonicalJsonObject {
    let mut redacted = ruma::canonical_json::redact(event.clone(), &version.rules.redaction, None).unwrap();
    redacted.remove("signatures");
    sign_json(server, &key_of(server), &mut redacted).unwrap();
    let mut event = event;
    let new = redacted.remove("signatures").unwrap();
    match (event.get_mut("signatures"), new) {
        (Some(CanonicalJsonValue::Object(all)), CanonicalJsonValue::Object(new)) => all.extend(new),
        (_, new) => {
            event.insert("signatures".to_owned(), new);
        }
    }
    event
}

struct Known<'a>(&'a World);

#[async_trait::async_trait]
impl Lookup for Known<'_> {
    async fn candidates(&mut self, ids: &[OwnedEventId]) -> kontor_model::Result<Vec<Candidate>> {
        let found = ids.iter().filter_map(|id| self.0.pdus.get(id));
        let candidate = |pdu: &Arc<Pdu>| {
            let nid = self.0.nids[&pdu.event_id];
            Candidate { nid, key: pdu.state_key.is_some().then_some(nid), pdu: Arc::clone(pdu) }
        };
        Ok(found.map(candidate).collect())
    }
}
