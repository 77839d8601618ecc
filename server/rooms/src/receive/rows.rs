//! The rows that keep what was received.

use super::record::{Received, Record, Redaction, Standing, Turn};
use crate::chain::{Accepted, relation};
use crate::head::Head;
use kontor_model::{Error, Nid, Result};
use kontor_store::rooms::events::{NewEvent, NewMembership};
use kontor_store::rooms::received::Standing as StandingRow;
use kontor_store::{Change, RoomStep, Stream, Value};
use ruma::events::TimelineEventType;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What is to be written, and what will be there then.
pub struct Written {
    /// The change.
    pub change: Change,
    /// Where the room will stand.
    pub head: Head,
    /// Events that are news, in order.
    pub accepted: Vec<Accepted>,
}

impl Received {
    /// The change that keeps it all. A room that moved meanwhile, or an event that another process
    /// received at the same moment, refuses it as a whole. With `forget_on_leave`, the setting of that
    /// name, whoever leaves by it, or is removed, has forgotten the room at once.
    ///
    /// # Errors
    /// `Internal` for what cannot be written as JSON, which would be a defect.
    pub fn into_change(self, forget_on_leave: bool) -> Result<Written> {
        let mut change = Change::default();
        let room = self.head.room;
        for layer in &self.snapshots {
            change.add_snapshot(room, layer)?;
        }
        let redacted: HashMap<Nid, &Redaction> =
            self.redactions.iter().map(|redaction| (redaction.target, redaction)).collect();
        let mut net: BTreeMap<(String, Nid), Option<Nid>> = BTreeMap::new();
        let mut accepted = Vec::new();
        for record in &self.records {
            let pos = (record.standing == Standing::Accepted).then(|| place(&mut change, room, record));
            let content =
                write(&mut change, room, record, pos.clone(), redacted.get(&record.known.nid).copied())?;
            if let Some(pos) = pos {
                turns(&mut change, room, record, &pos, &mut net);
                let (nid, pdu) = (record.known.nid, Arc::clone(&record.known.pdu));
                accepted.push(Accepted { nid, pdu, pos, content });
            }
        }
        for ((kind, key), event) in net {
            match event {
                Some(event) => change.put_state(room, &kind, key, event),
                None => change.drop_state(room, &kind, key),
            }
        }
        let added = |nid| self.records.iter().any(|r| r.known.nid == nid && r.parts.is_some());
        for redaction in &self.redactions {
            if added(redaction.target) {
                change.redact_added(redaction.target, redaction.by);
            } else {
                change.redact_event(redaction.target, redaction.by, &redaction.left);
            }
        }
        for id in &self.came {
            change.event_came(room, id.as_str());
        }
        for (id, why, by) in &self.awaits {
            change.await_event(room, id.as_str(), *why, *by);
        }
        step(&mut change, &self, &accepted)?;
        if forget_on_leave {
            change.forget_leavers();
        }
        Ok(Written { change, head: self.head, accepted })
    }
}

fn place(change: &mut Change, room: Nid, record: &Record) -> Value {
    let member = record.known.pdu.kind == TimelineEventType::RoomMember;
    change.position(Stream::Event, Some(room), record.known.key.filter(|_| member))
}

/// Writes one event; returns its content as it is kept.
fn write(
    change: &mut Change,
    room: Nid,
    record: &Record,
    pos: Option<Value>,
    redaction: Option<&Redaction>,
) -> Result<String> {
    let (known, pdu) = (&record.known, &record.known.pdu);
    let Some(parts) = &record.parts else {
        change.settle_event(StandingRow {
            event: known.nid,
            pos,
            snapshot: known.snapshot,
            replaces: record.replaces,
            rejected: pdu.rejected,
            soft_failed: known.soft_failed,
            notifies: record.notifies,
        });
        return Ok(pdu.content.get().to_owned());
    };
    let content = redaction.map_or(parts.content.as_str(), |redaction| redaction.left.as_str());
    let relation = relation(content);
    change.add_event(NewEvent {
        event: known.nid,
        event_id: pdu.event_id.as_str(),
        room,
        pos: pos.clone(),
        ord: pos,
        depth: pdu.depth,
        kind: &pdu.kind.to_string(),
        sender: record.sender,
        state_key: known.key,
        replaces: record.replaces,
        snapshot: known.snapshot,
        origin_ts: pdu.origin_server_ts,
        received_ts: record.received_ts,
        retention_ts: record.retention_ts,
        rejected: pdu.rejected,
        soft_failed: known.soft_failed,
        relation: relation.as_ref().map(|(id, how)| (id.as_str(), how.as_str())),
        notifies: record.notifies,
        skeleton: parts.skeleton.clone(),
        content,
        extra: parts.extra.as_deref().filter(|_| redaction.is_none()),
    });
    Ok(content.to_owned())
}

/// Writes what an event changed in the current state, and in memberships.
fn turns(
    change: &mut Change,
    room: Nid,
    record: &Record,
    pos: &Value,
    net: &mut BTreeMap<(String, Nid), Option<Nid>>,
) {
    for turn in &record.turns {
        let event = turn.new.as_ref().map(|entry| entry.nid);
        change.turn_state(room, &turn.kind, turn.key(), event, pos.clone());
        net.insert((turn.kind.clone(), turn.key()), event);
        if turn.kind == "m.room.member" {
            membership(change, room, record, turn, pos);
        }
    }
}

fn membership(change: &mut Change, room: Nid, record: &Record, turn: &Turn, pos: &Value) {
    // Resolution took the member out: to the member it is as if they had left.
    let left = || turn.old.as_ref().map(|entry| (entry.nid, "leave".to_owned()));
    let now = turn.new.as_ref().and_then(|entry| Some((entry.nid, entry.pdu.membership()?)));
    let Some((event, membership)) = now.or_else(left) else { return };
    let user = turn.key();
    let sender = turn.sender;
    change.set_membership(NewMembership {
        room,
        user,
        membership: &membership,
        event,
        pos: pos.clone(),
        sender,
    });
    if record.known.key != Some(user) {
        // The event itself wakes its own target; the others must be told as well.
        change.position(Stream::Event, Some(room), Some(user));
    }
}

fn step(change: &mut Change, received: &Received, accepted: &[Accepted]) -> Result<()> {
    let head = &received.head;
    let Some(last) = accepted.last() else {
        if let Some(snapshot) = head.snapshot.filter(|_| !received.snapshots.is_empty()) {
            change.newest_snapshot(head.room, snapshot);
        }
        return Ok(());
    };
    change.step(RoomStep {
        room: head.room,
        from: received.from,
        to: head.revision,
        depth: head.depth,
        extremities: serde_json::to_string(&head.extremities).map_err(Error::internal)?,
        last_ord: last.pos.clone(),
        linear: head.linear,
        snapshot: head.snapshot,
    });
    Ok(())
}
