//! The contact card: which of many values of a field is shown, and changing a card.

use crate::arrival::REGION;
use crate::family::edited;
use crate::keys::{emails, phones};
use crate::lookup::Candidate;
use crate::ulid::is_ulid;
use crate::{Contacts, one_of, text};
use kontor_model::{Code, Error, Language, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::cards::{self, ContactRow, FieldRow, Wanted};
use kontor_store::contacts::merges::Standing;
use kontor_store::contacts::queue::Reader;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Fields of the card's first form.
pub const FIELDS: [&str; 5] = ["display_name", "phone", "email", "language", "page"];
/// Kinds of contacts.
pub const KINDS: [&str; 4] = ["person", "unknown", "line", "bot"];
/// How near a contact is.
pub const STAGES: [&str; 3] = ["visitor", "lead", "customer"];
/// Who sees a contact.
pub const VISIBILITIES: [&str; 3] = ["owner", "team", "all"];
/// What an employee typed.
const EMPLOYEE: &str = "employee";
/// What a network says.
const NETWORK: &str = "network";
/// Longest value, bytes.
const LONGEST: usize = 500;

/// A contact as it is shown.
#[derive(Clone, Debug)]
pub struct Card {
    /// The contact.
    pub contact: ContactRow,
    /// Of each field the value that is shown.
    pub fields: BTreeMap<String, FieldRow>,
}

impl Card {
    /// Chooses among all values of the fields of contacts.
    pub fn all(contacts: Vec<ContactRow>, values: &[FieldRow]) -> Vec<Self> {
        let card = |contact: ContactRow| {
            let own: Vec<FieldRow> =
                values.iter().filter(|value| value.contact == contact.id).cloned().collect();
            Self { fields: chosen(own), contact }
        };
        contacts.into_iter().map(card).collect()
    }

    /// The name, if one is known.
    pub fn display_name(&self) -> Option<&str> {
        self.fields.get("display_name").map(|field| field.value.as_str())
    }
}

/// Of each field the value that is shown: what a person of the company set comes before what is more
/// believable, and of equally good ones the newer. What somebody calls themselves in a network, which may be a
/// nickname, stands behind any name that they gave.
pub fn chosen(values: Vec<FieldRow>) -> BTreeMap<String, FieldRow> {
    let nickname = |value: &FieldRow| value.field == "display_name" && value.source == NETWORK;
    let rank = |value: &FieldRow| (value.source == EMPLOYEE, !nickname(value), value.trust, value.ts);
    let mut best: BTreeMap<String, FieldRow> = BTreeMap::new();
    for value in values {
        match best.get(&value.field) {
            Some(known) if rank(known) >= rank(&value) => {}
            _ => drop(best.insert(value.field.clone(), value)),
        }
    }
    best
}

/// What is to change on a card. An absent field stays; `null` takes a value away.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// person, unknown, line, bot.
    pub kind: Option<String>,
    /// visitor, lead, customer.
    pub stage: Option<String>,
    /// Whose contact it is, a user id.
    #[serde(default, deserialize_with = "present")]
    pub owner: Option<Option<String>>,
    /// owner, team, all.
    pub visibility: Option<String>,
    /// Why it is changed although others hold its new number or address.
    pub override_reason: Option<String>,
    /// Values of fields, set by the employee.
    #[serde(default)]
    pub fields: BTreeMap<String, Option<String>>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Contacts {
    /// A card, if the reader may see it.
    ///
    /// # Errors
    /// `NotFound` otherwise.
    pub async fn card(&self, reader: Reader, id: &str) -> Result<Card> {
        let unknown = || Error::not_found("There is no such contact.");
        if !is_ulid(id) {
            return Err(unknown());
        }
        let mut snapshot = self.store.snapshot().await?;
        let contact = cards::by_id(&mut snapshot, reader, id).await?.ok_or_else(unknown)?;
        let values = cards::fields(&mut snapshot, &[id]).await?;
        Ok(Card { contact, fields: chosen(values) })
    }

    /// What a contact is called by itself, without those that were merged into it.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn own_name(&self, id: &str, language: Language) -> Result<String> {
        let mut names = self.own_names(&[id], language).await?;
        Ok(names.remove(id).unwrap_or_else(|| crate::names::nameless(language, id)))
    }

    /// What contacts are called by themselves, each without those that were merged into it.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn own_names(&self, ids: &[&str], language: Language) -> Result<BTreeMap<String, String>> {
        let values = cards::own_names(&mut self.store.reader(), ids).await?;
        let name = |id: &&str| {
            let own = values.iter().filter(|value| value.contact == **id).cloned().collect();
            let name = chosen(own).into_values().next().map(|field| field.value);
            ((*id).to_owned(), name.unwrap_or_else(|| crate::names::nameless(language, id)))
        };
        Ok(ids.iter().map(name).collect())
    }

    /// Cards that the reader may see, after a contact, oldest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn cards(
        &self,
        reader: Reader,
        after: &str,
        limit: i64,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Card>> {
        let mut snapshot = self.store.snapshot().await?;
        let contacts = cards::page(&mut snapshot, reader, after, limit, wanted).await?;
        let ids: Vec<&str> = contacts.iter().map(|contact| contact.id.as_str()).collect();
        let values = cards::fields(&mut snapshot, &ids).await?;
        Ok(Card::all(contacts, &values))
    }

    /// Contacts that hold the number or address that a card is to get, as far as the reader may see them.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn in_the_way(&self, reader: Reader, id: &str, patch: &Patch) -> Result<Vec<Candidate>> {
        let value = |field: &str| patch.fields.get(field).and_then(Option::as_deref).unwrap_or_default();
        let mut keys = phones(value("phone"), REGION);
        keys.extend(emails(value("email")));
        if keys.is_empty() || patch.override_reason.is_some() {
            return Ok(Vec::new());
        }
        self.alike(reader, None, &keys, Some(id)).await
    }

    /// Plans a change of a card. `version` is the one that the employee saw. `owner` is the numeric id of
    /// the patch's owner, if it names one. Submitting ends in `Conflict` when somebody was quicker.
    ///
    /// # Errors
    /// `Conflict` when the card moved on; `InvalidParam` for what a card cannot say.
    pub async fn patch_card(
        &self,
        card: &Card,
        version: i64,
        patch: &Patch,
        owner: Option<Nid>,
        actor: Actor,
    ) -> Result<Change> {
        let mut row = card.contact.clone();
        if row.version != version {
            return Err(moved());
        }
        if let Some(kind) = &patch.kind {
            row.kind = one_of(kind, "kind", &KINDS)?.to_owned();
        }
        if let Some(stage) = &patch.stage {
            row.stage = one_of(stage, "stage", &STAGES)?.to_owned();
        }
        if let Some(visibility) = &patch.visibility {
            row.visibility = one_of(visibility, "visibility", &VISIBILITIES)?.to_owned();
        }
        if patch.owner.is_some() {
            row.owner = owner;
        }
        let now = self.now();
        let mut change = Change::default();
        let mut typed = Vec::new();
        for (field, value) in &patch.fields {
            let field = one_of(field, "fields", &FIELDS)?;
            let value = value.as_deref().map(|value| text(value, field, LONGEST)).transpose()?;
            if field == "language" {
                if value.as_deref().is_some_and(|code| Language::of(code).is_none()) {
                    return Err(Error::invalid_param("language must be one of: pl, uk, en."));
                }
                row.language.clone_from(&value);
            }
            match value {
                None => change.clear_contact_field(&row.id, field, EMPLOYEE),
                Some(value) => typed.push((field.to_owned(), value)),
            }
        }
        if patch.stage.is_some() {
            change.stage_by_hand(&row.id, now);
        }
        self.note_by_hand(&mut change, &row.id, &typed, now);
        if let Some(reason) = &patch.override_reason {
            let reason = text(reason, "override_reason", LONGEST)?;
            self.note_override(&mut change, &row.id, &reason, &[], &actor).await?;
        }
        row.own = edited(row.own.as_deref(), &standing(&card.contact), &standing(&row));
        change.change_contact(&row, now);
        let mut audit = Audit::done(Action::ContactUpdate, actor, now).on("contact", row.id.as_str());
        let fields: Vec<&String> = patch.fields.keys().collect();
        audit.detail = Some(serde_json::json!({ "version": version, "fields": fields }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(change)
    }
}

/// What a merge may change of a contact.
pub(crate) fn standing(row: &ContactRow) -> Standing {
    Standing {
        kind: row.kind.clone(),
        stage: row.stage.clone(),
        owner: row.owner,
        visibility: row.visibility.clone(),
        language: row.language.clone(),
    }
}

/// The refusal of a change that was made on an old form of the thing.
pub fn moved() -> Error {
    Error::new(Code::Conflict, "Somebody else changed this meanwhile. Read it again, then change it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(source: &str, text: &str, trust: i64, ts: i64) -> FieldRow {
        FieldRow {
            contact: "C".into(),
            field: "phone".into(),
            source: source.into(),
            value: text.into(),
            trust,
            ts,
        }
    }

    #[test]
    fn what_the_company_set_comes_first_then_trust_then_age() {
        let shown = |values: Vec<FieldRow>| chosen(values).remove("phone").unwrap().value;
        assert_eq!(shown(vec![value("shop", "1", 3, 9), value("employee", "2", 0, 1)]), "2");
        assert_eq!(shown(vec![value("form", "1", 0, 9), value("network", "2", 2, 1)]), "2");
        assert_eq!(shown(vec![value("form", "1", 0, 9), value("customer", "2", 0, 10)]), "2");
    }

    #[test]
    fn a_nickname_stands_behind_any_name_that_was_given() {
        let name = |source: &str, text: &str, trust| FieldRow {
            field: "display_name".to_owned(),
            ..value(source, text, trust, 1)
        };
        let shown = |values: Vec<FieldRow>| chosen(values).remove("display_name").unwrap().value;
        assert_eq!(shown(vec![name("network", "kvitka", 2), name("form", "Oksana", 0)]), "Oksana");
        assert_eq!(shown(vec![name("network", "kvitka", 2)]), "kvitka");
    }

    #[test]
    fn a_patch_tells_absent_from_null() {
        let patch: Patch =
            serde_json::from_str(r#"{"owner":null,"fields":{"phone":null,"email":"a"}}"#).unwrap();
        assert_eq!((patch.owner, patch.stage), (Some(None), None));
        assert_eq!(patch.fields.get("phone"), Some(&None));
        assert!(serde_json::from_str::<Patch>("{}").unwrap().owner.is_none());
        assert!(serde_json::from_str::<Patch>(r#"{"id":"x"}"#).is_err());
    }
}
