//! `kontorctl`: administration from a terminal or a script. It speaks the administration API over
//! HTTP and nothing else: it never opens the server's database or its files, except the one-time
//! token for the first administrator when that is asked for.

mod api;
mod cli;
mod failure;
mod language;
mod login;
mod output;
mod setup;
mod texts;
mod user;

use clap::ArgMatches;
use failure::Failure;
use language::Language;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let language = Language::find(&arguments, |name| std::env::var(name).ok());
    // Errors of usage end the process here, with code 2.
    let matches = cli::command(language).get_matches_from(arguments);
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(error.to_string()))
        .and_then(|runtime| runtime.block_on(run(&matches, language)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("kontorctl: {}", failure.sentence);
            ExitCode::from(failure.code)
        }
    }
}

async fn run(matches: &ArgMatches, language: Language) -> Result<(), Failure> {
    let server = api::Server::new(matches, language)?;
    match matches.subcommand() {
        Some(("user", user)) => match user.subcommand() {
            Some(("create", create)) => user::create(&server, create, language).await,
            Some(("list", list)) => user::list(&server, list, language).await,
            _ => Ok(()),
        },
        Some(("setup", setup)) => setup::setup(&server, setup, language).await,
        Some(("login", login)) => login::login(&server, login, language).await,
        _ => Ok(()),
    }
}
