//! `kontorctl contacts import`: customers out of a file, a few hundred at a time. The server takes each row once: the
//! same command again goes on where it stopped.

use super::Said;
use super::mapping::{self, Mapping};
use super::progress::Progress;
use super::vcard::{self, Wrong};
use super::{bad_file, option, sheet};
use crate::api::Server;
use crate::csv::line_with;
use crate::failure::Failure;
use crate::language::Language;
use crate::output::say;
use clap::ArgMatches;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const IMPORTS: &str = "/_kontor/contacts/v1/imports";
/// Rows that are sent together.
const TOGETHER: usize = 200;
/// Exit code of what was done in part.
const IN_PART: u8 = 6;

/// What became of a row.
#[derive(Clone, Debug, Default, Deserialize)]
struct Told {
    row: i64,
    outcome: String,
    reason: Option<String>,
    error: Option<String>,
    #[serde(default)]
    candidates: Vec<String>,
    #[serde(default)]
    left_out: Vec<LeftOut>,
    #[serde(default)]
    consents_given: usize,
    #[serde(default)]
    consents_withdrawn: usize,
    #[serde(default)]
    keys: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct LeftOut {
    field: String,
    value: String,
}

#[derive(Deserialize)]
struct Answer {
    rows: Vec<Told>,
}

/// A file, read.
struct File {
    /// What the server is told.
    rows: Vec<Value>,
    /// What was refused before anybody asked.
    refused: Vec<Told>,
    form: Form,
}

/// How a file is written, for that of the rejected.
enum Form {
    Sheet(sheet::Sheet),
    Cards(Vec<vcard::Card>),
}

/// `kontorctl contacts import FILE [--dry-run] [--mapping FILE] [--rejected FILE] [--attach]`
pub async fn import(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let path = option(matches, "file");
    let bytes = std::fs::read(path).map_err(|error| bad_file(language, path, error))?;
    let mapped = option(matches, "mapping");
    let mapping = if mapped.is_empty() { Mapping::default() } else { Mapping::read(mapped, language)? };
    let dry = matches.get_flag("dry-run");
    let file = read(path, &bytes, &mapping, language)?;
    let name = match option(matches, "import-id") {
        "" => digest(&bytes),
        name => name.to_owned(),
    };
    let held = if matches.get_flag("attach") { "attach" } else { "reject" };
    let system = mapping.system.as_deref().unwrap_or("file");
    let mut told = file.refused.clone();
    let progress = Progress::of(file.rows.len(), language);
    for (index, some) in file.rows.chunks(TOGETHER).enumerate() {
        let body = json!({ "import_id": name, "system": system, "held": held, "dry_run": dry, "rows": some });
        let answer: Answer = server.ask(Method::POST, IMPORTS, &[], Some(&body)).await?;
        told.extend(answer.rows);
        progress.at(index * TOGETHER + some.len());
    }
    progress.end();
    if dry {
        repeated(&mut told, held == "attach");
    }
    told.sort_by_key(|one| one.row);
    report(&told, dry, language);
    let rejected: BTreeMap<i64, &Told> =
        told.iter().filter(|one| one.outcome == "rejected").map(|one| (one.row, one)).collect();
    let target = option(matches, "rejected");
    if !target.is_empty() {
        let text = rejected_file(&file.form, &rejected, language);
        std::fs::write(target, text).map_err(|error| bad_file(language, target, error))?;
    }
    match rejected.is_empty() || dry {
        true => Ok(()),
        false => {
            let count = rejected.len().to_string();
            Err(Failure { code: IN_PART, sentence: Said::SomeRejected.with(language, &[("count", &count)]) })
        }
    }
}

/// A name for what a file holds.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn read(path: &str, bytes: &[u8], mapping: &Mapping, language: Language) -> Result<File, Failure> {
    let text = sheet::text(bytes, mapping.encoding);
    let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    if extension == "vcf" || text.trim_start_matches('\u{feff}').trim_start().starts_with("BEGIN:VCARD") {
        return Ok(cards(vcard::read(&text), language));
    }
    let sheet = sheet::read(&text, mapping.delimiter);
    let fields = mapping.fields(&sheet.head);
    let naming = ["display_name", "given_name", "family_name", "phone", "email", "contact_id", "external_id"];
    if !fields.iter().flatten().any(|field| naming.contains(&field.as_str())) {
        return Err(Failure::usage(Said::NoColumns.with(language, &[("columns", &sheet.head.join(", "))])));
    }
    for (name, _) in
        sheet.head.iter().zip(&fields).filter(|(name, field)| field.is_none() && !name.trim().is_empty())
    {
        if !["reason", "candidates"].contains(&name.trim()) {
            eprintln!("{}", Said::ColumnLeftOut.with(language, &[("column", name)]));
        }
    }
    let rows = sheet.lines.iter().map(|(number, cells)| mapping::row(*number, &fields, cells)).collect();
    Ok(File { rows, refused: Vec::new(), form: Form::Sheet(sheet) })
}

fn cards(cards: Vec<vcard::Card>, language: Language) -> File {
    let (mut rows, mut refused) = (Vec::new(), Vec::new());
    for card in &cards {
        match &card.row {
            Ok(row) => rows.push(row.clone()),
            Err(wrong) => {
                let text = if *wrong == Wrong::Version { Said::CardVersion } else { Said::CardForm };
                refused.push(Told {
                    row: card.number,
                    outcome: "rejected".to_owned(),
                    error: Some(text.of(language).to_owned()),
                    ..Told::default()
                });
            }
        }
    }
    File { rows, refused, form: Form::Cards(cards) }
}

/// What a dry run cannot know: that a row of the same file would be there by then.
fn repeated(told: &mut [Told], attach: bool) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    told.sort_by_key(|one| one.row);
    for one in told.iter_mut().filter(|one| matches!(one.outcome.as_str(), "new" | "suggested")) {
        if one.keys.iter().any(|key| seen.contains(key)) {
            one.outcome = if attach { "updated" } else { "rejected" }.to_owned();
            one.reason = (!attach).then(|| "held".to_owned());
        }
        seen.extend(one.keys.iter().cloned());
    }
}

/// Why a row was rejected, in words.
fn why(told: &Told, language: Language) -> String {
    match told.reason.as_deref() {
        Some("held") => Said::RowHeld.of(language).to_owned(),
        Some("alike") => Said::RowAlike.of(language).to_owned(),
        Some("empty") => Said::RowEmpty.of(language).to_owned(),
        Some("consent") => Said::RowConsent.of(language).to_owned(),
        Some("owner") => Said::RowOwner.of(language).to_owned(),
        Some("bad_value") => {
            Said::RowBadValue.with(language, &[("error", told.error.as_deref().unwrap_or_default())])
        }
        _ => told.error.clone().unwrap_or_default(),
    }
}

fn report(told: &[Told], dry: bool, language: Language) {
    for one in told {
        for left in &one.left_out {
            let row = one.row.to_string();
            let words =
                [("row", row.as_str()), ("field", left.field.as_str()), ("value", left.value.as_str())];
            let text = if left.field == "consent" { Said::ConsentLeftOut } else { Said::LeftOut };
            eprintln!("{}", crate::report::harmless(&text.with(language, &words)));
        }
        if one.outcome == "rejected" {
            let (row, why) = (one.row.to_string(), why(one, language));
            eprintln!(
                "{}",
                crate::report::harmless(&Said::RowRejected.with(language, &[("row", &row), ("why", &why)]))
            );
        }
    }
    let count = |outcome: &str| told.iter().filter(|one| one.outcome == outcome).count().to_string();
    let names = ["new", "suggested", "updated", "unchanged", "taken", "rejected"];
    let counts: Vec<(&str, String)> = names.iter().map(|name| (*name, count(name))).collect();
    let words: Vec<(&str, &str)> = counts.iter().map(|(name, count)| (*name, count.as_str())).collect();
    let text = if dry { Said::WouldImport } else { Said::Imported };
    say(text.with(language, &words));
    let given: usize = told.iter().map(|one| one.consents_given).sum();
    let withdrawn: usize = told.iter().map(|one| one.consents_withdrawn).sum();
    if given + withdrawn > 0 {
        let words = [("given", given.to_string()), ("withdrawn", withdrawn.to_string())];
        let words: Vec<(&str, &str)> = words.iter().map(|(name, count)| (*name, count.as_str())).collect();
        say(Said::Consents.with(language, &words));
    }
}

/// The rows that were rejected as they stood in the file, each with the reason.
fn rejected_file(form: &Form, rejected: &BTreeMap<i64, &Told>, language: Language) -> String {
    match form {
        Form::Cards(cards) => {
            let card = |card: &vcard::Card| {
                let told = rejected.get(&card.number)?;
                let text = if card.row.is_ok() { card.text.clone() } else { format!("{}\r\n", card.text) };
                let ended = text.trim_end().to_ascii_uppercase().ends_with("END:VCARD");
                Some(if ended { vcard::with(&text, vcard::REASON, &why(told, language)) } else { text })
            };
            cards.iter().filter_map(card).collect()
        }
        Form::Sheet(sheet) => {
            // What an earlier import wrote behind the row is over.
            let own: Vec<bool> =
                sheet.head.iter().map(|name| !["reason", "candidates"].contains(&name.trim())).collect();
            let kept = |cells: &[String]| {
                let mut cells = cells.to_vec();
                cells.resize(sheet.head.len(), String::new());
                cells.into_iter().zip(&own).filter(|(_, own)| **own).map(|(cell, _)| cell).collect::<Vec<_>>()
            };
            let mut text = String::from('\u{feff}');
            let mut push = |mut cells: Vec<String>, more: [&str; 2]| {
                cells.extend(more.map(str::to_owned));
                let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
                text.push_str(&line_with(&cells, sheet.delimiter));
            };
            push(kept(&sheet.head), ["reason", "candidates"]);
            for (number, cells) in &sheet.lines {
                if let Some(told) = rejected.get(number) {
                    push(kept(cells), [&why(told, language), &told.candidates.join(" ")]);
                }
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(row: i64, outcome: &str, keys: &[&str]) -> Told {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        Told { row, outcome: outcome.to_owned(), keys, ..Told::default() }
    }

    #[test]
    fn a_dry_run_counts_what_its_own_rows_would_stand_in_the_way_of() {
        let rows = || vec![told(2, "new", &["a"]), told(3, "new", &["a", "b"]), told(4, "suggested", &["b"])];
        let mut some = rows();
        repeated(&mut some, false);
        assert_eq!(
            some.iter().map(|one| one.outcome.as_str()).collect::<Vec<_>>(),
            ["new", "rejected", "rejected"]
        );
        let mut some = rows();
        repeated(&mut some, true);
        assert_eq!(
            some.iter().map(|one| one.outcome.as_str()).collect::<Vec<_>>(),
            ["new", "updated", "updated"]
        );
    }

    #[test]
    fn rejected_rows_come_back_as_they_were_with_the_reason() {
        let sheet = sheet::read("Imię;Telefon;reason\n\"A;b\";1;old\nC;2;\n", None);
        let mut one = told(2, "rejected", &[]);
        (one.reason, one.candidates) = (Some("held".to_owned()), vec!["X".to_owned(), "Y".to_owned()]);
        let text = rejected_file(&Form::Sheet(sheet), &BTreeMap::from([(2, &one)]), Language::Polish);
        let again = sheet::read(&text, None);
        assert_eq!(again.head, ["Imię", "Telefon", "reason", "candidates"]);
        assert_eq!(
            (again.lines.len(), again.lines[0].1[0].as_str(), again.lines[0].1[3].as_str()),
            (1, "A;b", "X Y")
        );
        assert!(again.lines[0].1[2].contains("numer"), "{text}");
    }
}
