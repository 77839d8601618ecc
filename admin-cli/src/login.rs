//! `kontorctl login`: an access token for `KONTORCTL_TOKEN`, by the same door as every client.

use crate::api::{Server, password_from_stdin};
use crate::failure::Failure;
use crate::language::Language;
use crate::output::say;
use clap::ArgMatches;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
struct LoggedIn {
    access_token: String,
}

/// `kontorctl login NAME --password-stdin`
pub async fn login(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
    let body = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": name },
        "password": password_from_stdin(language)?,
        "initial_device_display_name": "kontorctl",
    });
    let session: LoggedIn = server.ask_anonymously("/_matrix/client/v3/login", &body).await?;
    say(session.access_token);
    Ok(())
}
