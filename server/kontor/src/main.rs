//! The binary: configuration, telemetry, composition of the house, its start and its end. Nothing
//! of what the server does lives here.

mod cli;
mod config;
mod serve;
mod system;
mod telemetry;

use clap::Parser as _;
use cli::{Cli, Command, Options};
use config::{Config, LogFormat};
use std::process::ExitCode;
use system::say;

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
    let config = read_config(options)?;
    match command {
        Command::CheckConfig => {
            say(config::explain(&config));
            Ok(())
        }
        _ => Ok(()),
    }
}

fn read_config(options: &Options) -> Result<Config, String> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    config::load(options.config.as_deref(), environment).map_err(|problems| problems.to_string())
}
