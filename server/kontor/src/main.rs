//! The binary: configuration, telemetry, composition of the house, its start and its end. Nothing
//! of what the server does lives here.

mod adapters;
mod bridge;
mod cli;
mod compose;
mod config;
#[cfg(feature = "demo")]
mod demo;
mod departments;
mod housekeeping;
mod mail;
mod serve;
mod signing_key;
mod system;
mod telemetry;
mod upkeep;

use clap::Parser as _;
use cli::{BridgeName, Cli, Command, Options};
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
    if let Command::GenerateConfig { what, reference } = command {
        say(generated(what, reference).trim_end());
        return Ok(());
    }
    // Both HTTP clients and listeners take the process's provider; a second one cannot be set.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match command {
        Command::Bridge(wish) => {
            let file = config::load_bridge(wish.name, options.config.as_deref(), environment());
            let file = file.map_err(|problems| problems.to_string())?;
            runtime()?.block_on(bridge::run(&wish, &file, options))
        }
        #[cfg(feature = "demo")]
        Command::Demo(wish) => runtime()?.block_on(demo::run(&wish)),
        #[cfg(feature = "demo")]
        Command::Emulate(wish) => runtime()?.block_on(demo::emulate::run(&wish, options)),
        command => run_server(command, options),
    }
}

fn run_server(command: Command, options: &Options) -> Result<(), String> {
    let config =
        config::load(options.config.as_deref(), environment()).map_err(|problems| problems.to_string())?;
    if command == Command::CheckConfig {
        serve::check_files(&config)?;
        say(config::explain(&config));
        return Ok(());
    }
    runtime()?.block_on(async {
        match command {
            Command::Migrate => upkeep::migrate(&config).await,
            Command::DbCheck => upkeep::db_check(&config).await,
            _ => serve::run(&config, options).await,
        }
    })
}

fn generated(what: Option<BridgeName>, reference: bool) -> String {
    match (what, reference) {
        (None, false) => config::example(),
        (None, true) => config::reference(),
        (Some(name), false) => config::bridge_example(name),
        (Some(name), true) => config::bridge_reference(name),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| format!("The runtime cannot be started: {error}."))
}

fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
