//! Events as the rooms of the Matrix network know them (persistent data units).

use crate::{Code, Error, Ms, Result, RoomVersion, json};
use ruma::canonical_json::redact;
use ruma::events::TimelineEventType;
use ruma::signatures::{JsonError, KeyPair, hash_and_sign_event, reference_hash};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId,
    OwnedUserId, RoomId, UserId,
};
use serde_json::value::RawValue;

/// The fields of an event that authorisation and state resolution look at.
#[derive(Clone, Debug)]
pub struct Pdu {
    /// Hash of the redacted event, or the sender's choice in room versions 1 and 2.
    pub event_id: OwnedEventId,
    /// The room; for a version-12 create event derived from its own id.
    pub room_id: OwnedRoomId,
    /// Who sent it.
    pub sender: OwnedUserId,
    /// The event type.
    pub kind: TimelineEventType,
    /// Present for state events.
    pub state_key: Option<String>,
    /// Content; of a skeleton only what redaction leaves.
    pub content: Box<RawValue>,
    /// The sender's claim of the time, milliseconds.
    pub origin_server_ts: Ms,
    /// The events before it.
    pub prev_events: Vec<OwnedEventId>,
    /// The events that allow it.
    pub auth_events: Vec<OwnedEventId>,
    /// The sender's claim of its depth; hashed, never trusted.
    pub depth: i64,
    /// The event that it redacts.
    pub redacts: Option<OwnedEventId>,
    /// Whether this server rejected it.
    pub rejected: bool,
}

/// An event with the exact JSON that its hashes and signatures cover.
#[derive(Clone, Debug)]
pub struct SignedPdu {
    /// The parsed fields.
    pub pdu: Pdu,
    /// The whole object, without `unsigned` and (since version 3) without `event_id`.
    pub object: CanonicalJsonObject,
}

/// An event taken apart for storage: redaction and retention drop the body, never the skeleton.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The redacted event with hashes and signatures, canonical JSON.
    pub skeleton: String,
    /// The full content, canonical JSON.
    pub content: String,
    /// Top-level fields that redaction drops, as one JSON object, if there are any.
    pub extra: Option<String>,
}

fn malformed(what: &'static str) -> Error {
    Error::bad_json(format!("The event has no valid {what}."))
}

fn text<'a>(object: &'a CanonicalJsonObject, key: &'static str) -> Result<&'a str> {
    match object.get(key) {
        Some(CanonicalJsonValue::String(text)) => Ok(text),
        _ => Err(malformed(key)),
    }
}

fn integer(object: &CanonicalJsonObject, key: &'static str) -> Result<i64> {
    match object.get(key) {
        Some(CanonicalJsonValue::Integer(number)) => Ok(i64::from(*number)),
        _ => Err(malformed(key)),
    }
}

/// `prev_events` and `auth_events`: ids, or pairs of id and hashes in room versions 1 and 2.
fn references(object: &CanonicalJsonObject, key: &'static str) -> Result<Vec<OwnedEventId>> {
    let Some(CanonicalJsonValue::Array(list)) = object.get(key) else {
        return Err(malformed(key));
    };
    let one = |value: &CanonicalJsonValue| {
        let id = match value {
            CanonicalJsonValue::String(id) => Some(id.as_str()),
            CanonicalJsonValue::Array(pair) => pair.first().and_then(CanonicalJsonValue::as_str),
            _ => None,
        };
        id.and_then(|id| EventId::parse(id).ok()).ok_or_else(|| malformed(key))
    };
    list.iter().map(one).collect()
}

fn redacted_by(object: &CanonicalJsonObject) -> Option<OwnedEventId> {
    let inside = match object.get("content") {
        Some(CanonicalJsonValue::Object(content)) => content.get("redacts"),
        _ => None,
    };
    let id = object.get("redacts").or(inside)?.as_str()?;
    EventId::parse(id).ok()
}

impl Pdu {
    /// Reads the fields out of an event's JSON.
    ///
    /// # Errors
    /// `BadJson` naming the first field that is absent or of the wrong kind.
    pub fn parse(
        event_id: OwnedEventId,
        object: &CanonicalJsonObject,
        version: &RoomVersion,
    ) -> Result<Self> {
        let kind = text(object, "type")?;
        let room_id = match object.get("room_id").and_then(CanonicalJsonValue::as_str) {
            Some(id) => RoomId::parse(id).map_err(|_| malformed("room_id"))?,
            None if version.id_is_create_hash() && kind == "m.room.create" => {
                let id = event_id.as_str().replacen('$', "!", 1);
                RoomId::parse(id).map_err(|_| malformed("room_id"))?
            }
            None => return Err(malformed("room_id")),
        };
        let content = object.get("content").ok_or_else(|| malformed("content"))?;
        let content = serde_json::to_string(content).map_err(Error::internal)?;
        Ok(Self {
            room_id,
            sender: UserId::parse(text(object, "sender")?).map_err(|_| malformed("sender"))?,
            kind: TimelineEventType::from(kind),
            state_key: object.get("state_key").and_then(CanonicalJsonValue::as_str).map(str::to_owned),
            content: RawValue::from_string(content).map_err(Error::internal)?,
            origin_server_ts: integer(object, "origin_server_ts")?,
            prev_events: references(object, "prev_events")?,
            auth_events: references(object, "auth_events")?,
            depth: integer(object, "depth")?,
            redacts: redacted_by(object),
            rejected: false,
            event_id,
        })
    }

    /// Reads an event back from its stored skeleton.
    ///
    /// # Errors
    /// `Internal` when the archive holds something else, which would be a defect.
    pub fn from_skeleton(event_id: OwnedEventId, skeleton: &str, version: &RoomVersion) -> Result<Self> {
        let object: CanonicalJsonObject = serde_json::from_str(skeleton).map_err(Error::internal)?;
        Self::parse(event_id, &object, version).map_err(Error::internal)
    }

    /// Type and state key, if it is a state event.
    pub fn state_pair(&self) -> Option<(&TimelineEventType, &str)> {
        self.state_key.as_deref().map(|key| (&self.kind, key))
    }

    /// `content.membership` of a member event, else `None`.
    pub fn membership(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Member {
            membership: String,
        }
        (self.kind == TimelineEventType::RoomMember)
            .then(|| serde_json::from_str::<Member>(self.content.get()).ok())
            .flatten()
            .map(|member| member.membership)
    }
}

impl SignedPdu {
    /// Hashes and signs a finished object and computes its id.
    ///
    /// # Errors
    /// `TooLarge` above 64 KiB; `BadJson` when a field has the wrong kind.
    pub fn sign<K: KeyPair>(
        mut object: CanonicalJsonObject,
        server: &str,
        key: &K,
        version: &RoomVersion,
    ) -> Result<Self> {
        hash_and_sign_event(server, key, &mut object, &version.rules.redaction).map_err(
            |cause| match cause {
                JsonError::PduTooLarge => json::too_large(),
                cause => Error::bad_json("The event cannot be signed.").because(cause),
            },
        )?;
        if json::to_canonical(&object)?.len() > json::MAX_EVENT_BYTES {
            return Err(json::too_large());
        }
        let event_id = event_id(&object, version)?;
        Ok(Self { pdu: Pdu::parse(event_id, &object, version)?, object })
    }

    /// Takes an event from another server as it came, without checking hashes or signatures.
    ///
    /// # Errors
    /// `BadJson` when a field is absent or of the wrong kind.
    pub fn from_wire(mut object: CanonicalJsonObject, version: &RoomVersion) -> Result<Self> {
        object.remove("unsigned");
        let event_id = event_id(&object, version)?;
        Ok(Self { pdu: Pdu::parse(event_id, &object, version)?, object })
    }

    /// Takes the event apart for storage.
    ///
    /// # Errors
    /// `Internal` if the redaction algorithm refuses an event that passed the checks.
    pub fn parts(&self, version: &RoomVersion) -> Result<Parts> {
        let skeleton =
            redact(self.object.clone(), &version.rules.redaction, None).map_err(Error::internal)?;
        let content = match self.object.get("content") {
            Some(CanonicalJsonValue::Object(content)) => json::to_canonical(content)?,
            _ => return Err(malformed("content")),
        };
        let dropped = self.object.iter().filter(|(key, _)| !skeleton.contains_key(*key));
        let extra: CanonicalJsonObject = dropped.map(|(k, v)| (k.clone(), v.clone())).collect();
        let extra = if extra.is_empty() { None } else { Some(json::to_canonical(&extra)?) };
        Ok(Parts { skeleton: json::to_canonical(&skeleton)?, content, extra })
    }

    /// Puts a stored event together again, byte for byte what was signed.
    ///
    /// # Errors
    /// `Internal` when the archive holds something else, which would be a defect.
    pub fn from_parts(event_id: OwnedEventId, parts: &Parts, version: &RoomVersion) -> Result<Self> {
        let mut object: CanonicalJsonObject =
            serde_json::from_str(&parts.skeleton).map_err(Error::internal)?;
        let content = serde_json::from_str(&parts.content).map_err(Error::internal)?;
        object.insert("content".to_owned(), CanonicalJsonValue::Object(content));
        if let Some(extra) = &parts.extra {
            let extra: CanonicalJsonObject = serde_json::from_str(extra).map_err(Error::internal)?;
            object.extend(extra);
        }
        Ok(Self { pdu: Pdu::parse(event_id, &object, version).map_err(Error::internal)?, object })
    }
}

/// The id of an event: its reference hash, or in versions 1 and 2 the one that it carries.
///
/// # Errors
/// `BadJson` without a usable id; `TooLarge` above 64 KiB.
pub fn event_id(object: &CanonicalJsonObject, version: &RoomVersion) -> Result<OwnedEventId> {
    use ruma::room_version_rules::EventIdFormatVersion::V1;
    let id = if version.rules.event_id_format == V1 {
        text(object, "event_id")?.to_owned()
    } else {
        let hash = reference_hash(object, &version.rules)
            .map_err(|cause| Error::new(Code::BadJson, "The event cannot be hashed.").because(cause))?;
        format!("${hash}")
    };
    EventId::parse(id).map_err(|_| malformed("event_id"))
}

impl ruma::state_res::Event for Pdu {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        &self.event_id
    }
    fn room_id(&self) -> Option<&RoomId> {
        // The create event whose hash is the room's id cannot carry that id itself.
        let hash = self.event_id.as_str().get(1..);
        let derived = self.kind == TimelineEventType::RoomCreate && self.room_id.as_str().get(1..) == hash;
        (!derived).then_some(&self.room_id)
    }
    fn sender(&self) -> &UserId {
        &self.sender
    }
    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        let ms = u64::try_from(self.origin_server_ts).unwrap_or(0);
        MilliSecondsSinceUnixEpoch(ruma::UInt::new_saturating(ms))
    }
    fn event_type(&self) -> &TimelineEventType {
        &self.kind
    }
    fn content(&self) -> &RawValue {
        &self.content
    }
    fn state_key(&self) -> Option<&str> {
        self.state_key.as_deref()
    }
    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.prev_events.iter())
    }
    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.auth_events.iter())
    }
    fn redacts(&self) -> Option<&Self::Id> {
        self.redacts.as_ref()
    }
    fn rejected(&self) -> bool {
        self.rejected
    }
}
