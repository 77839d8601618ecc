//! Which column of a file is what: by a mapping file, or by what people call such columns.

use super::Said;
use super::bad_file;
use super::consents::{Consents, is_column};
use crate::csv::meant;
use crate::failure::Failure;
use crate::language::Language;
use encoding_rs::Encoding;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a column can be. The last ones are read over: an earlier import wrote them.
const FIELDS: [&str; 20] = [
    "contact_id",
    "external_id",
    "display_name",
    "given_name",
    "family_name",
    "phone",
    "email",
    "company",
    "vat",
    "customer_no",
    "language",
    "kind",
    "stage",
    "visibility",
    "owner",
    "override_reason",
    "consents",
    "",
    "reason",
    "candidates",
];

/// What people call columns, in small letters.
const CALLED: [(&str, &[&str]); 14] = [
    ("external_id", &["id", "identyfikator", "ідентифікатор", "id zewnętrzne"]),
    (
        "display_name",
        &[
            "name",
            "full name",
            "nazwa",
            "imię i nazwisko",
            "imie i nazwisko",
            "kontakt",
            "klient",
            "ім'я та прізвище",
            "піб",
            "назва",
            "клієнт",
        ],
    ),
    ("given_name", &["first name", "given name", "imię", "imie", "ім'я", "ім’я"]),
    ("family_name", &["last name", "surname", "family name", "nazwisko", "прізвище"]),
    (
        "phone",
        &[
            "phone",
            "telefon",
            "tel",
            "tel.",
            "mobile",
            "mobile phone",
            "komórka",
            "komorka",
            "nr telefonu",
            "numer telefonu",
            "телефон",
            "мобільний",
        ],
    ),
    ("email", &["email", "e-mail", "mail", "adres e-mail", "adres email", "пошта", "електронна пошта"]),
    ("company", &["company", "organization", "organisation", "firma", "компанія", "організація"]),
    ("vat", &["vat", "nip", "vat number", "єдрпоу", "іпн"]),
    ("customer_no", &["customer number", "numer klienta", "nr klienta", "номер клієнта"]),
    ("language", &["language", "język", "jezyk", "мова"]),
    ("owner", &["owner", "opiekun", "właściciel", "відповідальний"]),
    ("consents", &["zgody", "згоди"]),
    ("reason", &["powód", "причина"]),
    ("override_reason", &["powód zgody", "причина дозволу"]),
];

/// A mapping file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Columns, by the names in the file's first line; empty = not taken.
    #[serde(default)]
    columns: BTreeMap<String, String>,
    /// Which system the file is from.
    system: Option<String>,
    delimiter: Option<char>,
    /// Name of the file's encoding, such as windows-1250.
    encoding: Option<String>,
}

/// How a file is read.
#[derive(Debug, Default)]
pub struct Mapping {
    columns: BTreeMap<String, String>,
    /// Which system the file is from.
    pub system: Option<String>,
    /// What stands between cells, when it is said.
    pub delimiter: Option<char>,
    /// In which signs it is written, when it is said.
    pub encoding: Option<&'static Encoding>,
}

impl Mapping {
    /// Reads a mapping file.
    pub fn read(path: &str, language: Language) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| bad_file(language, path, error))?;
        let file: File = serde_json::from_str(&text).map_err(|error| bad_file(language, path, error))?;
        let unknown =
            file.columns.values().find(|field| !FIELDS.contains(&field.as_str()) && !is_column(field));
        if let Some(field) = unknown {
            let known =
                FIELDS.iter().filter(|field| !field.is_empty()).copied().collect::<Vec<_>>().join(", ");
            let words = [("field", field.as_str()), ("known", known.as_str())];
            return Err(Failure::usage(Said::UnknownField.with(language, &words)));
        }
        let encoding = match &file.encoding {
            None => None,
            Some(name) => {
                Some(Encoding::for_label(name.as_bytes()).ok_or_else(|| bad_file(language, path, name))?)
            }
        };
        Ok(Self { columns: file.columns, system: file.system, delimiter: file.delimiter, encoding })
    }

    /// What each column is; nothing for those that are not taken.
    pub fn fields(&self, head: &[String]) -> Vec<Option<String>> {
        head.iter().map(|name| self.field(name)).collect()
    }

    fn field(&self, name: &str) -> Option<String> {
        let name = name.trim();
        let found = match self.columns.get(name) {
            Some(field) => Some(field.clone()),
            None if is_column(&name.to_lowercase()) => Some(name.to_lowercase()),
            None => called(name).map(str::to_owned),
        };
        found.filter(|field| !["", "reason", "candidates"].contains(&field.as_str()))
    }
}

/// What a column of such a name is. A figure behind it, such as in `Telefon 2`, says only that there are several.
fn called(name: &str) -> Option<&'static str> {
    let name = name.trim().to_lowercase();
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches([' ', '_', '#', '-']);
    let exactly = FIELDS.iter().find(|field| !field.is_empty() && **field == name).copied();
    exactly.or_else(|| CALLED.iter().find(|(_, names)| names.contains(&name)).map(|(field, _)| *field))
}

/// A line as the server is told of it.
pub fn row(number: i64, fields: &[Option<String>], cells: &[String]) -> Value {
    let mut row = Map::new();
    let (mut given, mut family) = ("", "");
    let (mut phones, mut emails): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut consents = Consents::default();
    for (field, cell) in fields.iter().zip(cells) {
        let (Some(field), cell) = (field, meant(cell.trim()).trim()) else { continue };
        if cell.is_empty() {
            continue;
        }
        match field.as_str() {
            "given_name" => given = cell,
            "family_name" => family = cell,
            // Numbers of one cell are told apart by the server; these cannot stand inside one.
            "phone" => phones.extend(parts(cell, &['|', '\n'])),
            "email" => emails.extend(parts(cell, &['|', '\n', ';'])),
            "consents" => consents.cell(cell),
            field if is_column(field) => consents.column(field, cell),
            field => drop(row.entry(field).or_insert_with(|| cell.into())),
        }
    }
    let whole = format!("{given} {family}");
    if !row.contains_key("display_name") && !whole.trim().is_empty() {
        row.insert("display_name".to_owned(), whole.trim().into());
    }
    row.insert("row".to_owned(), number.into());
    row.insert("phones".to_owned(), json!(phones));
    row.insert("emails".to_owned(), json!(emails));
    let consents = consents.told();
    if !consents.is_empty() {
        row.insert("consents".to_owned(), consents.into());
    }
    Value::Object(row)
}

fn parts<'a>(cell: &'a str, between: &'static [char]) -> impl Iterator<Item = &'a str> {
    cell.split(between).map(|part| meant(part.trim()).trim()).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn columns_are_known_by_what_people_call_them() {
        let head = texts(&["Imię i nazwisko", "Telefon 2", "E-MAIL", "Uwagi", "powód", "phone", "ПІБ"]);
        let found = Mapping::default().fields(&head);
        let wanted = [
            Some("display_name"),
            Some("phone"),
            Some("email"),
            None,
            None,
            Some("phone"),
            Some("display_name"),
        ];
        assert_eq!(found, wanted.map(|field| field.map(str::to_owned)));
        assert_eq!(Mapping::default().fields(&texts(&["Consent_News"])), [Some("consent_news".to_owned())]);
    }

    #[test]
    fn a_line_is_a_row_with_all_its_numbers() {
        let fields =
            [Some("given_name"), Some("family_name"), Some("phone"), Some("phone"), Some("email"), None]
                .map(|field| field.map(str::to_owned));
        let cells = texts(&["Jan", "Kowalski", "'+48512342152 | 601 234 567", "", "a@b.pl;c@d.pl", "x"]);
        let row = row(2, &fields, &cells);
        assert_eq!(row["display_name"], "Jan Kowalski");
        assert_eq!(row["phones"], json!(["+48512342152", "601 234 567"]));
        assert_eq!((row["emails"].as_array().map(Vec::len), row["row"].as_i64()), (Some(2), Some(2)));
        assert!(row.get("given_name").is_none());
    }
}
