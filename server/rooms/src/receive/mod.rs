//! Events of other servers: from their JSON to the rows that keep them.
//!
//! [`Receiver::receive`] checks form, signatures and hashes ([`check`]), fetches what is missing
//! ([`peers`], [`gather`]), authorises, resolves state and moves the room on ([`settle`]), and says
//! what became of each event. [`rows`] makes the change of it. No IO may enter but through the
//! traits [`Archive`], [`Peers`] and [`Keys`]; nothing here writes.

pub mod archive;
mod batch;
pub mod check;
pub mod gather;
pub mod peers;
pub mod record;
mod redact;
pub mod rows;
pub mod settle;

pub use archive::{Archive, Awaited, Found, Known, Remembered};
pub use check::Keys;
pub use gather::Limits;
pub use peers::{Nobody, Peers, StateIds};
pub use record::{Outcome, Received};

use crate::chain::Judge;
use crate::head::Head;
use batch::Batch;
use gather::Gathering;
use kontor_model::{Code, Ms, Result};
use kontor_store::rooms::chain_reads::Why;
use ruma::{CanonicalJsonObject, OwnedEventId};
use settle::{Item, Origin};
use std::collections::{HashMap, HashSet};

/// Receives events of other servers into one room.
pub struct Receiver<'a> {
    /// What is known of the room. Everything that the head stands on must be in it.
    pub archive: &'a dyn Archive,
    /// Whom to ask for what is missing.
    pub peers: &'a dyn Peers,
    /// Who knows the keys of servers.
    pub keys: &'a dyn Keys,
    /// Tells which events are news.
    pub judge: &'a dyn Judge,
    /// How much may be fetched.
    pub limits: Limits,
}

impl Receiver<'_> {
    /// Receives events in the order in which they were sent. What is wrong with one is its outcome,
    /// not an error.
    ///
    /// # Errors
    /// `Unavailable` or `Internal` when the archive or the keys cannot be read; then nothing happened.
    pub async fn receive(&self, head: &Head, events: Vec<CanonicalJsonObject>, now: Ms) -> Result<Received> {
        let mut batch = Batch::new(self.archive, head);
        let mut gathering = Gathering {
            items: HashMap::new(),
            order: Vec::new(),
            peers: self.peers,
            keys: self.keys,
            limits: self.limits,
        };
        let mut sent = Vec::new();
        for object in events {
            sent.push(self.take(head, object, &mut gathering).await?);
        }
        self.sift(&mut batch, &mut gathering, &mut sent).await?;
        gathering.fetch(&mut batch).await?;
        let order = gathering.sorted();
        batch.awaited = self.archive.awaited(&order).await?;
        let mut settled: HashMap<OwnedEventId, Outcome> = HashMap::new();
        for id in order {
            let Some(item) = gathering.items.remove(&id) else { continue };
            let outcome = batch.settle(item, self.judge, now).await?;
            settled.insert(id, outcome);
        }
        for (id, outcome) in &mut sent {
            if let Some(found) = id.as_ref().and_then(|id| settled.get(id)) {
                *outcome = found.clone();
            }
        }
        Ok(finish(batch, head.revision, sent))
    }

    /// Checks one event; its outcome stands until it is settled.
    async fn take(
        &self,
        head: &Head,
        object: CanonicalJsonObject,
        gathering: &mut Gathering<'_>,
    ) -> Result<(Option<OwnedEventId>, Outcome)> {
        match check::check(object, &head.room_id, &head.version, self.keys).await {
            Ok(signed) => {
                let id = signed.pdu.event_id.clone();
                if !gathering.items.contains_key(&id) {
                    gathering.push(signed);
                }
                Ok((Some(id), Outcome::Dropped("it stands on itself".to_owned())))
            }
            Err(error) if matches!(error.code, Code::Internal | Code::Unavailable) => Err(error),
            Err(error) => Ok((None, Outcome::Dropped(format!("{error:?}")))),
        }
    }

    /// Puts aside what is known already.
    async fn sift(
        &self,
        batch: &mut Batch<'_>,
        gathering: &mut Gathering<'_>,
        sent: &mut [(Option<OwnedEventId>, Outcome)],
    ) -> Result<()> {
        batch.load(&gathering.order).await?;
        for (id, outcome) in sent {
            let Some(id) = id else { continue };
            match batch.loaded(id) {
                Some(known) if known.is_settled() => {
                    gathering.items.remove(id);
                    *outcome = Outcome::Known;
                }
                // Fetched before to authorise others; now it comes as an event of the room.
                Some(known) => {
                    let (pdu, origin) = (known.pdu.clone(), Origin::Archive(known.clone()));
                    let item = Item { pdu, origin, auth_only: false, claimed: None, pushed: true };
                    gathering.items.insert(id.clone(), item);
                }
                None if batch.elsewhere.contains(id) => {
                    gathering.items.remove(id);
                    *outcome = Outcome::Dropped("an event of another room has this id".to_owned());
                }
                None => {}
            }
        }
        Ok(())
    }
}

fn finish(batch: Batch<'_>, from: i64, outcomes: Vec<(Option<OwnedEventId>, Outcome)>) -> Received {
    batch.remember_ends();
    // What was only fetched to authorise others is still waited for as an event of the room.
    let settled = batch.records.iter().filter(|record| record.standing != record::Standing::Fetched);
    let new: HashSet<_> = settled.map(|record| record.known.pdu.event_id.clone()).collect();
    let came = batch.awaited.iter().map(|row| row.event_id.clone()).filter(|id| new.contains(id));
    let mut came: Vec<_> = came.collect();
    came.sort();
    came.dedup();
    let gaps = batch.gaps.iter().filter(|(id, _)| !new.contains(id));
    let mut awaits: Vec<_> = gaps.map(|(id, by)| (id.clone(), Why::Follower, *by)).collect();
    awaits.extend(batch.redactions_waiting());
    Received {
        outcomes,
        from,
        head: batch.head,
        records: batch.records,
        snapshots: batch.snapshots,
        redactions: batch.redactions,
        awaits,
        came,
    }
}
