//! What a row says: checked, its numbers and addresses read. Nothing of it is looked up here.

use super::{Import, LeftOut, Reason, Row, Told};
use crate::arrival::{self, REGION};
use crate::card::{KINDS, STAGES, VISIBILITIES};
use crate::keys::{Kind, emails, phones};
use crate::ulid::is_ulid;
use crate::{claim, one_of, text};
use kontor_model::{Error, Language};
use kontor_store::contacts::identities::{ClaimRow, ConsentRow};
use serde::Deserialize;

/// Numbers and addresses of one row.
const MOST_KEYS: usize = 20;
/// Longest value, bytes.
const LONGEST: usize = 500;

/// What a row says of a person.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Fields {
    /// What it is called.
    pub display_name: Option<String>,
    /// Telephone numbers; a text may hold several.
    #[serde(default)]
    pub phones: Vec<String>,
    /// Mail addresses; a text may hold several.
    #[serde(default)]
    pub emails: Vec<String>,
    /// The company that it works for.
    pub company: Option<String>,
    /// Number in the register of taxpayers.
    pub vat: Option<String>,
    /// Number among the company's customers.
    pub customer_no: Option<String>,
    /// pl, uk or en.
    pub language: Option<String>,
    /// person, unknown, line, bot; person when absent. Of new contacts only.
    pub kind: Option<String>,
    /// visitor, lead, customer; lead when absent. Of new contacts only.
    pub stage: Option<String>,
    /// owner, team, all; all when absent. Of new contacts only.
    pub visibility: Option<String>,
}

/// A row, read.
pub struct Read {
    /// As resolution looks at it.
    pub arrival: arrival::Read,
    /// Its name and company, by field.
    pub fields: Vec<(&'static str, String)>,
    /// Everything that it claims.
    pub claims: Vec<ClaimRow>,
    /// What does not exist.
    pub left_out: Vec<LeftOut>,
    /// What the person consents to, or took back.
    pub consents: Vec<ConsentRow>,
    pub language: Option<String>,
    pub kind: &'static str,
    pub stage: &'static str,
    pub visibility: &'static str,
}

impl Read {
    /// What it is called.
    pub fn name(&self) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == "display_name").map(|(_, value)| value.as_str())
    }
}

/// Reads a row, or says why it cannot be taken.
pub fn read(import: &Import, row: &Row) -> Result<Read, Box<Told>> {
    let bad = |error: Error| Box::new(Told::rejected(row.row, Reason::BadValue, error.message));
    let said = |value: &Option<String>, field: &str, longest: usize| {
        let value = value.as_deref().filter(|value| !value.trim().is_empty());
        value.map(|value| text(value, field, longest)).transpose()
    };
    if row.contact_id.as_deref().is_some_and(|id| !is_ulid(id)) {
        let error = "contact_id is no id of a contact.";
        return Err(Box::new(Told::rejected(row.row, Reason::BadValue, error)));
    }
    said(&row.external_id, "external_id", 255).map_err(bad)?;
    said(&row.override_reason, "override_reason", LONGEST).map_err(bad)?;
    if row.owner.as_ref().is_some_and(|owner| !import.owners.contains_key(owner)) {
        let error = "owner is no user id of an account here.";
        return Err(Box::new(Told::rejected(row.row, Reason::Owner, error)));
    }
    let mut fields = Vec::new();
    for (field, value, longest) in
        [("display_name", &row.fields.display_name, 120), ("company", &row.fields.company, LONGEST)]
    {
        fields.extend(said(value, field, longest).map_err(bad)?.map(|value| (field, value)));
    }
    let mut left_out = Vec::new();
    let mut claims = numbers(row, &mut left_out).map_err(bad)?;
    for (kind, value) in [("vat", &row.fields.vat), ("customer_no", &row.fields.customer_no)] {
        claims.extend(
            said(value, kind, LONGEST)
                .map_err(bad)?
                .map(|value| claimed(kind, claim::key(kind, &value), &value)),
        );
    }
    // Of whom the row says itself who it is, consents alone are something.
    let is_named = row.contact_id.is_some() || row.external_id.is_some();
    if fields.is_empty() && claims.is_empty() && (row.consents.is_empty() || !is_named) {
        return Err(Box::new(Told { left_out, ..empty(row) }));
    }
    let language = said(&row.fields.language, "language", 40).map_err(bad)?;
    let known = language.as_deref().and_then(|code| Language::of(code).map(|_| code.to_owned()));
    if let (Some(value), None) = (language, &known) {
        left_out.push(LeftOut { field: "language".to_owned(), value });
    }
    let word = |value: &Option<String>, field, words: &[&'static str], default| match value.as_deref() {
        None | Some("") => Ok(default),
        Some(value) => one_of(value, field, words).map_err(bad),
    };
    let name = fields.iter().find(|(field, _)| *field == "display_name").map(|(_, value)| value.clone());
    Ok(Read {
        arrival: as_arrival(import, row, name.as_deref(), &claims),
        kind: word(&row.fields.kind, "kind", &KINDS, "person")?,
        stage: word(&row.fields.stage, "stage", &STAGES, "lead")?,
        visibility: word(&row.fields.visibility, "visibility", &VISIBILITIES, "all")?,
        language: known,
        fields,
        claims,
        left_out,
        consents: Vec::new(),
    })
}

/// What is told of a row of which nothing is left.
pub(super) fn empty(row: &Row) -> Told {
    let error = "Nothing of the row can be taken: it has no name, and no number or address that exists.";
    Told::rejected(row.row, Reason::Empty, error)
}

/// The numbers and addresses of a row that exist, one claim for each; the others are left out.
fn numbers(row: &Row, left_out: &mut Vec<LeftOut>) -> Result<Vec<ClaimRow>, Error> {
    let mut claims: Vec<ClaimRow> = Vec::new();
    if row.fields.phones.len() + row.fields.emails.len() > MOST_KEYS {
        return Err(Error::invalid_param(format!("A row may have {MOST_KEYS} numbers and addresses.")));
    }
    for (kind, values) in [(Kind::Phone, &row.fields.phones), (Kind::Email, &row.fields.emails)] {
        for value in values.iter().filter(|value| !value.trim().is_empty()) {
            let value = text(value, kind.word(), LONGEST)?;
            let keys = match kind {
                Kind::Phone => phones(&value, REGION),
                Kind::Email => emails(&value),
            };
            if keys.is_empty() {
                left_out.push(LeftOut { field: kind.word().to_owned(), value: value.clone() });
            }
            // What stood alone is kept as it was written; of several each is its own.
            let alone = keys.len() == 1;
            for key in keys {
                let shown = if alone { value.clone() } else { key.text.clone() };
                if !claims.iter().any(|claim| claim.kind == kind.word() && claim.key == key.text) {
                    claims.push(claimed(kind.word(), key.text, &shown));
                }
            }
        }
    }
    Ok(claims)
}

fn claimed(kind: &str, key: String, value: &str) -> ClaimRow {
    ClaimRow {
        kind: kind.to_owned(),
        key,
        value: value.to_owned(),
        trust: 0,
        source: "import".to_owned(),
        event_id: None,
        since_ts: 0,
        until_ts: None,
        conversation: None,
    }
}

/// The row as something that came along: somebody typed its numbers and addresses, and it is of no place.
fn as_arrival(import: &Import, row: &Row, name: Option<&str>, claims: &[ClaimRow]) -> arrival::Read {
    let said: Vec<_> = claims
        .iter()
        .filter_map(|claim| {
            let kind = [Kind::Phone, Kind::Email].into_iter().find(|kind| kind.word() == claim.kind)?;
            Some((kind, claim.value.as_str(), false))
        })
        .collect();
    let id = format!("{} {}", import.id, row.row);
    arrival::read(("import", &import.system, "form", &id), name, &said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Held;
    use kontor_store::audit::Actor;
    use std::collections::BTreeMap;

    fn import() -> Import {
        Import {
            id: "f".into(),
            system: "file".into(),
            external_type: crate::import::RECORD.into(),
            held: Held::Reject,
            owners: BTreeMap::new(),
            actor: Actor::default(),
        }
    }

    fn row(json: serde_json::Value) -> Row {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn several_numbers_of_a_field_are_several_and_what_does_not_exist_is_left_out() {
        let row = row(serde_json::json!({
            "row": 1, "display_name": "Jan Kowalski", "phones": ["512 342 152 / 601 234 567", "12"],
            "emails": ["jan@firma.pl; biuro@firma.pl", "jan@"],
        }));
        let read = read(&import(), &row).ok().unwrap();
        let keys: Vec<&str> = read.claims.iter().map(|claim| claim.key.as_str()).collect();
        assert_eq!(keys, ["+48512342152", "+48601234567", "jan@firma.pl", "biuro@firma.pl"]);
        assert_eq!(read.left_out.len(), 2, "{:?}", read.left_out);
        assert_eq!(read.arrival.arrival.keys().count(), 4);
    }

    #[test]
    fn a_row_of_nothing_is_refused_and_says_what_was_in_it() {
        for json in [
            serde_json::json!({ "row": 1, "phones": ["12"] }),
            serde_json::json!({ "row": 1, "display_name": "  " }),
            serde_json::json!({ "row": 1, "display_name": "Jan", "stage": "friend" }),
            serde_json::json!({ "row": 1, "display_name": "Jan", "owner": "@nobody:example.org" }),
            serde_json::json!({ "row": 1, "display_name": "Jan\u{7}" }),
            serde_json::json!({ "row": 1, "display_name": "Jan", "contact_id": "1" }),
        ] {
            let told = read(&import(), &row(json.clone())).err().unwrap();
            assert!(told.reason.is_some() && told.error.is_some(), "{json}");
        }
    }
}
