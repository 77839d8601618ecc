//! `kontorctl contacts quality`: reports on the quality of what is known of contacts.

use super::Said;
use super::option;
use crate::api::Server;
use crate::failure::Failure;
use crate::language::Language;
use crate::moderate::user_id;
use crate::output::{moment, say, table};
use crate::report::harmless;
use crate::texts::Text;
use clap::ArgMatches;
use reqwest::Method;
use serde_json::{Map, Value, json};

const REPORTS: &str = "/_kontor/contacts/v1/quality/reports";

/// `kontorctl contacts quality show [ID] | make | assign ID NAME | sign-off ID [--note TEXT]`
pub async fn quality(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let Some((command, matches)) = matches.subcommand() else { return Ok(()) };
    let id = option(matches, "report");
    let report: Value = match command {
        "show" if id.is_empty() => {
            let mut page: Map<String, Value> =
                server.ask(Method::GET, REPORTS, &[("limit", "500")], None).await?;
            let reports = page.remove("reports").unwrap_or_default();
            return list(&reports, matches, language).ok_or_else(|| server.bad_answer());
        }
        "show" => server.ask(Method::GET, &format!("{REPORTS}/{id}"), &[], None).await?,
        "make" => server.ask(Method::POST, REPORTS, &[], None).await?,
        "assign" => {
            let body = json!({ "user_id": user_id(server, option(matches, "name")).await? });
            server.ask(Method::POST, &format!("{REPORTS}/{id}/assign"), &[], Some(&body)).await?
        }
        _ => {
            let note = Some(option(matches, "note")).filter(|note| !note.is_empty());
            let body = note.map_or_else(|| json!({}), |note| json!({ "note": note }));
            server.ask(Method::POST, &format!("{REPORTS}/{id}/sign-off"), &[], Some(&body)).await?
        }
    };
    match option(matches, "output") == "json" {
        true => say(serde_json::to_string_pretty(&report).unwrap_or_default()),
        false => say(harmless_lines(&words(&report, language))),
    }
    Ok(())
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list(reports: &Value, matches: &ArgMatches, language: Language) -> Option<()> {
    let reports = reports.as_array()?;
    if option(matches, "output") == "json" {
        say(serde_json::to_string_pretty(&json!({ "reports": reports })).unwrap_or_default());
        return Some(());
    }
    let row = |report: &Value| {
        let when = |field: &str| report.get(field).and_then(Value::as_i64).map(moment).unwrap_or_default();
        let of = |field: &str| harmless(text(report, field));
        [of("report_id"), of("month"), when("made_ts"), of("assignee"), when("signed_ts"), of("signed_by")]
    };
    let rows: Vec<[String; 6]> = reports.iter().map(row).collect();
    let heads = [
        Said::ColumnReport.of(language),
        Said::ColumnMonth.of(language),
        Text::ColumnMade.of(language),
        Said::ColumnAssignee.of(language),
        Said::ColumnSigned.of(language),
        Said::ColumnSigner.of(language),
    ];
    say(table(heads, &rows));
    Some(())
}

/// A report in words, one line for each figure.
fn words(report: &Value, language: Language) -> String {
    let figures = report.get("figures").cloned().unwrap_or_default();
    let count =
        |pointer: &str| figures.pointer(pointer).and_then(Value::as_i64).unwrap_or_default().to_string();
    let when = |field: &str| report.get(field).and_then(Value::as_i64).map(moment).unwrap_or_default();
    let sum = |pointer: &str| {
        let list = figures.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(|one| one.get("count")?.as_i64()).sum::<i64>().to_string()
    };
    let mut lines =
        vec![format!("{} {} ({} UTC)", text(report, "report_id"), text(report, "month"), when("made_ts"))];
    for (text, value) in [
        (Said::QualityContacts, count("/contacts")),
        (Said::QualityByKey, count("/duplicates/by_key")),
        (Said::QualitySuggested, count("/duplicates/suggested")),
        (Said::QualityNoKey, count("/missing/key/count")),
        (Said::QualityNoConsent, count("/missing/consent/count")),
        (Said::QualityNoOwner, count("/missing/owner/count")),
        (Said::QualityImpossible, count("/impossible_numbers/count")),
        (Said::QualityContested, count("/contested_keys")),
        (Said::QualityOverrides, sum("/overrides")),
        (Said::QualityUndone, sum("/undone_merges")),
    ] {
        lines.push(format!("{}: {value}", text.of(language)));
    }
    for agent in figures.pointer("/overrides").and_then(Value::as_array).into_iter().flatten() {
        let count = agent.get("count").and_then(Value::as_i64).unwrap_or_default();
        lines.push(format!("  {}: {count}", text(agent, "user_id")));
    }
    if !text(report, "assignee").is_empty() {
        lines.push(format!("{}: {}", Said::ColumnAssignee.of(language), text(report, "assignee")));
    }
    if !text(report, "signed_by").is_empty() {
        let signed =
            format!("{} · {} UTC · {}", text(report, "signed_by"), when("signed_ts"), text(report, "note"));
        lines.push(format!("{}: {signed}", Said::ColumnSigned.of(language)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_in_words() {
        let report = json!({
            "report_id": "R", "month": "2026-11", "made_ts": 0, "signed_by": "@anna:x", "signed_ts": 60_000, "note": "ok",
            "figures": { "contacts": 7, "missing": { "key": { "count": 2 } },
                "overrides": [{ "user_id": "@piotr:x", "count": 3 }] },
        });
        let told = words(&report, Language::Polish);
        assert!(told.starts_with("R 2026-11 (1970-01-01 00:00 UTC)\nKontakty: 7\n"), "{told}");
        assert!(
            told.contains("  @piotr:x: 3") && told.ends_with("@anna:x · 1970-01-01 00:01 UTC · ok"),
            "{told}"
        );
    }
}
