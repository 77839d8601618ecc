//! The nightly comparison of all linked records with the contacts that they are: what differs is told again, and counted.

use super::Crm;
use crate::Flows;
use kontor_contacts::crm::{Mapping, decide};
use kontor_model::{Error, Result};
use kontor_store::Change;
use kontor_store::contacts::crm::{self, ConnectorRow, LinkedRow, OutboxRow};
use serde::{Deserialize, Serialize};

/// Records of a round.
const STEP: i64 = 20;
/// A day, milliseconds.
const DAY: i64 = 86_400_000;

/// What a comparison found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Figures {
    /// Records that were looked at.
    looked_at: u64,
    /// Records that say what the contact says.
    same: u64,
    /// Records that do not: they are told again, or a person decides.
    differ: u64,
    /// Records that are there no more.
    gone: u64,
    /// Records that could not be read.
    unread: u64,
    /// Whether all were looked at.
    done: bool,
}

impl Flows {
    /// Compares some records, once a day each.
    pub(super) async fn compare(&self, crm: &dyn Crm, connector: &ConnectorRow) -> Result<()> {
        let (now, system) = (self.clock.now(), connector.system.as_str());
        let today = now / DAY;
        if connector.compared_day >= today {
            return Ok(());
        }
        let after = connector.compared.as_deref().unwrap_or_default();
        let links = crm::linked_after(&mut self.store.reader(), system, after, STEP).await?;
        let last = crm::reports(&mut self.store.reader(), system, 1).await?.pop();
        let mut figures = match last {
            Some((day, told)) if day == today && connector.compared.is_some() => {
                serde_json::from_str(&told).map_err(Error::internal)?
            }
            _ => Figures::default(),
        };
        let mut change = Change::default();
        for link in &links {
            self.compare_one(crm, connector, link, &mut figures, &mut change).await?;
        }
        let whole = links.len() < usize::try_from(STEP).unwrap_or_default();
        figures.done = whole;
        let at = links.last().filter(|_| !whole).map(|link| link.external_id.as_str());
        change.crm_compared(connector, at, if whole { today } else { connector.compared_day });
        let told = serde_json::to_string(&figures).map_err(Error::internal)?;
        change.add_crm_report(system, today, &told, now);
        self.store.submit_bulk(change).await.map(|_| ())
    }

    async fn compare_one(
        &self,
        crm: &dyn Crm,
        connector: &ConnectorRow,
        link: &LinkedRow,
        figures: &mut Figures,
        change: &mut Change,
    ) -> Result<()> {
        figures.looked_at += 1;
        let row = OutboxRow {
            system: connector.system.clone(),
            contact: link.contact.clone(),
            written: link.contact.clone(),
            turn: 0,
            hop: 0,
            attempt: 0,
        };
        let Some(outgoing) = self.contacts.outgoing(connector, &row).await? else { return Ok(()) };
        match crm.get(connector, &link.external_id).await {
            Err(_) => figures.unread += 1,
            Ok(Some(record)) if !record.deleted => {
                let mapping = Mapping::of(connector)?;
                // What was agreed on is no matter here: all that counts is what both say.
                let theirs = mapping.ours(&record);
                let fates = decide::all(&mapping, &theirs, &outgoing.values, &theirs);
                if fates == decide::Fates::default() {
                    figures.same += 1;
                } else {
                    figures.differ += 1;
                    // A change can have left no trace: then the record is looked at as if it had not been seen.
                    let mut unseen = Change::default();
                    unseen.forget_seen(&connector.system, &link.external_id);
                    self.store.submit(unseen).await?;
                    self.take_record(connector, &record).await?;
                    change.tell_crm(&connector.system, &link.contact, self.clock.now());
                }
            }
            Ok(_) => {
                figures.gone += 1;
                self.contacts.plan_gone(change, connector, &outgoing, link).await?;
            }
        }
        Ok(())
    }
}
