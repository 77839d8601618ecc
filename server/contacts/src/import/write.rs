//! What a row makes: a contact, or more of one that is there.

use super::read::Read;
use super::{Became, EVERYTHING, Import, Row, Told, held, link};
use crate::Contacts;
use crate::card::standing;
use crate::family::edited;
use crate::keys::name::Name;
use crate::news::News;
use kontor_model::{Error, Ms, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Audit};
use kontor_store::contacts::cards::{self, ContactRow, FieldRow};
use kontor_store::contacts::identities::{self, ClaimRow};
use kontor_store::contacts::links;

/// The source of what files say.
const SOURCE: &str = "import";

impl Contacts {
    /// Adds the contact of a row to a change; gives its id. `others` stand in its way, or are called alike.
    pub(super) async fn make_from_row(
        &self,
        change: &mut Change,
        import: &Import,
        row: &Row,
        read: &Read,
        others: &[String],
    ) -> Result<String> {
        let (now, id) = (self.now(), self.new_id());
        change.add_contact(&ContactRow {
            id: id.clone(),
            redirect_to: None,
            kind: read.kind.to_owned(),
            stage: read.stage.to_owned(),
            owner: row.owner.as_ref().and_then(|owner| import.owners.get(owner).copied()),
            owner_id: None,
            team: None,
            visibility: read.visibility.to_owned(),
            language: read.language.clone(),
            version: 1,
            created_ts: now,
            updated_ts: now,
            own: None,
        });
        self.add_from_row(change, &id, &read.fields, &read.claims, &[], now);
        if let Some(external_id) = &row.external_id {
            change.add_link(link(import, external_id), &id, now);
        }
        if let (Some(reason), false) = (&row.override_reason, others.is_empty()) {
            change.add_override(&id, import.actor.user.unwrap_or_default(), reason.trim(), now);
            self.audit_row(change, import, row, &id, Action::ContactOverride).await?;
        }
        self.finish_row(change, import, row, &id, Action::ContactCreate, "contact.created").await?;
        Ok(id)
    }

    /// Adds what a row says that a contact does not have; what others hold stands in the way.
    pub(super) async fn plan_known_row(
        &self,
        import: &Import,
        row: &Row,
        read: &Read,
        contact: &str,
    ) -> Result<(Change, Told)> {
        let mut source = self.store.snapshot().await?;
        let card = cards::by_id(&mut source, EVERYTHING, contact).await?;
        let card = card.ok_or_else(|| Error::not_found("There is no such contact."))?;
        let fields = cards::fields(&mut source, &[contact]).await?;
        let known = identities::claims(&mut source, contact).await?;
        let linked = links::of_contacts(&mut source, &[contact]).await?;
        let acts = match read.consents.is_empty() {
            true => Vec::new(),
            false => identities::consents(&mut source, contact).await?,
        };
        drop(source);
        let holds =
            |claim: &&ClaimRow| known.iter().any(|own| own.kind == claim.kind && own.key == claim.key);
        let claims: Vec<ClaimRow> = read.claims.iter().filter(|claim| !holds(claim)).cloned().collect();
        let says =
            |field: &str, value: &str| fields.iter().any(|own| own.field == field && own.value == value);
        let new_fields: Vec<(&'static str, String)> =
            read.fields.iter().filter(|(field, value)| !says(field, value)).cloned().collect();
        let is_linked =
            |id: &String| linked.iter().any(|own| own.system == import.system && own.external_id == *id);
        let link_to = row.external_id.as_ref().filter(|id| !is_linked(id));
        let filled = filled(import, row, read, &card);
        let mut told = Told { contact_id: Some(contact.to_owned()), ..Told::of(row.row, Became::Unchanged) };
        let (now, mut change) = (self.now(), Change::default());
        self.add_consents(&mut change, import, contact, (&acts, &read.consents), &mut told).await?;
        if change.is_empty()
            && claims.is_empty()
            && new_fields.is_empty()
            && link_to.is_none()
            && filled.is_none()
        {
            return Ok((change, told));
        }
        if !claims.is_empty() {
            let (outcome, facts) = self.decide(&read.arrival).await?;
            let others: Vec<String> = facts
                .facts
                .holders
                .iter()
                .filter(|(key, _)| claims.iter().any(|claim| claim.key == key.text))
                .flat_map(|(_, held)| held.contacts.iter().map(|(other, _)| other.clone()))
                .filter(|other| other != contact)
                .collect();
            match (&row.override_reason, others.is_empty()) {
                (None, false) => return Ok((Change::default(), held(row.row, others))),
                (Some(reason), false) => {
                    change.add_override(contact, import.actor.user.unwrap_or_default(), reason.trim(), now);
                    self.audit_row(&mut change, import, row, contact, Action::ContactOverride).await?;
                }
                _ => {}
            }
            self.move_own_keys(&mut change, &read.arrival, &facts, &outcome);
        }
        self.add_from_row(&mut change, contact, &new_fields, &claims, &fields, now);
        if let Some(external_id) = link_to {
            change.add_link(link(import, external_id), contact, now);
        }
        match filled {
            Some(row) => change.change_contact(&row, now),
            None => {
                change.expect_unmerged(contact);
                change.touch_contact(contact, now);
            }
        }
        self.finish_row(&mut change, import, row, contact, Action::ContactUpdate, "contact.updated").await?;
        Ok((change, Told { outcome: Became::Updated, ..told }))
    }

    /// Adds fields and claims; of a card's number and address the first that a file says is shown.
    fn add_from_row(
        &self,
        change: &mut Change,
        id: &str,
        fields: &[(&'static str, String)],
        claims: &[ClaimRow],
        known: &[FieldRow],
        now: Ms,
    ) {
        let mut shown: Vec<(&str, &str)> =
            fields.iter().map(|(field, value)| (*field, value.as_str())).collect();
        for kind in ["phone", "email"] {
            let has = known.iter().any(|own| own.field == kind && own.source == SOURCE);
            let first = claims.iter().find(|claim| claim.kind == kind).filter(|_| !has);
            shown.extend(first.map(|claim| (kind, claim.value.as_str())));
        }
        for (field, value) in shown {
            change.set_contact_field(&FieldRow {
                contact: id.to_owned(),
                field: field.to_owned(),
                source: SOURCE.to_owned(),
                value: value.to_owned(),
                trust: 0,
                ts: now,
            });
        }
        if let Some((_, name)) = fields.iter().find(|(field, _)| *field == "display_name") {
            change.add_contact_name(id, name);
            change.add_contact_tokens(id, Name::read(name).full_words());
        }
        for claim in claims {
            change.add_claim(id, &ClaimRow { since_ts: now, ..claim.clone() });
        }
        change.weigh_contact(id, now);
    }

    /// Adds what every row leaves behind: that it was taken, the audit row, the news.
    async fn finish_row(
        &self,
        change: &mut Change,
        import: &Import,
        row: &Row,
        id: &str,
        action: Action,
        kind: &'static str,
    ) -> Result<()> {
        if row.row > 0 {
            change.take_import_row(&import.id, row.row, id, self.now());
        }
        self.audit_row(change, import, row, id, action).await?;
        self.tell(change, &News { kind, contact: id, ..News::default() }, None).await
    }

    async fn audit_row(
        &self,
        change: &mut Change,
        import: &Import,
        row: &Row,
        id: &str,
        action: Action,
    ) -> Result<()> {
        let mut audit = Audit::done(action, import.actor.clone(), self.now()).on("contact", id);
        audit.detail = Some(serde_json::json!({ "import": import.id, "row": row.row }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(())
    }
}

/// The contact with what it lacks and the row has; nothing when it lacks nothing.
fn filled(import: &Import, row: &Row, read: &Read, card: &ContactRow) -> Option<ContactRow> {
    let mut filled = card.clone();
    let owner = row.owner.as_ref().and_then(|owner| import.owners.get(owner).copied());
    filled.owner = card.owner.or(owner);
    filled.language = card.language.clone().or_else(|| read.language.clone());
    let changed = (&filled.owner, &filled.language) != (&card.owner, &card.language);
    filled.own = edited(card.own.as_deref(), &standing(card), &standing(&filled));
    changed.then_some(filled)
}
