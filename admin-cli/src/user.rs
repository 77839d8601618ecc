//! `kontorctl user`: making and listing accounts.

use crate::api::{Server, password_from_stdin};
use crate::failure::Failure;
use crate::language::Language;
use crate::output::{moment, say, table};
use crate::pages;
use crate::texts::Text;
use clap::ArgMatches;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

const PEOPLE: &str = "/_kontor/admin/v1/people";

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
    let people: Vec<Person> = pages::all(server, PEOPLE, "people").await?;
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
