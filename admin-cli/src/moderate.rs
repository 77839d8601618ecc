//! `kontorctl user lock`, `unlock`, `suspend`, `unsuspend` and `deactivate`.

use crate::api::Server;
use crate::failure::Failure;
use crate::language::Language;
use crate::output::say;
use crate::texts::Text;
use clap::ArgMatches;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
struct Myself {
    user_id: String,
}

/// The whole user id of somebody who was named by it or by its part before the colon.
pub async fn user_id(server: &Server, name: &str) -> Result<String, Failure> {
    if name.starts_with('@') {
        return Ok(name.to_owned());
    }
    let me: Myself = server.ask(Method::GET, "/_matrix/client/v3/account/whoami", &[], None).await?;
    let domain = me.user_id.split_once(':').map(|(_, domain)| domain.to_owned()).unwrap_or_default();
    Ok(format!("@{name}:{domain}"))
}

/// `kontorctl user lock NAME` and its relatives; `word` is the name of the subcommand.
pub async fn moderate(
    server: &Server,
    word: &str,
    matches: &ArgMatches,
    language: Language,
) -> Result<(), Failure> {
    let name = matches.get_one::<String>("name").map(String::as_str).unwrap_or_default();
    let user_id = user_id(server, name).await?;
    let admin = "/_matrix/client/v1/admin";
    let (method, path, body, text) = match word {
        "lock" => {
            (Method::PUT, format!("{admin}/lock/{user_id}"), json!({ "locked": true }), Text::LockedNow)
        }
        "unlock" => {
            (Method::PUT, format!("{admin}/lock/{user_id}"), json!({ "locked": false }), Text::UnlockedNow)
        }
        "suspend" => (
            Method::PUT,
            format!("{admin}/suspend/{user_id}"),
            json!({ "suspended": true }),
            Text::SuspendedNow,
        ),
        "unsuspend" => (
            Method::PUT,
            format!("{admin}/suspend/{user_id}"),
            json!({ "suspended": false }),
            Text::UnsuspendedNow,
        ),
        _ => {
            let path = format!("/_kontor/admin/v1/people/{user_id}/deactivate");
            let erase = matches.get_flag("erase");
            (Method::POST, path, json!({ "erase": erase }), Text::DeactivatedNow)
        }
    };
    let _: Value = server.ask(method, &path, &[], Some(&body)).await?;
    say(text.with(language, &[("user", &user_id)]));
    Ok(())
}
