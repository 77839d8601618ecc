//! Contacts as an import takes them: what leaves the house, and what is written down of it.

use super::consents::{self, Consent};
use super::{Became, Import, Told};
use crate::Contacts;
use crate::card::chosen;
use kontor_model::Result;
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::queue::Reader;
use kontor_store::contacts::{cards, identities, links};
use serde::Serialize;
use std::collections::BTreeMap;

/// A contact, as it leaves the house.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Exported {
    /// The contact: whoever imports it again means this one.
    pub contact_id: String,
    /// What it is called.
    pub display_name: Option<String>,
    /// Its telephone numbers.
    pub phones: Vec<String>,
    /// Its mail addresses.
    pub emails: Vec<String>,
    /// The company that it works for.
    pub company: Option<String>,
    /// Number in the register of taxpayers.
    pub vat: Option<String>,
    /// Number among the company's customers.
    pub customer_no: Option<String>,
    /// pl, uk or en.
    pub language: Option<String>,
    /// person, unknown, line, bot.
    pub kind: String,
    /// visitor, lead, customer.
    pub stage: String,
    /// owner, team, all.
    pub visibility: String,
    /// Whose contact it is.
    pub owner: Option<String>,
    /// Its ids in other systems, by system.
    pub links: BTreeMap<String, String>,
    /// What it agrees to now, and what it took back.
    pub consents: Vec<Consent>,
}

impl Contacts {
    /// Contacts that a reader may see, after one, oldest first: five statements.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn export(&self, reader: Reader, after: &str, limit: i64) -> Result<Vec<Exported>> {
        let mut source = self.store.snapshot().await?;
        let rows = cards::page(&mut source, reader, after, limit, cards::Wanted::default()).await?;
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let values = cards::fields(&mut source, &ids).await?;
        let claims = identities::claims_of(&mut source, &ids).await?;
        let linked = links::of_contacts(&mut source, &ids).await?;
        let acts = identities::consents_of(&mut source, &ids).await?;
        drop(source);
        let mut all: BTreeMap<String, Exported> = BTreeMap::new();
        for row in rows {
            let exported = Exported {
                contact_id: row.id.clone(),
                language: row.language,
                kind: row.kind,
                stage: row.stage,
                visibility: row.visibility,
                owner: row.owner_id,
                ..Exported::default()
            };
            all.insert(row.id, exported);
        }
        let mut fields: BTreeMap<String, Vec<cards::FieldRow>> = BTreeMap::new();
        for value in values {
            fields.entry(value.contact.clone()).or_default().push(value);
        }
        for (id, values) in fields {
            let Some(exported) = all.get_mut(&id) else { continue };
            let mut shown = chosen(values);
            let mut take = |field: &str| shown.remove(field).map(|field| field.value);
            (exported.display_name, exported.company) = (take("display_name"), take("company"));
        }
        for (id, kind, value) in claims {
            let Some(exported) = all.get_mut(&id) else { continue };
            match kind.as_str() {
                "phone" => exported.phones.push(value),
                "email" => exported.emails.push(value),
                "vat" => exported.vat = Some(value),
                "customer_no" => exported.customer_no = Some(value),
                _ => {}
            }
        }
        for link in linked {
            if let Some(exported) = all.get_mut(&link.contact) {
                exported.links.insert(link.system, link.external_id);
            }
        }
        for (id, acts) in acts {
            if let Some(exported) = all.get_mut(&id) {
                exported.consents = consents::standing(&acts);
            }
        }
        Ok(all.into_values().collect())
    }

    /// Plans the audit row of a page that leaves the house.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_export_audit(&self, after: &str, count: usize, actor: Actor) -> Result<Change> {
        let mut audit = Audit::done(Action::ContactExport, actor, self.now());
        audit.detail = Some(serde_json::json!({ "after": after, "contacts": count }).to_string());
        let mut change = Change::default();
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }

    /// Plans the audit row of rows that came in; old rows of files are forgotten by the way.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_import_audit(&self, import: &Import, told: &[Told]) -> Result<Change> {
        /// How long a row of a file is remembered: a year.
        const KEPT: kontor_model::Ms = 366 * 86_400_000;
        let mut counts: BTreeMap<Became, usize> = BTreeMap::new();
        for one in told {
            *counts.entry(one.outcome).or_default() += 1;
        }
        let counts: BTreeMap<String, usize> =
            counts.into_iter().map(|(became, count)| (format!("{became:?}").to_lowercase(), count)).collect();
        let mut audit = Audit::done(Action::ContactImport, import.actor.clone(), self.now())
            .on("import", import.id.as_str());
        audit.detail = Some(serde_json::json!({ "system": import.system, "rows": counts }).to_string());
        let mut change = Change::default();
        change.forget_import_rows(self.now() - KEPT);
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }
}
