//! The tree of values as it was given, before it has types: the file's tables overlaid with
//! environment variables, and for every value the place it came from.

use super::problem::Problems;
use super::schema::{Key, Kind, Section};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

/// Prefix of every environment variable that is a configuration key.
pub const PREFIX: &str = "KONTOR__";

/// Values and the places they came from.
#[derive(Debug, Default)]
pub struct Tree {
    /// The values.
    pub table: Table,
    /// Dotted path (`listener[0].bind`) to place.
    places: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the text of a file.
    pub fn parse(text: &str, file: &str) -> Result<Self, Problems> {
        let table: Table = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            Problems::one(format!("{file}, line {line}"), format!("this is not TOML: {}.", error.message()))
        })?;
        let mut tree = Self { table, places: BTreeMap::new() };
        if let Ok(spanned) = DeTable::parse(text) {
            tree.note_table("", spanned.get_ref(), text, file);
        }
        Ok(tree)
    }

    /// Where the value at the path was given.
    pub fn place(&self, path: &str) -> String {
        match self.places.get(path) {
            Some(place) => format!("{place}, `{path}`"),
            None if path.is_empty() => String::new(),
            None => format!("`{path}`"),
        }
    }

    /// Overlays one environment variable, whose name has lost its prefix.
    pub fn overlay(&mut self, variable: &str, text: &str, sections: &[Section]) -> Result<(), Problems> {
        let path: Vec<String> = variable.split("__").map(str::to_lowercase).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let kind = match path.as_slice() {
            [key] => kind_of(sections, "", key),
            [section, key] | [section, _, key] => kind_of(sections, section, key),
            _ => None,
        };
        let value = typed(kind, text).map_err(|sentence| {
            Problems::one(format!("environment variable {PREFIX}{variable}"), sentence)
        })?;
        let dotted = match path.as_slice() {
            [section, number, key] => {
                self.set_in_list(section, number, key, value)
                    .map_err(|sentence| Problems::one(format!("{PREFIX}{variable}"), sentence))?;
                format!("{section}[{number}].{key}")
            }
            [section, key] => {
                let table = self.table.entry(*section).or_insert_with(|| Value::Table(Table::new()));
                if let Value::Table(table) = table {
                    table.insert((*key).to_owned(), value);
                }
                format!("{section}.{key}")
            }
            path => {
                let key = path.join(".");
                self.table.insert(key.clone(), value);
                key
            }
        };
        self.places.insert(dotted, format!("environment variable {PREFIX}{variable}"));
        Ok(())
    }

    fn set_in_list(&mut self, section: &str, number: &str, key: &str, value: Value) -> Result<(), String> {
        let wrong = || {
            format!(
                "entries of `{section}` are numbered 0, 1, 2 and so on, without gaps; {number} does not fit."
            )
        };
        let index: usize = number.parse().map_err(|_| wrong())?;
        let list = self.table.entry(section).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(list) = list else { return Err(wrong()) };
        if index == list.len() {
            list.push(Value::Table(Table::new()));
        }
        match list.get_mut(index) {
            Some(Value::Table(table)) => {
                table.insert(key.to_owned(), value);
                Ok(())
            }
            _ => Err(wrong()),
        }
    }

    fn note_table(&mut self, path: &str, table: &DeTable<'_>, text: &str, file: &str) {
        for (key, value) in table.iter() {
            let name = key.get_ref();
            let inner = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            let line = line_of(text, key.span().start);
            self.places.insert(inner.clone(), format!("{file}, line {line}"));
            self.note_value(&inner, value, text, file);
        }
    }

    fn note_value(&mut self, path: &str, value: &Spanned<DeValue<'_>>, text: &str, file: &str) {
        match value.get_ref() {
            DeValue::Table(table) => self.note_table(path, table, text, file),
            DeValue::Array(array) => {
                for (index, element) in array.iter().enumerate() {
                    let inner = format!("{path}[{index}]");
                    let line = line_of(text, element.span().start);
                    self.places.insert(inner.clone(), format!("{file}, line {line}"));
                    self.note_value(&inner, element, text, file);
                }
            }
            _ => {}
        }
    }
}

/// Number of the line, from 1, that holds the byte.
fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

fn kind_of(sections: &[Section], section: &str, key: &str) -> Option<Kind> {
    let section = sections.iter().find(|candidate| candidate.name == section)?;
    section.key(key).map(|key: &Key| key.kind)
}

/// The value of an environment variable: plain text, read as the key's kind wants it.
fn typed(kind: Option<Kind>, text: &str) -> Result<Value, String> {
    match kind {
        Some(Kind::Switch) => text.parse().map(Value::Boolean).map_err(|_| not_that(Kind::Switch, text)),
        Some(Kind::Number) => text.parse().map(Value::Integer).map_err(|_| not_that(Kind::Number, text)),
        Some(Kind::Texts) => Ok(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|element| !element.is_empty())
                .map(|element| Value::String(element.to_owned()))
                .collect(),
        )),
        Some(Kind::Table) => {
            let table: Result<Table, _> = toml::from_str(&format!("value = {text}"));
            table.ok().and_then(|mut table| table.remove("value")).ok_or_else(|| not_that(Kind::Table, text))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn not_that(kind: Kind, text: &str) -> String {
    format!("\"{text}\" is not what this key takes: {}.", kind.words())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_line() {
        let text = "a = 1\n\n[s]\nb = [\n 1,\n 2]\n[[l]]\nx = 1\n[[l]]\nx = 2\n";
        let tree = Tree::parse(text, "f").expect("TOML");
        for (path, place) in
            [("a", "f, line 1"), ("s.b", "f, line 4"), ("s.b[1]", "f, line 6"), ("l[1].x", "f, line 10")]
        {
            assert_eq!(tree.place(path), format!("{place}, `{path}`"));
        }
    }

    #[test]
    fn what_is_not_toml_is_said_with_its_line() {
        let problems = Tree::parse("a = 1\nb = = 2\n", "f").expect_err("not TOML");
        assert!(problems.to_string().contains("f, line 2: this is not TOML"), "{problems}");
    }
}
