//! `kontorctl user`: making and listing accounts.

use crate::api::{Server, password_from_stdin};
use crate::failure::Failure;
use crate::language::Language;
use crate::output::{moment, say, table};
use crate::texts::Text;
use clap::ArgMatches;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

const PEOPLE: &str = "/_kontor/admin/v1/people";
/// Accounts asked for at a time.
const PAGE: &str = "500";

/// An account that was made. This is also the form of `-o json`.
#[derive(Debug, Serialize, Deserialize)]
struct Created {
    user_id: String,
    /// Present when the server generated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

/// An account in the list. This is also the form of `-o json`.
#[derive(Debug, Serialize, Deserialize)]
struct Person {
    user_id: String,
    admin: bool,
    state: String,
    created_ts: i64,
}

#[derive(Debug, Deserialize)]
struct Page {
    people: Vec<Person>,
    #[serde(default)]
    next: Option<String>,
}

fn wants_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("output").is_some_and(|form| form == "json")
}

/// `kontorctl user create NAME`
pub async fn create(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
    let mut body = json!({ "localpart": name, "admin": matches.get_flag("admin") });
    if let Some(object) = body.as_object_mut() {
        if matches.get_flag("password-stdin") {
            object.insert("password".into(), password_from_stdin(language)?.into());
        }
        if let Some(shown) = matches.get_one::<String>("display-name") {
            object.insert("display_name".into(), shown.clone().into());
        }
    }
    let created: Created = match server.ask(Method::POST, PEOPLE, &[], Some(&body)).await {
        Err(failure) if failure.is_conflict() => {
            return Err(Failure { sentence: Text::NameTaken.with(language, &[("name", name)]), ..failure });
        }
        other => other?,
    };
    if wants_json(matches) {
        say(serde_json::to_string(&created).unwrap_or_default());
        return Ok(());
    }
    say(Text::Created.with(language, &[("user", &created.user_id)]));
    if let Some(password) = &created.password {
        say(Text::Generated.with(language, &[("password", password)]));
    }
    Ok(())
}

/// `kontorctl user list`
pub async fn list(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let mut people: Vec<Person> = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let mut query = vec![("limit", PAGE)];
        if let Some(from) = &from {
            query.push(("from", from));
        }
        let page: Page = server.ask(Method::GET, PEOPLE, &query, None).await?;
        let empty = page.people.is_empty();
        people.extend(page.people);
        // An empty page ends the list too: a server must not be able to keep us here for ever.
        match page.next {
            Some(next) if !empty => from = Some(next),
            _ => break,
        }
    }
    if wants_json(matches) {
        say(serde_json::to_string_pretty(&json!({ "people": people })).unwrap_or_default());
        return Ok(());
    }
    let heads = [Text::ColumnUser, Text::ColumnAdmin, Text::ColumnState, Text::ColumnMade];
    let rows: Vec<[String; 4]> = people
        .into_iter()
        .map(|person| {
            let admin = if person.admin { Text::Yes } else { Text::No };
            [person.user_id, admin.of(language).to_owned(), person.state, moment(person.created_ts)]
        })
        .collect();
    say(table(heads.map(|head| head.of(language)), &rows));
    Ok(())
}
