//! `kontorctl contacts replay`: tells the server of a stream of channel events as arrivals, and writes
//! down what it made of them.

use crate::api::Server;
use crate::csv::{self, Row};
use crate::failure::Failure;
use crate::language::Language;
use crate::output::say;
use crate::texts::Text;
use clap::ArgMatches;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

const ARRIVALS: &str = "/_kontor/contacts/v1/arrivals";
/// Arrivals that are told of together.
const TOGETHER: usize = 100;
const SUGGESTIONS: &str = "/_kontor/contacts/v1/suggestions";

#[derive(Deserialize)]
struct Arrival {
    arrival_id: String,
    contact_id: Option<String>,
}

#[derive(Deserialize)]
struct Suggestion {
    one: String,
    other: String,
    bits: f64,
}

#[derive(Deserialize)]
struct Weighed {
    more: bool,
}

/// `kontorctl contacts replay EVENTS --predictions FILE --suggestions FILE`
pub async fn replay(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let file = |name: &str| matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let wrong = |name: &str, error: std::io::Error| {
        Failure::usage(Text::BadFile.with(language, &[("file", name), ("error", &error.to_string())]))
    };
    let text = std::fs::read_to_string(file("events")).map_err(|error| wrong(file("events"), error))?;
    let events = csv::rows(&text);
    for some in events.chunks(TOGETHER) {
        let body = json!({ "arrivals": some.iter().map(arrival).collect::<Vec<_>>(), "batch": "replay" });
        let _: Value = server.ask(Method::POST, ARRIVALS, &[], Some(&body)).await?;
    }
    let mut body = json!({ "all": true });
    while server.ask::<Weighed>(Method::POST, &format!("{SUGGESTIONS}/weigh"), &[], Some(&body)).await?.more {
        body = json!({ "all": false });
    }
    let told: Vec<Arrival> = crate::pages::all(server, ARRIVALS, "arrivals").await?;
    let told: HashMap<&str, Option<&str>> =
        told.iter().map(|arrival| (arrival.arrival_id.as_str(), arrival.contact_id.as_deref())).collect();
    let mut predictions = csv::line(&["event_id", "contact_id"]);
    for event in &events {
        let id = cell(event, "event_id");
        let nobodys = format!("arrival:{id}");
        let contact = told.get(id).copied().flatten().unwrap_or(&nobodys);
        predictions.push_str(&csv::line(&[id, contact]));
    }
    let suggested: Vec<Suggestion> = crate::pages::all(server, SUGGESTIONS, "suggestions").await?;
    let mut suggestions = csv::line(&["contact_a", "contact_b", "score"]);
    let mut seen = BTreeSet::new();
    for pair in &suggested {
        if seen.insert((pair.one.as_str(), pair.other.as_str())) {
            suggestions.push_str(&csv::line(&[&pair.one, &pair.other, &format!("{:.2}", pair.bits)]));
        }
    }
    for (name, text) in [("predictions", predictions), ("suggestions", suggestions)] {
        if !file(name).is_empty() {
            std::fs::write(file(name), text).map_err(|error| wrong(file(name), error))?;
        }
    }
    let counts = [("events", events.len().to_string()), ("suggestions", seen.len().to_string())];
    let counts: Vec<(&str, &str)> = counts.iter().map(|(name, count)| (*name, count.as_str())).collect();
    say(Text::Replayed.with(language, &counts));
    Ok(())
}

fn cell<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).map(String::as_str).unwrap_or_default()
}

/// An event as the server is told of it.
fn arrival(row: &Row) -> Value {
    let (channel, id) = (cell(row, "channel"), cell(row, "channel_user_id"));
    let number = id.trim_start_matches('+').bytes().all(|byte| byte.is_ascii_digit());
    let id_type = match channel {
        "whatsapp" if number => "phone",
        "whatsapp" => "bsuid",
        "sms" | "phone" => "phone",
        "email" => "email",
        "livechat" => "visitor",
        "webform" => "form",
        _ => "user",
    };
    let said = |value: &str, source: &str| match cell(row, value) {
        "" => json!([]),
        text => json!([{ "value": text, "proven": cell(row, source) == "channel" }]),
    };
    let name = cell(row, "display_name");
    json!({
        "arrival_id": cell(row, "event_id"),
        "channel": channel,
        "id_type": id_type,
        "external_id": id,
        "display_name": (!name.is_empty()).then_some(name),
        "phones": said("phone_raw", "phone_source"),
        "emails": said("email_raw", "email_source"),
    })
}
