//! Reading what changed in a CRM.

use super::{Crm, Cursor, Trouble, wait};
use crate::Flows;
use kontor_contacts::crm::Record;
use kontor_model::{Code, Error, Ms, Result};
use kontor_store::Change;
use kontor_store::contacts::crm::ConnectorRow;

/// Pages of a round.
const PAGES: usize = 20;
/// How far back is looked each time: clocks differ, and what is being written there has no moment yet.
const OVERLAP: Ms = 120_000;
/// How often it is tried anew when others decide by the same at the same moment.
const TRIES: usize = 20;

impl Flows {
    /// Reads what changed since the last time, if it is time to.
    pub(super) async fn pull(&self, crm: &dyn Crm, connector: &ConnectorRow) -> Result<()> {
        let now = self.clock.now();
        if connector.next_ts > now {
            return Ok(());
        }
        let (was, mut newest) = (connector.next_ts, connector.cursor.clone());
        // What was seen is known by its version and costs nothing but its way.
        let mut after = Cursor { ts: (newest.0 - OVERLAP).max(0), id: String::new() };
        for _ in 0..PAGES {
            let page = match crm.pull(connector, &after).await {
                Ok(page) => page,
                Err(trouble) => return self.pull_failed(connector, trouble, now).await,
            };
            for record in &page.records {
                self.take_record(connector, record).await?;
            }
            let Some(last) = page.records.last() else { break };
            let next = Cursor { ts: last.ts, id: last.id.clone() };
            let moves = (next.ts, &next.id) > (after.ts, &after.id);
            newest = newest.max((next.ts, next.id.clone()));
            after = next;
            let mut change = Change::default();
            change.crm_read(&connector.system, (newest.0, &newest.1), 0, (was, was));
            self.store.submit(change).await?;
            // A CRM that gives the same page again must not keep us here.
            if !page.more || !moves {
                break;
            }
        }
        let mut change = Change::default();
        change.crm_read(&connector.system, (newest.0, &newest.1), 0, (was, now + crm.limits().every));
        self.store.submit(change).await.map(|_| ())
    }

    async fn pull_failed(&self, connector: &ConnectorRow, trouble: Trouble, now: Ms) -> Result<()> {
        let (after, why) = match trouble {
            Trouble::Later(after, why) => (after, why),
            Trouble::Never(why) => (None, why),
            Trouble::Moved | Trouble::Candidates(_) => {
                (None, "an answer that reading cannot have".to_owned())
            }
        };
        if connector.failures == 0 {
            tracing::warn!(connector.system = %connector.system, error.message = %why, "A CRM could not be read; trying again.");
        }
        let next = now + after.unwrap_or(0).clamp(wait(connector.failures), super::LONGEST_WAIT);
        let mut change = Change::default();
        let cursor = (connector.cursor.0, connector.cursor.1.as_str());
        change.crm_read(&connector.system, cursor, connector.failures + 1, (connector.next_ts, next));
        self.store.submit(change).await.map(|_| ())
    }

    /// Does what follows from a record.
    pub(super) async fn take_record(&self, connector: &ConnectorRow, record: &Record) -> Result<()> {
        for _ in 0..TRIES {
            let followed = match self.contacts.plan_record(connector, record).await {
                Err(error) if error.is_conflict() => continue,
                outcome => outcome?,
            };
            if followed.change.is_empty() {
                return Ok(());
            }
            let done = self.store.submit(followed.change).await;
            if followed.paused && done.is_ok() {
                tracing::error!(
                    connector.system = %connector.system,
                    "A record of a CRM changes again and again and is left alone for an hour: another program answers \
                     its changes. See the connector's tasks."
                );
            }
            match done {
                Err(error) if error.is_conflict() => continue,
                outcome => outcome?,
            };
            if let Some(contact) = &followed.renamed {
                self.relabel(contact).await;
            }
            return Ok(());
        }
        Err(Error::new(Code::Unavailable, "Many changes concern the same contact at this moment."))
    }
}
