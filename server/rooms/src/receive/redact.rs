//! Redactions of other servers: which take effect, whichever of the two events comes first.

use super::archive::Known;
use super::batch::{Batch, StateAt};
use super::record::Redaction;
use crate::head::{Head, StateMap};
use crate::powers::{Act, Powers};
use kontor_model::{Error, Pdu, Result, RoomVersion, json};
use kontor_store::rooms::chain_reads::Why;
use ruma::canonical_json::redact_content_in_place;
use ruma::events::TimelineEventType;
use ruma::{CanonicalJsonObject, OwnedEventId};
use std::sync::Arc;

impl Batch<'_> {
    /// Applies what an event that was just settled redacts, and what redacts it. `before` is the
    /// state before it if it was accepted: a redaction that was not has no effect.
    pub(super) async fn redact(&mut self, id: &OwnedEventId, before: Option<&StateAt>) -> Result<()> {
        let Some(event) = self.loaded(id).cloned() else { return Ok(()) };
        if let (Some(before), Some(target)) = (before, redacts(&event.pdu)) {
            match self.find(&target).await? {
                Some(target) => self.apply(&event, &target, &before.state)?,
                None if self.elsewhere.contains(&target) => {}
                None => self.redactions_ahead.entry(target).or_default().push(id.clone()),
            }
        }
        for redaction in self.redactions_ahead.remove(id).unwrap_or_default() {
            self.apply_known(&redaction, id).await?;
        }
        let waiting = |row: &&super::archive::Awaited| row.why == Why::Redaction && row.event_id == *id;
        let by: Vec<_> = self.awaited.iter().filter(waiting).map(|row| row.by).collect();
        for redaction in self.archive.by_nids(&by).await? {
            if redaction.ord.is_some() {
                let redaction_id = redaction.pdu.event_id.clone();
                self.load([&redaction_id]).await?;
                self.apply_known(&redaction_id, id).await?;
            }
        }
        Ok(())
    }

    async fn apply_known(&mut self, redaction: &OwnedEventId, target: &OwnedEventId) -> Result<()> {
        let (Some(redaction), Some(target)) = (self.find(redaction).await?, self.find(target).await?) else {
            return Ok(());
        };
        // A redaction is no state event: the state after it is that before it.
        let Some(at) = self.after(&redaction.pdu.event_id).await? else { return Ok(()) };
        self.apply(&redaction, &target, &at.state)
    }

    fn apply(&mut self, redaction: &Known, target: &Arc<Known>, before: &Arc<StateMap>) -> Result<()> {
        if target.redacted || !may_redact(&self.head, &redaction.pdu, &target.pdu, before) {
            return Ok(());
        }
        let left = what_is_left(&target.pdu, &self.head.version)?;
        let mut known = (**target).clone();
        let pdu = Arc::make_mut(&mut known.pdu);
        pdu.content = serde_json::from_str(&left).map_err(Error::internal)?;
        known.redacted = true;
        if let Some((key, entry)) = known.entry()
            && self.head.state.get(&key).is_some_and(|current| current.nid == entry.nid)
        {
            Arc::make_mut(&mut self.head.state).insert(key, entry);
        }
        self.learn(Arc::new(known), None);
        self.redactions.push(Redaction { target: target.nid, by: redaction.nid, left });
        Ok(())
    }

    /// Redactions of this batch that are still waiting for their target.
    pub(super) fn redactions_waiting(&self) -> Vec<(OwnedEventId, Why, i64)> {
        let nid = |id: &OwnedEventId| self.loaded(id).map(|known| known.nid);
        let rows = self.redactions_ahead.iter().flat_map(|(target, by)| {
            by.iter().filter_map(move |by| Some((target.clone(), Why::Redaction, nid(by)?)))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    }
}

fn redacts(pdu: &Pdu) -> Option<OwnedEventId> {
    (pdu.kind == TimelineEventType::RoomRedaction && pdu.state_key.is_none()).then(|| pdu.redacts.clone())?
}

/// Whether an accepted redaction takes effect (room version 3, "Handling redactions"). In versions
/// 1 and 2 the authorisation rules have decided that already.
fn may_redact(head: &Head, redaction: &Pdu, target: &Pdu, before: &Arc<StateMap>) -> bool {
    if redaction.room_id != target.room_id {
        return false;
    }
    let decided = head.version.rules.authorization.special_case_room_redaction;
    let own_server = redaction.sender.server_name() == target.sender.server_name();
    let powers = || Powers::of(&Head { state: Arc::clone(before), ..head.clone() });
    decided || own_server || powers().may(redaction.sender.as_str(), Act::Redact)
}

/// What redaction leaves of an event's content, canonical JSON.
fn what_is_left(pdu: &Pdu, version: &RoomVersion) -> Result<String> {
    let mut content: CanonicalJsonObject =
        serde_json::from_str(pdu.content.get()).map_err(Error::internal)?;
    redact_content_in_place(&mut content, &version.rules.redaction, pdu.kind.to_string());
    json::to_canonical(&content)
}
