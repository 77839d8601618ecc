//! `kontorctl contacts export`: the contacts that the caller may see, page by page, as an import takes them again.

use super::Said;
use super::{bad_file, consents, option, vcard};
use crate::api::Server;
use crate::csv::{harmless, line};
use crate::failure::Failure;
use crate::language::Language;
use crate::output::say;
use clap::ArgMatches;
use reqwest::Method;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{BufWriter, Write};

const EXPORTS: &str = "/_kontor/contacts/v1/exports";
/// Contacts of a page.
const PAGE: &str = "500";
/// Columns, each with the server's field.
const COLUMNS: [(&str, &str); 14] = [
    ("contact_id", "contact_id"),
    ("display_name", "display_name"),
    ("phone", "phones"),
    ("email", "emails"),
    ("company", "company"),
    ("vat", "vat"),
    ("customer_no", "customer_no"),
    ("language", "language"),
    ("kind", "kind"),
    ("stage", "stage"),
    ("visibility", "visibility"),
    ("owner", "owner"),
    ("consents", "consents"),
    ("links", "links"),
];

/// `kontorctl contacts export [--format csv|vcf|jsonl] [--to FILE]`
pub async fn export(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let (form, path) = (option(matches, "format"), option(matches, "to"));
    let wrong = |error: std::io::Error| bad_file(language, path, error);
    let mut out: Box<dyn Write> = match path {
        "" => Box::new(std::io::stdout()),
        path => Box::new(BufWriter::new(File::create(path).map_err(wrong)?)),
    };
    if form == "csv" {
        let heads: Vec<&str> = COLUMNS.iter().map(|(head, _)| *head).collect();
        out.write_all(format!("\u{feff}{}", line(&heads)).as_bytes()).map_err(wrong)?;
    }
    let (mut from, mut count) = (None::<String>, 0_usize);
    loop {
        let mut query = vec![("limit", PAGE)];
        query.extend(from.as_deref().map(|from| ("from", from)));
        let mut page: Map<String, Value> = server.ask(Method::GET, EXPORTS, &query, None).await?;
        let contacts = page.remove("contacts").unwrap_or_default();
        let contacts = contacts.as_array().cloned().ok_or_else(|| server.bad_answer())?;
        for contact in &contacts {
            out.write_all(written(contact, form).as_bytes()).map_err(wrong)?;
        }
        count += contacts.len();
        match page.remove("next") {
            Some(Value::String(next)) if !contacts.is_empty() => from = Some(next),
            _ => break,
        }
    }
    out.flush().map_err(wrong)?;
    if !path.is_empty() {
        say(Said::Exported.with(language, &[("count", &count.to_string()), ("file", path)]));
    }
    Ok(())
}

fn written(contact: &Value, form: &str) -> String {
    match form {
        "vcf" => vcard::write(contact),
        "jsonl" => format!("{contact}\n"),
        _ => {
            let cells: Vec<String> = COLUMNS.iter().map(|(_, field)| cell(contact.get(*field))).collect();
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            line(&cells)
        }
    }
}

/// A value as a cell; several stand between bars.
fn cell(value: Option<&Value>) -> String {
    let one = |value: &Value| value.as_str().map_or_else(|| consents::text(value), str::to_owned);
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list.iter().map(one).collect::<Vec<_>>().join(" | "),
        Some(Value::Object(links)) => {
            let link =
                |(system, id): (&String, &Value)| format!("{system}:{}", id.as_str().unwrap_or_default());
            links.iter().map(link).collect::<Vec<_>>().join(" | ")
        }
        _ => String::new(),
    };
    harmless(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_hold_everything_and_are_no_formulas() {
        let contact = json!({
            "contact_id": "1", "display_name": "=cmd|' /C calc'!A0", "phones": ["+48512342152", "+48601234567"],
            "emails": [], "owner": null, "links": { "shop": "7", "crm": "x" },
        });
        let line = written(&contact, "csv");
        assert!(line.starts_with("1,'=cmd|"), "{line}");
        assert!(
            line.contains(",'+48512342152 | +48601234567,") && line.ends_with(",crm:x | shop:7\n"),
            "{line}"
        );
    }
}
