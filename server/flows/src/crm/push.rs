//! Telling a CRM of contacts: each as it is then, at least once, with what makes a second time harmless.

use super::{Crm, Trouble, Writing, wait};
use crate::Flows;
use kontor_contacts::crm::{MOST_HOPS, Mapping, Outgoing, Record, Values, digest};
use kontor_model::{Ms, Result};
use kontor_store::Change;
use kontor_store::contacts::crm::{self, ConnectorRow, OutboxRow};
use serde_json::json;

/// How often a contact is told of before it is given up.
pub(super) const TRIES: i64 = 20;
/// Steps of a round.
const ROUNDS: usize = 20;

/// What became of telling.
enum Ended {
    /// It is told, or needs not be.
    Told(Change),
    /// Its record is there no more.
    Gone(Box<Outgoing>),
    /// A person has to look.
    Unclear(serde_json::Value),
    /// Not now.
    Later(Option<Ms>, String),
    /// Never.
    Never(String),
}

impl Flows {
    /// Tells a CRM of contacts that changed.
    pub(super) async fn push(&self, crm: &dyn Crm, connector: &ConnectorRow) -> Result<()> {
        for _ in 0..ROUNDS {
            if self.push_some(crm, connector).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn push_some(&self, crm: &dyn Crm, connector: &ConnectorRow) -> Result<usize> {
        let due =
            crm::due(&mut self.store.reader(), &connector.system, self.clock.now(), crm.limits().writes)
                .await?;
        for row in &due {
            let ended = self.tell_of(crm, connector, row).await?;
            let mut change = Change::default();
            match ended {
                Ended::Told(told) => {
                    change = told;
                    change.crm_told(row);
                }
                Ended::Gone(outgoing) => change = self.plan_gone(connector, row, &outgoing).await?,
                Ended::Unclear(detail) => {
                    change = self.contacts.plan_giving_up(row, "unclear", &detail).await?
                }
                Ended::Later(after, why) if row.attempt + 1 < TRIES => {
                    if row.attempt == 0 {
                        tracing::warn!(connector.system = %connector.system, error.message = %why, "A CRM did not take a contact; trying again.");
                    }
                    let after = after.unwrap_or(0).clamp(wait(row.attempt), super::LONGEST_WAIT);
                    change.crm_later(row, self.clock.now() + after);
                }
                Ended::Later(_, why) | Ended::Never(why) => {
                    tracing::error!(connector.system = %connector.system, contact.id = %row.contact, error.message = %why, "A CRM does not take a contact: it is given up. See the connector's tasks.");
                    change = self.contacts.plan_giving_up(row, "given_up", &json!({ "why": why })).await?;
                }
            }
            self.store.submit(change).await?;
        }
        Ok(due.len())
    }

    /// Of a contact that is several records there: whether some of them are there no more, as after a merge that a person
    /// was asked for. They are noted.
    async fn others_gone(
        &self,
        crm: &dyn Crm,
        connector: &ConnectorRow,
        outgoing: &Outgoing,
    ) -> Result<bool> {
        let mut change = Change::default();
        for link in outgoing.links.iter().skip(1) {
            let Ok(found) = crm.get(connector, &link.external_id).await else { continue };
            if !found.is_some_and(|record| !record.deleted && record.merged_into.is_none()) {
                self.contacts.plan_gone(&mut change, connector, outgoing, link).await?;
            }
        }
        if change.is_empty() {
            return Ok(false);
        }
        self.store.submit(change).await.map(|_| true)
    }

    /// The record of a contact is there no more: it is told again when it has another one, else a person says.
    async fn plan_gone(
        &self,
        connector: &ConnectorRow,
        row: &OutboxRow,
        outgoing: &Outgoing,
    ) -> Result<Change> {
        let mut change = Change::default();
        let Some(link) = outgoing.links.first() else { return Ok(change) };
        if self.contacts.plan_gone(&mut change, connector, outgoing, link).await? {
            change.crm_later(row, self.clock.now());
        } else {
            change.crm_given_up(row, "gone");
        }
        Ok(change)
    }

    async fn tell_of(&self, crm: &dyn Crm, connector: &ConnectorRow, row: &OutboxRow) -> Result<Ended> {
        let Some(mut outgoing) = self.contacts.outgoing(connector, row).await? else {
            return Ok(Ended::Told(Change::default()));
        };
        if row.hop >= MOST_HOPS {
            return Ok(Ended::Unclear(json!({ "why": "the change goes in a circle", "hop": row.hop })));
        }
        if self.contacts.is_agreed(connector, &outgoing)? {
            return Ok(Ended::Told(Change::default()));
        }
        match self.record_of(crm, connector, &outgoing).await? {
            Found::Record(record) => {
                if self.others_gone(crm, connector, &outgoing).await? {
                    outgoing = self.contacts.outgoing(connector, row).await?.unwrap_or(outgoing);
                }
                if outgoing.links.first().is_some_and(|link| link.seen.is_none()) {
                    // What changed there while it was left alone.
                    self.take_record(connector, &record).await?;
                    outgoing = self.contacts.outgoing(connector, row).await?.unwrap_or(outgoing);
                }
                self.write(crm, connector, row, &outgoing, &record).await
            }
            Found::Nothing if !outgoing.is_known => Ok(Ended::Told(Change::default())),
            Found::Nothing => self.create(crm, connector, row, &outgoing).await,
            Found::Ended(ended) => Ok(ended),
        }
    }

    /// The record that a contact is: by its link, else the only one that has its number or address.
    async fn record_of(&self, crm: &dyn Crm, connector: &ConnectorRow, outgoing: &Outgoing) -> Result<Found> {
        if let Some(link) = outgoing.links.first() {
            if link.paused_ts.is_some_and(|ts| ts > self.clock.now()) {
                let wait = link.paused_ts.unwrap_or_default() - self.clock.now();
                return Ok(Found::Ended(Ended::Later(Some(wait), "the record changes too often".to_owned())));
            }
            return Ok(match crm.get(connector, &link.external_id).await {
                Ok(Some(record)) if !record.deleted => Found::Record(record),
                // Whoever deleted it there had a reason: it is not made again.
                Ok(_) => Found::Ended(Ended::Gone(Box::new(outgoing.clone()))),
                Err(trouble) => Found::Ended(ended(trouble)),
            });
        }
        let mapping = Mapping::of(connector)?;
        let mut keys = outgoing.values.clone();
        keys.retain(|field, _| matches!(field.as_str(), "phone" | "email"));
        let keys = mapping.theirs(&keys);
        if keys.is_empty() {
            return Ok(Found::Nothing);
        }
        match crm.find(connector, &keys).await {
            Ok(found) => self.only_one(connector, found).await,
            Err(trouble) => Ok(Found::Ended(ended(trouble))),
        }
    }

    /// Of records that may be a contact the one that is, if there is one and it is nobody else.
    async fn only_one(&self, connector: &ConnectorRow, mut found: Vec<Record>) -> Result<Found> {
        let mapping = Mapping::of(connector)?;
        found.retain(|record| !record.deleted && record.merged_into.is_none());
        let ids: Vec<String> = found.iter().map(|record| record.id.clone()).collect();
        let Some(record) = found.pop() else { return Ok(Found::Nothing) };
        let key = (connector.system.as_str(), mapping.external_type.as_str(), record.id.as_str());
        let taken = crm::linked(&mut self.store.reader(), key).await?.is_some();
        Ok(match found.is_empty() && !taken {
            true => Found::Record(record),
            false => Found::Ended(Ended::Unclear(
                json!({ "external_ids": ids, "why": "records with its number or address" }),
            )),
        })
    }

    async fn write(
        &self,
        crm: &dyn Crm,
        connector: &ConnectorRow,
        row: &OutboxRow,
        outgoing: &Outgoing,
        record: &Record,
    ) -> Result<Ended> {
        let (fields, asked) = self.contacts.plan_sending(connector, outgoing, record).await?;
        if !asked.is_empty() {
            self.store.submit(asked).await?;
        }
        if fields.is_empty() {
            let change = self.contacts.plan_written(connector, outgoing, record, false)?;
            return Ok(Ended::Told(change));
        }
        let key = idempotency_key(outgoing, &record.version, &fields);
        let writing = Writing {
            id: Some(&record.id),
            idempotency_key: &key,
            base_version: Some(&record.version),
            fields: &fields,
            hop: row.hop + 1,
            despite: false,
        };
        match crm.upsert(connector, writing).await {
            Ok(written) => Ok(Ended::Told(self.contacts.plan_written(connector, outgoing, &written, true)?)),
            Err(trouble) => Ok(ended(trouble)),
        }
    }

    async fn create(
        &self,
        crm: &dyn Crm,
        connector: &ConnectorRow,
        row: &OutboxRow,
        outgoing: &Outgoing,
    ) -> Result<Ended> {
        let fields = Mapping::of(connector)?.theirs(&outgoing.values);
        // A record is made once for a contact, whatever it is called meanwhile.
        let key = idempotency_key(outgoing, "new", &Values::new());
        let writing = Writing {
            id: None,
            idempotency_key: &key,
            base_version: None,
            fields: &fields,
            hop: row.hop + 1,
            despite: false,
        };
        let record = match crm.upsert(connector, writing).await {
            Err(Trouble::Candidates(found)) => match self.only_one(connector, found).await? {
                // It is there already, and nobody else: what we know more is told with the next round.
                Found::Record(record) => record,
                Found::Nothing => return Ok(Ended::Unclear(json!({ "why": "there are records like this" }))),
                Found::Ended(ended) => return Ok(ended),
            },
            Err(trouble) => return Ok(ended(trouble)),
            Ok(record) => {
                return Ok(Ended::Told(self.contacts.plan_written(connector, outgoing, &record, true)?));
            }
        };
        self.write(crm, connector, row, outgoing, &record).await
    }
}

/// What was found of a contact in a CRM.
enum Found {
    Record(Record),
    Nothing,
    Ended(Ended),
}

fn ended(trouble: Trouble) -> Ended {
    match trouble {
        Trouble::Later(after, why) => Ended::Later(after, why),
        Trouble::Never(why) => Ended::Never(why),
        // Decided anew on what it is by then.
        Trouble::Moved => Ended::Later(None, "the record moved on meanwhile".to_owned()),
        Trouble::Candidates(found) => {
            let ids: Vec<&str> = found.iter().map(|record| record.id.as_str()).collect();
            Ended::Unclear(json!({ "external_ids": ids, "why": "records like this" }))
        }
    }
}

/// The same for the same thing to be written.
fn idempotency_key(outgoing: &Outgoing, version: &str, fields: &Values) -> String {
    format!("{}-{version}-{}", outgoing.contact, digest(fields))
}
