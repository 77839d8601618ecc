//! `kontorctl notice send`: the server tells one person or everybody something.

use crate::api::Server;
use crate::failure::Failure;
use crate::language::Language;
use crate::moderate::user_id;
use crate::output::say;
use crate::texts::Text;
use clap::ArgMatches;
use reqwest::Method;
use serde_json::{Value, json};

/// `kontorctl notice send TEXT --to NAME` or `--everybody`
pub async fn send(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let text = matches.get_one::<String>("text").map(String::as_str).unwrap_or_default();
    let body = match matches.get_one::<String>("to") {
        Some(name) => json!({ "user_id": user_id(server, name).await?, "body": text }),
        None => json!({ "everybody": true, "body": text }),
    };
    let path = "/_kontor/admin/v1/server_notice";
    let _: Value = server.ask(Method::POST, path, &[], Some(&body)).await?;
    let done = if matches.get_one::<String>("to").is_some() { Text::NoticeSent } else { Text::NoticeBegun };
    say(done.of(language));
    Ok(())
}
