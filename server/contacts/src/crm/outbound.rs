//! What a CRM is told of a contact: the contact as it is when it is told.

use super::{Mapping, Record, Values, decide, digest};
use crate::Contacts;
use kontor_model::{Error, Result};
use kontor_store::Change;
use kontor_store::contacts::cards;
use kontor_store::contacts::crm::{self, Agreed, ConnectorRow, LinkedRow, OutboxRow};
use kontor_store::contacts::crm_acts::ActRow;
use kontor_store::contacts::links::LinkKey;
use kontor_store::contacts::queue::Reader;

/// A contact that a CRM is to be told of.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The contact.
    pub contact: String,
    /// What it shows, by our fields.
    pub values: Values,
    /// The records that it is there; several when contacts were merged here and not there.
    pub links: Vec<LinkedRow>,
    /// Whether it is somebody whom a CRM should know: no visitor, no line.
    pub is_known: bool,
}

impl Contacts {
    /// A contact as a CRM is to be told of it now.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn outgoing(&self, connector: &ConnectorRow, row: &OutboxRow) -> Result<Option<Outgoing>> {
        let mut source = self.store.reader();
        let Some(contact) = cards::by_id(&mut source, Reader { user: 0, admin: true }, &row.contact).await?
        else {
            return Ok(None);
        };
        let links = crm::linked_to(&mut source, &connector.system, &row.contact).await?;
        let values = self.values_of(&row.contact).await?;
        // Of whom the record was merged away there, no new one is made.
        let gone = crm::is_merged_away(&mut source, &connector.system, &row.contact).await?;
        let is_known = contact.kind == "person" && contact.stage != "visitor" && !values.is_empty() && !gone;
        Ok(Some(Outgoing { contact: contact.id, values, links, is_known }))
    }

    /// Whether a contact still says what both agreed on about its record: then there is nothing to be told, and nobody
    /// needs to be asked. What changed there is read by itself.
    ///
    /// # Errors
    /// `Internal` when the archive's mapping is none.
    pub fn is_agreed(&self, connector: &ConnectorRow, outgoing: &Outgoing) -> Result<bool> {
        let ([link], mapping) = (outgoing.links.as_slice(), Mapping::of(connector)?) else {
            return Ok(false);
        };
        let base = super::inbound::base(link)?;
        let fates = decide::all(&mapping, &base, &outgoing.values, &base);
        Ok(link.base.is_some() && link.seen.is_some() && fates == decide::Fates::default())
    }

    /// What is to be written into a record, by their fields, and the change for what is to be decided by a person.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_sending(
        &self,
        connector: &ConnectorRow,
        outgoing: &Outgoing,
        record: &Record,
    ) -> Result<(Values, Change)> {
        let mapping = Mapping::of(connector)?;
        let theirs = mapping.ours(record);
        let link = outgoing.links.iter().find(|link| link.external_id == record.id);
        let base = link.map(super::inbound::base).transpose()?.unwrap_or_default();
        let fates = decide::all(&mapping, &base, &outgoing.values, &theirs);
        let mut change = Change::default();
        for (field, own, other) in &fates.ask {
            let detail =
                serde_json::json!({ "external_id": record.id, "field": field, "ours": own, "theirs": other });
            let subject = format!("{} {field}", record.id);
            self.add_task_about(
                &mut change,
                &connector.system,
                "conflict",
                &subject,
                Some(&outgoing.contact),
                &detail,
            )
            .await?;
        }
        if outgoing.links.len() > 1 {
            self.ask_to_merge(&mut change, connector, outgoing).await?;
        }
        Ok((mapping.theirs(&fates.send), change))
    }

    /// Contacts were merged here: a person is asked to merge the records there, since that can often not be undone.
    async fn ask_to_merge(
        &self,
        change: &mut Change,
        connector: &ConnectorRow,
        outgoing: &Outgoing,
    ) -> Result<()> {
        let mapping = Mapping::of(connector)?;
        let ids: Vec<&str> = outgoing.links.iter().map(|link| link.external_id.as_str()).collect();
        let links: Vec<String> = ids.iter().map(|id| record_link(connector, &mapping, id)).collect();
        let detail = serde_json::json!({ "external_ids": ids, "links": links });
        self.add_task_about(
            change,
            &connector.system,
            "please_merge",
            &outgoing.contact,
            Some(&outgoing.contact),
            &detail,
        )
        .await
    }

    /// Plans what is known of a record after it was written, or found to be the contact: the link, and what both agree
    /// on as far as both say it.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub fn plan_written(
        &self,
        connector: &ConnectorRow,
        outgoing: &Outgoing,
        record: &Record,
        wrote: bool,
    ) -> Result<Change> {
        let mapping = Mapping::of(connector)?;
        let (now, mut change) = (self.now(), Change::default());
        let key = (connector.system.as_str(), mapping.external_type.as_str(), record.id.as_str());
        let theirs = mapping.ours(record);
        let known = outgoing.links.iter().find(|link| link.external_id == record.id);
        let mut agreed = known.map(super::inbound::base).transpose()?.unwrap_or_default();
        let fates = decide::all(&mapping, &agreed, &outgoing.values, &theirs);
        let open = |field: &String| {
            fates.ask.iter().any(|(asked, ..)| asked == field)
                || fates.take.contains_key(field)
                || fates.send.contains_key(field)
        };
        for (field, value) in theirs.iter().filter(|(field, _)| !open(field)) {
            agreed.insert(field.clone(), value.clone());
        }
        change.add_link(
            LinkKey { system: key.0, external_type: key.1, external_id: key.2 },
            &outgoing.contact,
            now,
        );
        let digest = digest(&theirs);
        let base = serde_json::to_string(&agreed).map_err(Error::internal)?;
        // What is yet to be taken from it is not seen yet.
        let version = if fates.take.is_empty() { record.version.as_str() } else { "" };
        let written = (wrote && fates.take.is_empty()).then_some(digest.as_str());
        change.agree(Agreed { key, version, written, base: &base, now });
        Ok(change)
    }

    /// Plans that a CRM is told no more of a contact, and why.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_giving_up(
        &self,
        row: &OutboxRow,
        kind: &'static str,
        why: &serde_json::Value,
    ) -> Result<Change> {
        let mut change = Change::default();
        change.crm_given_up(row, kind);
        self.add_task_about(&mut change, &row.system, kind, &row.contact, Some(&row.contact), why).await?;
        Ok(change)
    }
}

impl Contacts {
    /// Plans that a linked record is there no more: a person says what became of it, unless the contact has another one
    /// there, which then is it. Says whether there is another one.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_gone(
        &self,
        change: &mut Change,
        connector: &ConnectorRow,
        outgoing: &Outgoing,
        link: &LinkedRow,
    ) -> Result<bool> {
        let mapping = Mapping::of(connector)?;
        let id = link.external_id.as_str();
        let key = (connector.system.as_str(), mapping.external_type.as_str(), id);
        let other = outgoing.links.iter().find(|other| other.external_id != link.external_id);
        if let Some(other) = other {
            change.merged_there(key, &other.external_id, link.seen.as_deref().unwrap_or_default());
            return Ok(true);
        }
        let detail = serde_json::json!({ "external_id": id, "link": record_link(connector, &mapping, id) });
        self.add_task(change, key, "gone", Some(&outgoing.contact), &detail).await?;
        Ok(false)
    }

    /// Plans that a CRM is told no more of what was done with a contact, and why.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_giving_up_act(&self, system: &str, row: &ActRow, why: &str) -> Result<Change> {
        let mut change = Change::default();
        change.crm_act_given_up(system, &row.item, why);
        let detail = serde_json::json!({ "why": why, "timeline": true });
        let subject = format!("timeline {}", row.contact);
        self.add_task_about(&mut change, system, "given_up", &subject, Some(&row.contact), &detail).await?;
        Ok(change)
    }
}

/// Where people see a record.
fn record_link(connector: &ConnectorRow, mapping: &Mapping, id: &str) -> String {
    match connector.kind.as_str() {
        "espocrm" => format!("{}/#{}/view/{id}", connector.url, mapping.external_type),
        _ => format!("{}/{}/{id}", connector.url, mapping.external_type),
    }
}
