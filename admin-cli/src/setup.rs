//! `kontorctl setup`: the first administrator, made by a script instead of the page.

use crate::api::{Server, password_from_stdin};
use crate::failure::Failure;
use crate::language::Language;
use crate::output::say;
use crate::texts::Text;
use clap::ArgMatches;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
struct Made {
    user_id: String,
}

/// `kontorctl setup --name NAME --password-stdin`
pub async fn setup(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str).unwrap_or_default();
    let file = text("token-file");
    let token = std::fs::read_to_string(file).map_err(|error| {
        Failure::usage(Text::BadFile.with(language, &[("file", file), ("error", &error.to_string())]))
    })?;
    let password = password_from_stdin(language)?;
    let body = json!({ "token": token.trim(), "name": text("name"), "password": password });
    let made: Made = server.ask_anonymously("/_kontor/setup", &body).await?;
    say(Text::SetUp.with(language, &[("user", &made.user_id)]));
    Ok(())
}
