//! `kontorctl report`: what users reported to the administrators.

use crate::api::Server;
use crate::failure::Failure;
use crate::language::Language;
use crate::output::{moment, say, table};
use crate::pages;
use crate::texts::Text;
use clap::ArgMatches;
use serde::{Deserialize, Serialize};
use serde_json::json;

const REPORTS: &str = "/_kontor/admin/v1/reports";

/// A report in the list. This is also the form of `-o json`.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    id: String,
    kind: String,
    target: String,
    #[serde(default)]
    room_id: Option<String>,
    #[serde(default)]
    sender: Option<String>,
    reporter: String,
    #[serde(default)]
    reason: Option<String>,
    ts: i64,
}

/// What a person wrote, on one line and without signs that a terminal would obey.
pub fn harmless(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// `kontorctl report list`
pub async fn list(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let reports: Vec<Report> = pages::all(server, REPORTS, "reports").await?;
    if matches.get_one::<String>("output").is_some_and(|form| form == "json") {
        say(serde_json::to_string_pretty(&json!({ "reports": reports })).unwrap_or_default());
        return Ok(());
    }
    let heads =
        [Text::ColumnWhen, Text::ColumnReporter, Text::ColumnReported, Text::ColumnOf, Text::ColumnReason];
    let row = |report: Report| {
        let of = [report.sender, report.room_id].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let reason = harmless(&report.reason.unwrap_or_default());
        [moment(report.ts), harmless(&report.reporter), harmless(&report.target), harmless(&of), reason]
    };
    let rows: Vec<[String; 5]> = reports.into_iter().map(row).collect();
    say(table(heads.map(|head| head.of(language)), &rows));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_people_cannot_drive_the_terminal() {
        assert_eq!(harmless("a\n\u{1b}[2Jżółw"), "a  [2Jżółw");
    }
}
