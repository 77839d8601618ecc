//! What follows from a record of a CRM: it is our own echo, or a contact, or more of one.

use super::{MOST_CHANGES, MOST_HOPS, Mapping, PAUSE, Record, Values, WINDOW, decide, digest};
use crate::Contacts;
use crate::card::chosen;
use crate::import::{Became, Fields, Held, Import, Row, Told};
use crate::keys::name::Name;
use crate::news::News;
use kontor_model::{Error, Ms, Result};
use kontor_store::Change;
use kontor_store::audit::Actor;
use kontor_store::contacts::cards::{self, FieldRow};
use kontor_store::contacts::crm::{self, Agreed, ConnectorRow, LinkedRow};
use kontor_store::contacts::links::LinkKey;
use std::collections::BTreeMap;

/// What follows from a record.
#[derive(Clone, Debug, Default)]
pub struct Followed {
    /// What is written.
    pub change: Change,
    /// Whether the record changes again and again, so that it is left alone for a while.
    pub paused: bool,
    /// A contact that is called otherwise since: its rooms are to be named anew.
    pub renamed: Option<String>,
}

impl From<Change> for Followed {
    fn from(change: Change) -> Self {
        Self { change, ..Self::default() }
    }
}

/// What both sides agreed on last about a linked record.
pub(super) fn base(link: &LinkedRow) -> Result<Values> {
    link.base
        .as_deref()
        .map(serde_json::from_str)
        .transpose()
        .map(Option::unwrap_or_default)
        .map_err(Error::internal)
}

impl Contacts {
    /// Plans what follows from a record; nothing when it is known. Submitting may end in `Conflict`: then it is planned
    /// anew.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_record(&self, connector: &ConnectorRow, record: &Record) -> Result<Followed> {
        let mapping = Mapping::of(connector)?;
        let key = (connector.system.as_str(), mapping.external_type.as_str(), record.id.as_str());
        let link = crm::linked(&mut self.store.reader(), key).await?;
        let (now, mut change) = (self.now(), Change::default());
        let Some(link) = link else {
            return match record.deleted || record.merged_into.is_some() {
                true => Ok(Followed::default()),
                false => self.plan_new_record(connector, &mapping, record).await.map(Followed::from),
            };
        };
        if link.is_gone && !record.deleted && record.merged_into.is_none() {
            change.is_there_again(key);
        }
        let is_seen = link.seen.as_deref() == Some(record.version.as_str());
        if is_seen || record.deleted || link.paused_ts.is_some_and(|ts| ts > now) {
            return Ok(change.into());
        }
        if let Some(into) = &record.merged_into {
            self.plan_merged_there(&mut change, key, &link, (into, &record.version)).await?;
            return Ok(change.into());
        }
        let theirs = mapping.ours(record);
        if link.written.as_deref() == Some(digest(&theirs).as_str()) {
            let base = serde_json::to_string(&theirs).map_err(Error::internal)?;
            change.agree(Agreed { key, version: &record.version, written: None, base: &base, now });
            return Ok(change.into());
        }
        if record.hop >= MOST_HOPS || !self.is_within_rate(&mut change, key, &link) {
            change.count_change(key, (0, now), Some(now + PAUSE));
            let detail = serde_json::json!({ "hop": record.hop });
            self.add_task(&mut change, key, "paused", Some(&link.contact), &detail).await?;
            return Ok(Followed { change, paused: true, renamed: None });
        }
        let renamed = self.plan_known_record(&mut change, &mapping, &link, record, key).await?;
        Ok(Followed { change, paused: false, renamed: renamed.then_some(link.contact) })
    }

    /// A record that is linked: what it says is weighed against what was agreed on and against what we say. Says whether
    /// the contact is called otherwise since.
    async fn plan_known_record(
        &self,
        change: &mut Change,
        mapping: &Mapping,
        link: &LinkedRow,
        record: &Record,
        key: (&str, &str, &str),
    ) -> Result<bool> {
        let (now, contact) = (self.now(), link.contact.as_str());
        let theirs = mapping.ours(record);
        let ours = self.values_of(contact).await?;
        let mut agreed = base(link)?;
        let fates = decide::all(mapping, &agreed, &ours, &theirs);
        let refused = self.held_by_others(contact, &fates.take).await?;
        for (field, value) in &fates.take {
            if let Some(others) = refused.get(field) {
                let detail =
                    serde_json::json!({ "external_id": record.id, "field": field, "candidates": others });
                self.add_task(change, key, "unclear", Some(contact), &detail).await?;
                continue;
            }
            self.take_value(change, key.0, contact, field, value, ours.get(field));
        }
        for (field, own, other) in &fates.ask {
            let detail =
                serde_json::json!({ "external_id": record.id, "field": field, "ours": own, "theirs": other });
            self.add_task_about(
                change,
                key.0,
                "conflict",
                &format!("{} {field}", record.id),
                Some(contact),
                &detail,
            )
            .await?;
            // Both values are kept; ours is shown until a person decides.
            change.set_contact_field(&FieldRow { trust: 0, ..taken(key.0, contact, field, other, 0) });
        }
        // What is asked or refused is not agreed on. What is to be told is: that ours differs from it is why it is told.
        let open = |field: &String| {
            fates.ask.iter().any(|(asked, ..)| asked == field) || refused.contains_key(field)
        };
        for (field, value) in theirs.iter().filter(|(field, _)| !open(field)) {
            agreed.insert(field.clone(), value.clone());
        }
        let agreed = serde_json::to_string(&agreed).map_err(Error::internal)?;
        change.agree(Agreed { key, version: &record.version, written: None, base: &agreed, now });
        if fates.take.len() > refused.len() {
            change.expect_unmerged(contact);
            change.touch_contact(contact, now);
            change.weigh_contact(contact, now);
            self.tell(change, &News { kind: "contact.updated", contact, ..News::default() }, None).await?;
            change.came_through(contact, record.hop + 1);
        } else if !fates.send.is_empty() {
            change.tell_crm(key.0, contact, now);
        }
        Ok(fates.take.contains_key("display_name"))
    }

    /// Adds a value that is taken from a CRM. The one that an employee typed and that both had agreed on goes: it is
    /// superseded, and would hide the new one.
    fn take_value(
        &self,
        change: &mut Change,
        system: &str,
        contact: &str,
        field: &str,
        value: &str,
        ours: Option<&String>,
    ) {
        let now = self.now();
        if ours.is_some() {
            change.clear_contact_field(contact, field, "employee");
        }
        change.set_contact_field(&taken(system, contact, field, value, now));
        match field {
            "phone" | "email" => change.add_claim(
                contact,
                &kontor_store::contacts::identities::ClaimRow {
                    kind: field.to_owned(),
                    key: crate::claim::key(field, value),
                    value: value.to_owned(),
                    trust: 0,
                    source: system.to_owned(),
                    event_id: None,
                    since_ts: now,
                    until_ts: None,
                    conversation: None,
                },
            ),
            "display_name" => {
                change.add_contact_name(contact, value);
                change.add_contact_tokens(contact, Name::read(value).full_words());
            }
            _ => {}
        }
    }

    /// A record that is not linked: it is looked for like a row of a file.
    async fn plan_new_record(
        &self,
        connector: &ConnectorRow,
        mapping: &Mapping,
        record: &Record,
    ) -> Result<Change> {
        let theirs = mapping.ours(record);
        let import = Import {
            id: format!("connector {}", connector.system),
            system: connector.system.clone(),
            external_type: mapping.external_type.clone(),
            held: Held::Attach,
            owners: BTreeMap::new(),
            actor: Actor::default(),
        };
        let of = |field: &str| theirs.get(field).cloned();
        let row = Row {
            row: 0,
            external_id: Some(record.id.clone()),
            fields: Fields {
                display_name: of("display_name"),
                phones: of("phone").into_iter().collect(),
                emails: of("email").into_iter().collect(),
                company: of("company"),
                language: of("language"),
                ..Fields::default()
            },
            ..Row::default()
        };
        let (mut change, told) = self.plan_row(&import, &crate::import::Meant::default(), &row).await?;
        let key = (connector.system.as_str(), mapping.external_type.as_str(), record.id.as_str());
        let now = self.now();
        let Told {
            outcome: Became::New | Became::Suggested | Became::Updated | Became::Unchanged,
            contact_id: Some(contact),
            ..
        } = told
        else {
            let detail = serde_json::json!({ "external_id": record.id, "reason": told.reason, "candidates": told.candidates });
            let mut change = Change::default();
            self.add_task(&mut change, key, "unclear", None, &detail).await?;
            return Ok(change);
        };
        change.add_link(LinkKey { system: key.0, external_type: key.1, external_id: key.2 }, &contact, now);
        // Agreed is what they say as far as we say the same.
        let ours = if matches!(told.outcome, Became::New | Became::Suggested) {
            theirs.clone()
        } else {
            self.values_of(&contact).await?
        };
        let fates = decide::all(mapping, &Values::new(), &ours, &theirs);
        let asked = |field: &String| fates.ask.iter().any(|(asked, ..)| asked == field);
        let agreed: Values = theirs.into_iter().filter(|(field, _)| !asked(field)).collect();
        let agreed = serde_json::to_string(&agreed).map_err(Error::internal)?;
        change.agree(Agreed { key, version: &record.version, written: None, base: &agreed, now });
        change.came_through(&contact, record.hop + 1);
        if !fates.send.is_empty() || !fates.ask.is_empty() {
            change.tell_crm(key.0, &contact, now);
        }
        Ok(change)
    }

    /// Two records became one there: the link leads on, and whether the contacts are one is for a person to say.
    pub(super) async fn plan_merged_there(
        &self,
        change: &mut Change,
        key: (&str, &str, &str),
        link: &LinkedRow,
        (into, version): (&str, &str),
    ) -> Result<()> {
        let now = self.now();
        change.merged_there(key, into, version);
        let other = crm::linked(&mut self.store.reader(), (key.0, key.1, into)).await?;
        match other {
            None => change.add_link(
                LinkKey { system: key.0, external_type: key.1, external_id: into },
                &link.contact,
                now,
            ),
            Some(other) if other.contact == link.contact => {}
            Some(other) => {
                let evidence = serde_json::json!([{ "what": "merged_in_crm", "bits": 12.0 }]).to_string();
                change.suggest((&other.contact, &link.contact), 1_200, &evidence, now);
                let detail = serde_json::json!({ "external_id": key.2, "merged_into": into, "candidates": [other.contact] });
                self.add_task(change, key, "merged_there", Some(&link.contact), &detail).await?;
                change.suggest((&link.contact, &other.contact), 1_200, &evidence, now);
            }
        }
        Ok(())
    }

    /// Counts a change of a record; says whether there are not too many in a minute.
    fn is_within_rate(&self, change: &mut Change, key: (&str, &str, &str), link: &LinkedRow) -> bool {
        let now = self.now();
        let (count, since) = link.rate;
        let rate = if now - since < WINDOW { (count + 1, since) } else { (1, now) };
        change.count_change(key, rate, None);
        rate.0 <= MOST_CHANGES
    }

    /// What a contact shows, as far as a CRM can have it.
    pub(super) async fn values_of(&self, contact: &str) -> Result<Values> {
        let shown = chosen(cards::fields(&mut self.store.reader(), &[contact]).await?);
        let mut values: Values = shown.into_iter().map(|(field, row)| (field, row.value)).collect();
        values.retain(|field, _| super::FIELDS.contains(&field.as_str()));
        for (field, value) in
            values.iter_mut().filter(|(field, _)| matches!(field.as_str(), "phone" | "email"))
        {
            // A CRM gets numbers as all the world writes them.
            *value = crate::claim::key(field, value);
        }
        Ok(values)
    }

    /// Of values that are to be taken, those that other contacts hold.
    async fn held_by_others(&self, contact: &str, take: &Values) -> Result<BTreeMap<String, Vec<String>>> {
        let mut refused = BTreeMap::new();
        for (field, value) in take.iter().filter(|(field, _)| matches!(field.as_str(), "phone" | "email")) {
            let keys = match field.as_str() {
                "phone" => crate::keys::phones(value, crate::arrival::REGION),
                _ => crate::keys::emails(value),
            };
            let everything = kontor_store::contacts::queue::Reader { user: 0, admin: true };
            let others = self.alike(everything, None, &keys, Some(contact)).await?;
            if keys.is_empty() || !others.is_empty() {
                let others = others.into_iter().map(|found| found.card.contact.id).collect();
                refused.insert(field.clone(), others);
            }
        }
        Ok(refused)
    }

    pub(super) async fn add_task(
        &self,
        change: &mut Change,
        key: (&str, &str, &str),
        kind: &'static str,
        contact: Option<&str>,
        detail: &serde_json::Value,
    ) -> Result<()> {
        self.add_task_about(change, key.0, kind, key.2, contact, detail).await
    }

    pub(super) async fn add_task_about(
        &self,
        change: &mut Change,
        system: &str,
        kind: &'static str,
        subject: &str,
        contact: Option<&str>,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let nid = self.store.nid().await?;
        change.add_crm_task(nid, (system, kind, subject), contact, &detail.to_string(), self.now());
        Ok(())
    }
}

/// A value of a CRM. What a person typed there counts like what the network vouches for.
fn taken(system: &str, contact: &str, field: &str, value: &str, ts: Ms) -> FieldRow {
    FieldRow {
        contact: contact.to_owned(),
        field: field.to_owned(),
        source: system.to_owned(),
        value: value.to_owned(),
        trust: 3,
        ts,
    }
}
