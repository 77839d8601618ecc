//! Consents in files: in columns of their own (`consent_news`, `consent_news_date`, …), or as a text in one cell, as an
//! export writes them: `news: given, 2026-05-01T10:00:00Z, 3, form, ticked`.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How a column of consents begins.
const COLUMN: &str = "consent_";
/// The parts of a consent in the order of its text, each with the end of its column.
const PARTS: [(&str, &str); 5] =
    [("state", ""), ("date", "_date"), ("text_version", "_text"), ("source", "_source"), ("act", "_act")];
/// Signs that stand between the parts of a text, and what stands for them inside one.
const SIGNS: [(char, &str); 4] = [('%', "%25"), (',', "%2C"), ('|', "%7C"), (':', "%3A")];
/// What people write for the two states.
const STATES: [(&str, [&str; 5]); 2] =
    [("given", ["yes", "tak", "так", "1", "true"]), ("withdrawn", ["no", "nie", "ні", "0", "false"])];

/// Whether a field is a column of consents.
pub fn is_column(field: &str) -> bool {
    field.strip_prefix(COLUMN).is_some_and(|purpose| !purpose.is_empty())
}

/// The consents of a row.
#[derive(Debug, Default)]
pub struct Consents(BTreeMap<String, Map<String, Value>>);

impl Consents {
    /// Reads the cell of a column of consents.
    pub fn column(&mut self, field: &str, cell: &str) {
        let Some(name) = field.strip_prefix(COLUMN) else { return };
        let end =
            PARTS.iter().skip(1).find(|(_, end)| name.strip_suffix(end).is_some_and(|rest| !rest.is_empty()));
        match end {
            Some((part, end)) => {
                let purpose = name.strip_suffix(end).unwrap_or(name);
                self.of(purpose).insert((*part).to_owned(), cell.into());
            }
            None => self.parts(name, cell),
        }
    }

    /// Reads a cell that names purposes itself, with bars between them.
    pub fn cell(&mut self, cell: &str) {
        for text in cell.split(['|', '\n']).map(str::trim).filter(|text| !text.is_empty()) {
            let (purpose, rest) = text.split_once(':').unwrap_or((text, ""));
            self.parts(&inside(purpose), rest);
        }
    }

    fn parts(&mut self, purpose: &str, text: &str) {
        let consent = self.of(purpose);
        for ((part, _), value) in PARTS.iter().zip(text.split(',').map(inside)) {
            if !value.is_empty() {
                let value = if *part == "state" { state(&value) } else { value };
                consent.insert((*part).to_owned(), value.into());
            }
        }
    }

    fn of(&mut self, purpose: &str) -> &mut Map<String, Value> {
        let consent = self.0.entry(purpose.trim().to_owned()).or_default();
        consent.insert("purpose".to_owned(), purpose.trim().into());
        consent
    }

    /// As the server is told of them; of what nobody said that it was given or withdrawn nothing is told.
    pub fn told(self) -> Vec<Value> {
        self.0.into_values().filter(|one| one.contains_key("state")).map(Value::Object).collect()
    }
}

/// A consent as the server gives it, as a text.
pub fn text(consent: &Value) -> String {
    let part = |name: &str| outside(consent.get(name).and_then(Value::as_str).unwrap_or_default());
    let parts: Vec<String> = PARTS.iter().map(|(name, _)| part(name)).collect();
    format!("{}: {}", part("purpose"), parts.join(", "))
}

fn state(word: &str) -> String {
    let lower = word.to_lowercase();
    let known = STATES.iter().find(|(_, words)| words.contains(&lower.as_str()));
    known.map_or(lower.clone(), |(state, _)| (*state).to_owned())
}

fn outside(text: &str) -> String {
    SIGNS.iter().fold(text.to_owned(), |text, (sign, stands)| text.replace(*sign, stands))
}

fn inside(text: &str) -> String {
    SIGNS
        .iter()
        .rev()
        .fold(text.trim().to_owned(), |text, (sign, stands)| text.replace(stands, &sign.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_and_texts_say_the_same() {
        let mut by_columns = Consents::default();
        for (field, cell) in [
            ("consent_news", "Tak"),
            ("consent_news_date", "2026-05-01"),
            ("consent_news_text", "3, b"),
            ("consent_news_source", "form"),
            ("consent_calls", "nie"),
            ("consent_empty_date", "2026-05-01"),
        ] {
            assert!(is_column(field));
            by_columns.column(field, cell);
        }
        let told = by_columns.told();
        let news = json!({ "purpose": "news", "state": "given", "date": "2026-05-01", "text_version": "3, b", "source": "form" });
        assert_eq!(told, [json!({ "purpose": "calls", "state": "withdrawn" }), news]);
        let mut by_text = Consents::default();
        by_text.cell(&told.iter().map(text).collect::<Vec<_>>().join(" | "));
        assert_eq!(by_text.told(), told);
        let mut short = Consents::default();
        short.column("consent_news", "given, 2026-05-01T10:00:00Z, 3");
        let news = json!({ "purpose": "news", "state": "given", "date": "2026-05-01T10:00:00Z", "text_version": "3" });
        assert_eq!(short.told(), [news]);
        assert!(!is_column("consent_") && !is_column("consents"));
    }
}
