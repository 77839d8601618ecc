//! The binary: configuration, telemetry, composition of the house, its start and its end. Nothing
//! of what the server does lives here.

mod adapters;
mod cli;
mod compose;
mod config;
mod departments;
mod housekeeping;
mod mail;
mod serve;
mod signing_key;
mod system;
mod telemetry;
mod upkeep;

use clap::Parser as _;
use cli::{Cli, Command, Options};
use config::Config;
use std::process::ExitCode;
use system::say;

/// Gives back what a busy hour took, so that memory stays flat.
#[global_allocator]
static MEMORY: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command.unwrap_or(Command::Serve), &cli.options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, options: &Options) -> Result<(), String> {
    if let Command::GenerateConfig { reference } = command {
        say(if reference { config::reference() } else { config::example() }.trim_end());
        return Ok(());
    }
    // Both HTTP clients and listeners take the process's provider; a second one cannot be set.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = read_config(options)?;
    if command == Command::CheckConfig {
        serve::check_files(&config)?;
        say(config::explain(&config));
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("The runtime cannot be started: {error}."))?;
    runtime.block_on(async {
        match command {
            Command::Migrate => upkeep::migrate(&config).await,
            Command::DbCheck => upkeep::db_check(&config).await,
            _ => serve::run(&config, options.log.unwrap_or(config.log.format)).await,
        }
    })
}

fn read_config(options: &Options) -> Result<Config, String> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    config::load(options.config.as_deref(), environment).map_err(|problems| problems.to_string())
}
