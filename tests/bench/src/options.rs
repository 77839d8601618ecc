//! The command line: which server, how to count its CPU, which scenarios, how large.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::procfs::Tree;
use crate::scenarios::Scenario;

/// Measures a Matrix homeserver through its public client-server API.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// Scenarios to run, in a fixed order; `all` is what servers are compared by, `more` the rest
    #[arg(value_enum, required = true)]
    scenarios: Vec<Scenario>,

    /// Base URL of the homeserver, for example http://127.0.0.1:8008
    #[arg(long)]
    pub url: String,

    /// Shared secret for /_synapse/admin/v1/register; without it accounts are made with m.login.dummy
    #[arg(long, env = "BENCH_SHARED_SECRET")]
    pub shared_secret: Option<String>,

    /// Process whose tree (itself, its children, what they waited for) counts as the system under test:
    /// NAME=PID or NAME=FILE holding the pid. Repeat it, for example for the PostgreSQL postmaster
    #[arg(long = "pid", value_name = "NAME=PID|FILE")]
    pub trees: Vec<Tree>,

    /// Shell command that ends the server and returns when it is gone (scenario `start`)
    #[arg(long, value_name = "COMMAND", requires = "start_command")]
    pub stop_command: Option<String>,

    /// Shell command that starts the server in the background and returns at once (scenario `start`)
    #[arg(long, value_name = "COMMAND", requires = "stop_command")]
    pub start_command: Option<String>,

    /// Where customers write: "URL WIDGET ORIGIN" of the website chat's bridge (scenario `chat`), or "telegram URL" of the emulator (scenario `telegram`)
    #[arg(long, value_name = "URL WIDGET ORIGIN")]
    pub chat: Option<String>,

    /// Access token of an employee who answers in its channel
    #[arg(long, value_name = "TOKEN", env = "BENCH_CHAT_AGENT")]
    pub chat_agent: Option<String>,

    /// Also write the results as JSON to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Multiplies numbers of users, rooms and messages and the length of timed scenarios
    #[arg(long, default_value_t = 1.0, value_parser = parse_scale)]
    pub scale: f64,

    /// Concurrent senders in the `send` scenarios
    #[arg(long, default_value_t = 40)]
    pub senders: usize,

    /// At most so many messages in each `send` scenario
    #[arg(long, default_value_t = 20_000)]
    pub messages: usize,

    /// At most so many seconds of sending in each `send` scenario
    #[arg(long, default_value_t = 12.0)]
    pub send_seconds: f64,
}

impl Options {
    /// The scenarios to run, in the order of the enum, each once.
    pub fn scenarios(&self) -> Vec<Scenario> {
        let named = |one: &Scenario| self.scenarios.contains(one);
        let (all, more) = (named(&Scenario::All), named(&Scenario::More));
        let each = Scenario::EACH.into_iter().filter(|one| all || named(one));
        let each = each.chain(Scenario::MORE.into_iter().filter(|one| more || named(one)));
        each.chain([Scenario::Chat, Scenario::Telegram].into_iter().filter(named)).collect()
    }

    /// A default size (users, rooms, messages) after `--scale`; never below 1.
    pub fn sized(&self, default: usize) -> usize {
        ((default as f64 * self.scale).round() as usize).max(1)
    }

    /// A default length of a timed part after `--scale`.
    pub fn timed(&self, default_seconds: f64) -> Duration {
        Duration::from_secs_f64(default_seconds * self.scale)
    }
}

fn parse_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 100.0 => Ok(scale),
        _ => Err("must be a number above 0 and at most 100".to_owned()),
    }
}
