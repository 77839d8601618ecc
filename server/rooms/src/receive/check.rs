//! What an event must be before anybody asks whether it is allowed: of the room version's form,
//! signed by the servers that must sign it, and as it was hashed.

use async_trait::async_trait;
use kontor_model::{Error, Ms, Result, RoomVersion, SignedPdu, ids};
use ruma::canonical_json::redact;
use ruma::signatures::{PublicKeyMap, Verified, required_server_signatures_to_verify_event, verify_event};
use ruma::state_res::check_pdu_format;
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedServerName, RoomId};
use std::collections::BTreeSet;

/// Who knows the signing keys of servers.
#[async_trait]
pub trait Keys: Send + Sync {
    /// The keys of some servers, this one included. With a time, only keys that were valid then (since room version 5).
    /// A server whose keys cannot be had is left out.
    async fn keys(&self, servers: &BTreeSet<OwnedServerName>, valid_at: Option<Ms>) -> Result<PublicKeyMap>;
}

fn malformed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::bad_json("This is not an event of this room version.").because(cause)
}

/// Checks an event as it came and gives it its id. If the content is not what was hashed, what is
/// left is the redacted event (server-server API, "Validating hashes and signatures").
///
/// # Errors
/// `BadJson`, `InvalidParam` or `TooLarge` for what is no event of this room; `Forbidden` without
/// the signatures that it needs. Such an event is dropped: nothing of it is stored.
pub async fn check(
    mut object: CanonicalJsonObject,
    room_id: &RoomId,
    version: &RoomVersion,
    keys: &dyn Keys,
) -> Result<SignedPdu> {
    object.remove("unsigned");
    check_pdu_format(&object, &version.rules.event_format).map_err(malformed)?;
    let servers =
        required_server_signatures_to_verify_event(&object, &version.rules.signatures).map_err(malformed)?;
    let sent = match object.get("origin_server_ts") {
        Some(CanonicalJsonValue::Integer(ms)) => i64::from(*ms),
        _ => return Err(malformed("no valid origin_server_ts")),
    };
    let valid_at = version.rules.enforce_key_validity.then_some(sent);
    let known = keys.keys(&servers, valid_at).await?;
    let verified = verify_event(&known, &object, &version.rules).map_err(|cause| {
        Error::forbidden("The event is not signed by the servers that must sign it.").because(cause)
    })?;
    if verified == Verified::Signatures {
        object = redact(object, &version.rules.redaction, None).map_err(malformed)?;
    }
    let signed = SignedPdu::from_wire(object, version)?;
    storable(&signed, room_id)?;
    Ok(signed)
}

/// What the archive could not keep, or would file under another room.
fn storable(signed: &SignedPdu, room_id: &RoomId) -> Result<()> {
    let pdu = &signed.pdu;
    if pdu.room_id != room_id {
        return Err(Error::invalid_param("The event belongs to another room."));
    }
    ids::storable_key(pdu.event_id.as_str(), "event id")?;
    ids::storable_key(pdu.sender.as_str(), "sender")?;
    ids::storable_key(&pdu.kind.to_string(), "event type")?;
    ids::storable_key(pdu.state_key.as_deref().unwrap_or_default(), "state key")?;
    let mut named = pdu.prev_events.iter().chain(&pdu.auth_events).chain(&pdu.redacts);
    named.try_for_each(|id| ids::storable_key(id.as_str(), "event id"))
}
