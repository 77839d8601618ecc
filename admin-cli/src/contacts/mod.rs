//! `kontorctl contacts`: customers into the server and out of it, and what is known of whose messages are whose.

mod consents;
mod export;
mod import;
mod mapping;
mod progress;
mod quality;
mod replay;
mod said;
mod sheet;
mod vcard;

pub use said::Said;

use crate::api::Server;
use crate::failure::Failure;
use crate::language::Language;
use crate::texts::Text;
use clap::ArgMatches;

/// Runs one of its commands.
pub async fn run(server: &Server, matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    match matches.subcommand() {
        Some(("replay", replay)) => replay::replay(server, replay, language).await,
        Some(("import", import)) => import::import(server, import, language).await,
        Some(("quality", quality)) => quality::quality(server, quality, language).await,
        Some(("export", export)) => export::export(server, export, language).await,
        _ => Ok(()),
    }
}

/// The value of an option, empty when it is absent.
fn option<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.try_get_one::<String>(name).ok().flatten().map(String::as_str).unwrap_or_default()
}

/// The failure of a file that cannot be used.
fn bad_file(language: Language, file: &str, error: impl ToString) -> Failure {
    Failure::usage(Text::BadFile.with(language, &[("file", file), ("error", &error.to_string())]))
}
