//! The command line: subcommands and options, nothing of what they do.

use crate::config::LogFormat;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Kontor, a Matrix homeserver that a company owns. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "kontor", version, about)]
pub struct Cli {
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Options of every command.
    #[command(flatten)]
    pub options: Options,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// TOML configuration file; none is needed
    #[arg(long, global = true, value_name = "FILE", env = "KONTOR_CONFIG")]
    pub config: Option<PathBuf>,

    /// How log lines look, whatever the configuration says
    #[arg(long, global = true, value_name = "FORMAT", value_parser = log_format)]
    pub log: Option<LogFormat>,
}

/// What `kontor` can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the homeserver in the foreground until interrupted
    Serve,
    /// Bring the database to this version's form and exit
    Migrate,
    /// Say what the configuration means, or what is wrong with it
    CheckConfig,
    /// Print an example configuration with every key
    GenerateConfig {
        /// Print the reference page (Markdown) instead
        #[arg(long)]
        reference: bool,
    },
    /// Check the database for damage and contradictions and print a report
    DbCheck,
}

fn log_format(word: &str) -> Result<LogFormat, String> {
    match word {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        _ => Err(String::from("write human or json")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_command() {
        for line in [["kontor", "--log", "json", "serve"], ["kontor", "serve", "--log", "json"]] {
            let cli = Cli::try_parse_from(line).expect("good");
            assert_eq!((cli.command, cli.options.log), (Some(Command::Serve), Some(LogFormat::Json)));
        }
        let cli = Cli::try_parse_from(["kontor", "--config", "f"]).expect("good");
        assert!(cli.command.is_none() && cli.options.config.is_some());
    }
}
