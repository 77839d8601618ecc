//! Sending messages: once, however often the request comes.

use crate::Flows;
use crate::caller::Caller;
use crate::post::{Post, Rows, Txn, first};
use kontor_model::{Code, Draft, Error, Ms, Requester, Result, ids};
use kontor_store::rooms::{events, redaction, relations};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedEventId, RoomId};
use sha2::{Digest, Sha256};

/// How long a client's transaction id is remembered: 30 days.
const KEPT: Ms = 30 * 86_400_000;
/// As [`KEPT`], of an application service: its own queue may wait longer than anybody's patience.
const KEPT_OF_SERVICES: Ms = 180 * 86_400_000;

/// A message event to be sent.
#[derive(Debug)]
pub struct Message<'a> {
    /// Where.
    pub room_id: &'a RoomId,
    /// Event type.
    pub kind: &'a str,
    /// The client's name for this request.
    pub txn_id: &'a str,
    /// Content.
    pub content: CanonicalJsonObject,
}

/// A client's transaction: the same id below the same path means the same request.
///
/// `path` are the segments of the path that identify it, so that API versions make no difference.
pub(crate) fn transaction(by: &Caller<'_>, path: &[&str], txn_id: &str) -> Result<Txn> {
    ids::storable_key(txn_id, "transaction id")?;
    let mut digest = Sha256::new();
    for segment in path.iter().chain([&txn_id]) {
        // The length keeps segments apart, whatever they hold.
        digest.update((segment.len() as u64).to_be_bytes());
        digest.update(segment.as_bytes());
    }
    let Requester { user, device_id, service, .. } = by.requester;
    let (scope, kept) = match service {
        None => (device_id.to_string(), KEPT),
        Some(service) if device_id.as_str().is_empty() => (format!("as:{service}"), KEPT_OF_SERVICES),
        Some(service) => (format!("as:{service}/{device_id}"), KEPT_OF_SERVICES),
    };
    let digest = digest.finalize().to_vec();
    Ok(Txn { user: *user, scope, digest, txn_id: txn_id.to_owned(), kept })
}

impl Flows {
    /// Sends a message event; a repeated request answers the event of the first one.
    ///
    /// # Errors
    /// As [`Flows::post`]; `DuplicateAnnotation` for a second equal reaction.
    pub async fn send(&self, by: &Caller<'_>, message: Message<'_>) -> Result<OwnedEventId> {
        let Message { room_id, kind, txn_id, mut content } = message;
        let txn = transaction(by, &["send", room_id.as_str(), kind], txn_id)?;
        if kind == "m.room.redaction" {
            let target = kontor_rooms::redaction::take_target(&mut content)?;
            return self.redact_with(by, room_id, &target, content, Some(txn), None).await;
        }
        self.send_with(by, room_id, kind, content, Some(txn), None).await
    }

    /// Sends a message event other than a redaction, with rows that belong to the act.
    ///
    /// # Errors
    /// As [`Flows::send`].
    pub(crate) async fn send_with(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        kind: &str,
        content: CanonicalJsonObject,
        txn: Option<Txn>,
        rows: Option<Rows<'_>>,
    ) -> Result<OwnedEventId> {
        if let Some(annotation) = annotation(&content) {
            if let Some(txn) = &txn
                && let Some(sent) = self.already_sent(txn).await?
            {
                return Ok(sent);
            }
            if let Err(error) = self.check_annotation(by, room_id, kind, &annotation).await {
                // The same request, sent twice at once, may have given it just now.
                let sent = match &txn {
                    Some(txn) => self.already_sent(txn).await?,
                    None => None,
                };
                return sent.ok_or(error);
            }
        }
        self.check_thread(&content).await?;
        let draft = Draft::message(kind, content, by.requester.user_id.clone(), by.now);
        first(self.post(room_id, Post { drafts: vec![draft], txn, rows, ..Post::default() }).await?)
    }

    /// No thread begins at an event that relates to another one itself (client-server API,
    /// "Validation of m.thread relationships").
    async fn check_thread(&self, content: &CanonicalJsonObject) -> Result<()> {
        let Some(CanonicalJsonValue::Object(relation)) = content.get("m.relates_to") else { return Ok(()) };
        let text = |key: &str| relation.get(key).and_then(CanonicalJsonValue::as_str);
        let root = text("event_id").filter(|id| text("rel_type") == Some("m.thread") && !id.contains('\0'));
        let Some(root) = root else { return Ok(()) };
        if relations::relates(&mut self.store.reader(), root).await? {
            let error = "A thread cannot begin at an event that relates to another one.";
            return Err(Error::new(Code::Unprocessable, error));
        }
        Ok(())
    }

    /// The event that the same request made before.
    pub(crate) async fn already_sent(&self, txn: &Txn) -> Result<Option<OwnedEventId>> {
        let id = events::sent(&mut self.store.reader(), txn.user, &txn.scope, &txn.digest).await?;
        id.map(|id| OwnedEventId::try_from(id).map_err(Error::internal)).transpose()
    }

    async fn check_annotation(
        &self,
        by: &Caller<'_>,
        room_id: &RoomId,
        kind: &str,
        new: &Annotation,
    ) -> Result<()> {
        let (user, mut reader) = (by.requester.user, self.store.reader());
        let others = redaction::annotations(&mut reader, room_id.as_str(), &new.target, kind, user).await?;
        let same = |content: &Vec<u8>| {
            let content = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
            serde_json::from_slice(content)
                .ok()
                .as_ref()
                .and_then(annotation)
                .is_some_and(|old| old.key == new.key)
        };
        if others.iter().any(same) {
            return Err(Error::new(Code::DuplicateAnnotation, "You gave this reaction already."));
        }
        Ok(())
    }
}

/// A reaction: to which event, and what.
#[derive(Debug, PartialEq, Eq)]
struct Annotation {
    target: String,
    key: String,
}

fn annotation(content: &CanonicalJsonObject) -> Option<Annotation> {
    let CanonicalJsonValue::Object(relation) = content.get("m.relates_to")? else { return None };
    let text = |key: &str| relation.get(key).and_then(CanonicalJsonValue::as_str);
    if text("rel_type") != Some("m.annotation") {
        return None;
    }
    // An id with NUL cannot be asked for, and no event has one.
    let target = text("event_id").filter(|id| !id.contains('\0'))?;
    Some(Annotation { target: target.to_owned(), key: text("key")?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_annotations_are_compared() {
        let read = |text: &str| annotation(&serde_json::from_str(text).unwrap());
        let whole = r#"{"m.relates_to":{"rel_type":"m.annotation","event_id":"$e","key":"👍"}}"#;
        assert_eq!(read(whole), Some(Annotation { target: "$e".into(), key: "👍".into() }));
        for other in [
            "{}",
            r#"{"m.relates_to":1}"#,
            r#"{"m.relates_to":{"rel_type":"m.thread","event_id":"$e","key":"a"}}"#,
            r#"{"m.relates_to":{"rel_type":"m.annotation","event_id":"$e"}}"#,
            r#"{"m.relates_to":{"rel_type":"m.annotation","event_id":"\u0000","key":"a"}}"#,
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
