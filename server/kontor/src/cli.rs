//! The command line: subcommands and options, nothing of what they do.

use crate::config::LogFormat;
use clap::{Args, Parser, Subcommand, ValueEnum};
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

    /// Ends when standard input is closed: for processes that must not outlive who started them.
    #[arg(long, global = true, hide = true)]
    pub until_stdin_closes: bool,
}

/// What `kontor` can do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run the homeserver in the foreground until interrupted
    Serve,
    /// Bring the database to this version's form and exit
    Migrate,
    /// Say what the configuration means, or what is wrong with it
    CheckConfig,
    /// Print an example configuration with every key
    GenerateConfig {
        /// Of what; the server when nothing is said
        what: Option<BridgeName>,

        /// Print the reference page (Markdown) instead
        #[arg(long)]
        reference: bool,
    },
    /// Check the database for damage and contradictions and print a report
    DbCheck,
    /// Run a bridge: a process of its own, with a configuration file and a database of its own
    Bridge(Bridge),
    /// Show it all on this machine: a server with demonstration people, a shop with its chat, and Telegram
    #[cfg(feature = "demo")]
    Demo(Demo),
    /// Run an emulated messenger, to try a bridge without an account
    #[cfg(feature = "demo")]
    Emulate(Emulate),
}

/// The bridges that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BridgeName {
    /// The company's Telegram bot, and its own account there
    Telegram,
    /// The chat on the company's website
    Webchat,
}

/// `kontor bridge`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Bridge {
    /// Which one
    pub name: BridgeName,

    /// Only say whether the configuration is good
    #[arg(long, conflicts_with = "register")]
    pub check: bool,

    /// Make the bridge's channel known to the homeserver and end. Needs an administrator's access
    /// token in the environment variable KONTORCTL_TOKEN. Doing it again changes nothing
    #[arg(long)]
    pub register: bool,

    /// With --register: what people call the channel
    #[arg(long, value_name = "TEXT", requires = "register")]
    pub title: Option<String>,

    /// With --register: user id of somebody who answers in the channel; can be given several times
    #[arg(long = "member", value_name = "USER", requires = "register")]
    pub members: Vec<String>,
}

/// `kontor emulate`
#[cfg(feature = "demo")]
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Emulate {
    /// Which one
    #[arg(value_parser = ["telegram"])]
    pub name: String,

    /// The port on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value_t = 8011)]
    pub port: u16,
}

/// `kontor demo`
#[cfg(feature = "demo")]
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Demo {
    /// Folder of the demonstration; it is kept, so that the next start goes on
    #[arg(long, value_name = "FOLDER", default_value = "./data/demo")]
    pub data: PathBuf,

    /// The first of five ports on 127.0.0.1: the server, the chat, the shop, the emulated Telegram, its bridge
    #[arg(long, value_name = "PORT", default_value_t = 8008, value_parser = clap::value_parser!(u16).range(1..65532))]
    pub port: u16,

    /// Play the main job as a story first, told in plain words
    #[arg(long)]
    pub story: bool,
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
