//! `kontorctl channel`: channels, whether they work, and letting them rest.

use crate::api::Server;
use crate::failure::Failure;
use crate::language::Language;
use crate::output::{moment, say, table};
use crate::texts::Text;
use clap::ArgMatches;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

const CHANNELS: &str = "/_kontor/admin/v1/channels";
const SERVICES: &str = "/_kontor/admin/v1/application_services";
/// Heads of the list.
const COLUMNS: [&str; 6] = ["ID", "KIND", "STATE", "LAST IN", "WAITING", "DETAIL"];

fn word<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map(String::as_str).unwrap_or_default()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn one(id: &str, rest: &str) -> String {
    format!("{CHANNELS}/{id}{rest}")
}

/// `channel list`
pub async fn list(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let answer: Value = server.ask(Method::GET, CHANNELS, &[], None).await?;
    if word(matches, "output") == "json" {
        say(answer.to_string());
        return Ok(());
    }
    let channels = answer.get("channels").and_then(Value::as_array).ok_or_else(|| server.bad_answer())?;
    if channels.is_empty() {
        say(Text::NoChannels.of(language));
        return Ok(());
    }
    let rows: Vec<[String; 6]> = channels.iter().map(|channel| row(channel, language)).collect();
    say(table(COLUMNS, &rows));
    Ok(())
}

fn row(channel: &Value, language: Language) -> [String; 6] {
    let number = |path: &str| channel.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let last = number("/health/last_in_at");
    let dead = number("/health/dead");
    let mut waiting = number("/health/backlog").to_string();
    if dead > 0 {
        waiting.push_str(&format!(" (+{dead} ✉)"));
    }
    [
        text(channel, "id").to_owned(),
        text(channel, "kind").to_owned(),
        state(text(channel, "state"), language),
        if last > 0 { moment(last) } else { "-".to_owned() },
        waiting,
        text(channel, "detail").to_owned(),
    ]
}

/// A state in words.
fn state(state: &str, language: Language) -> String {
    let text = match state {
        "connected" => Text::StateConnected,
        "degraded" => Text::StateDegraded,
        "no_traffic" => Text::StateNoTraffic,
        "bad_credentials" => Text::StateBadCredentials,
        "down" => Text::StateDown,
        "silent" => Text::StateSilent,
        "paused" => Text::StatePaused,
        _ => Text::StateUnknown,
    };
    text.of(language).to_owned()
}

/// `channel add KIND`: registers the bridge and the channel, and says what comes next.
pub async fn add(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let kind = word(matches, "kind");
    let id = matches.get_one::<String>("id").map_or(kind, String::as_str);
    let file = word(matches, "registration");
    let mut out = new_file(file, language)?;
    let ghosts = format!("@kontor_{}_.*", id.replace('.', "\\."));
    let service = json!({
        "id": id, "url": word(matches, "bridge-url"), "sender_localpart": format!("{id}-bridge"),
        "namespaces": { "users": [{ "exclusive": true, "regex": ghosts }] }, "receive_ephemeral": true,
    });
    let made = match server.ask::<Value>(Method::POST, SERVICES, &[], Some(&service)).await {
        Ok(made) => made,
        Err(failure) => {
            let _ = std::fs::remove_file(file);
            return Err(failure);
        }
    };
    let members: Vec<&String> = matches.get_many::<String>("member").into_iter().flatten().collect();
    let mut channel = json!({
        "id": id, "kind": kind, "application_service": id, "members": members, "language": word(matches, "channel-language"),
    });
    if let (Some(title), Some(fields)) = (matches.get_one::<String>("title"), channel.as_object_mut()) {
        fields.insert("name".to_owned(), json!(title));
    }
    let tokens = json!({ "as_token": made.get("as_token"), "hs_token": made.get("hs_token") });
    let written = writeln!(out, "{tokens}").and_then(|()| out.sync_all());
    let done = match written {
        Err(error) => Err(bad_file(file, &error.to_string(), language)),
        Ok(()) => server.ask::<Value>(Method::POST, CHANNELS, &[], Some(&channel)).await.map(drop),
    };
    if let Err(failure) = done {
        // Half a registration helps nobody.
        let _ = server.ask::<Value>(Method::DELETE, &format!("{SERVICES}/{id}"), &[], None).await;
        let _ = std::fs::remove_file(file);
        return Err(failure);
    }
    say(Text::ChannelAdded.with(language, &[("id", id), ("kind", kind), ("file", file)]));
    Ok(())
}

/// A file for its owner's eyes only, that was not there.
fn new_file(path: &str, language: Language) -> Result<std::fs::File, Failure> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.map_err(|error| bad_file(path, &error.to_string(), language))
}

fn bad_file(path: &str, error: &str, language: Language) -> Failure {
    Failure::usage(Text::BadFile.with(language, &[("file", path), ("error", error)]))
}

/// `channel test`
pub async fn test(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let id = word(matches, "id");
    let said: Value = server.ask(Method::POST, &one(id, "/test"), &[], None).await?;
    let (word, detail) = (text(&said, "state"), text(&said, "detail"));
    let words = state(word, language);
    let line =
        format!("{id}: {words}{}", if detail.is_empty() { String::new() } else { format!(". {detail}") });
    if word == "connected" {
        say(line);
        return Ok(());
    }
    Err(Failure::other(line))
}

/// `channel pause` and `channel resume`
pub async fn rest(
    server: &Server,
    what: &str,
    matches: &ArgMatches,
    language: Language,
) -> Result<(), Failure> {
    let id = word(matches, "id");
    let answer: Value = server.ask(Method::POST, &one(id, &format!("/{what}")), &[], None).await?;
    let done = if what == "pause" { Text::ChannelPaused } else { Text::ChannelResumed };
    say(done.with(language, &[("id", id)]));
    let away = text(&answer, "bridge_away");
    if !away.is_empty() {
        say(Text::BridgeAway.with(language, &[("error", away)]));
    }
    Ok(())
}

/// `channel remove`
pub async fn remove(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let id = word(matches, "id");
    let channel: Value = server.ask(Method::GET, &one(id, ""), &[], None).await?;
    let service = text(&channel, "application_service").to_owned();
    server.ask::<Value>(Method::DELETE, &one(id, ""), &[], None).await?;
    // One that stands in a file of the server's stays there.
    let gone = server.ask::<Value>(Method::DELETE, &format!("{SERVICES}/{service}"), &[], None).await.is_ok();
    let text = if gone { Text::ChannelRemoved } else { Text::ChannelRemovedServiceStays };
    say(text.with(language, &[("id", id), ("service", &service)]));
    Ok(())
}
