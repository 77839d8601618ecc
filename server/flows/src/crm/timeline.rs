//! Telling a CRM what employees did with customers: a line for each act, on the record of the contact, at least once.

use super::push::TRIES;
use super::{Crm, Item, Trouble, wait};
use crate::Flows;
use kontor_contacts::crm::Mapping;
use kontor_model::Result;
use kontor_store::Change;
use kontor_store::contacts::crm::{self, ConnectorRow};
use kontor_store::contacts::crm_acts::{self, ActRow};

/// What became of telling an act.
enum Ended {
    /// It is told, or needs not be.
    Told,
    /// The contact is to be told of first.
    Awaited,
    /// It is not told now, or never.
    Trouble(Trouble),
}

impl Flows {
    /// Tells a CRM of acts, until it does not take one.
    pub(super) async fn tell_acts(&self, speaks: &dyn Crm, connector: &ConnectorRow) -> Result<()> {
        if !Mapping::of(connector)?.timeline {
            return Ok(());
        }
        let (now, system) = (self.clock.now(), connector.system.as_str());
        let due = crm_acts::due(&mut self.store.reader(), system, now, speaks.limits().writes).await?;
        for row in &due {
            let mut change = Change::default();
            let mut goes_on = true;
            match self.tell_act(speaks, connector, row).await? {
                Ended::Told => change.crm_act_told(system, &row.item),
                Ended::Awaited if row.attempt + 1 < TRIES => {
                    change.crm_act_later(system, &row.item, now + wait(row.attempt));
                }
                Ended::Awaited => change.crm_act_told(system, &row.item),
                Ended::Trouble(Trouble::Later(after, why)) if row.attempt + 1 < TRIES => {
                    if row.attempt == 0 {
                        tracing::warn!(connector.system = %system, error.message = %why, "A CRM did not take what was done with a customer; trying again.");
                    }
                    let after = after.unwrap_or(0).clamp(wait(row.attempt), super::LONGEST_WAIT);
                    change.crm_act_later(system, &row.item, now + after);
                    goes_on = false;
                }
                Ended::Trouble(trouble) => {
                    let why = match trouble {
                        Trouble::Later(_, why) | Trouble::Never(why) => why,
                        Trouble::Moved | Trouble::Candidates(_) => "an unexpected answer".to_owned(),
                    };
                    tracing::error!(connector.system = %system, contact.id = %row.contact, error.message = %why, "A CRM does not take what was done with a customer: it is given up. See the connector's tasks.");
                    change = self.contacts.plan_giving_up_act(system, row, &why).await?;
                }
            }
            self.store.submit(change).await?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    async fn tell_act(&self, speaks: &dyn Crm, connector: &ConnectorRow, row: &ActRow) -> Result<Ended> {
        let Some(text) = self.contacts.act_line(row) else { return Ok(Ended::Told) };
        let system = connector.system.as_str();
        let links = crm::linked_to(&mut self.store.reader(), system, &row.contact).await?;
        let Some(link) = links.first() else {
            // Whom the CRM does not know, and is not about to, it is told nothing of.
            let awaited = crm_acts::is_awaited(&mut self.store.reader(), system, &row.contact).await?;
            return Ok(if awaited { Ended::Awaited } else { Ended::Told });
        };
        let item = Item { idempotency_key: &row.item, text: &text, ts: row.ts };
        match speaks.timeline_append(connector, &link.external_id, item).await {
            Ok(()) => Ok(Ended::Told),
            Err(trouble) => Ok(Ended::Trouble(trouble)),
        }
    }
}
