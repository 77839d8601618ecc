//! A process of the demonstration: this very program with another command. It ends when its standard
//! input is closed, so it never outlives the demonstration, however that ends.

use crate::system::say;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child as Process, Command};
use tokio::time::{Instant, sleep, timeout};

/// How often it is looked whether a process lives.
pub const LOOK: Duration = Duration::from_millis(250);
/// How long a process may take to become ready.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end.
const END: Duration = Duration::from_secs(30);
/// One that ends sooner than this did not start well.
const SHORT: Duration = Duration::from_secs(5);
/// Starts in a row that may go wrong.
const TRIES: u32 = 3;

/// A process.
pub struct Child {
    name: &'static str,
    words: Vec<String>,
    config: PathBuf,
    address: SocketAddr,
    process: Process,
    started: Instant,
    short_lives: u32,
}

impl Child {
    /// Starts it.
    ///
    /// # Errors
    /// A sentence.
    pub fn start(
        name: &'static str,
        words: &[&str],
        config: &Path,
        address: SocketAddr,
    ) -> Result<Self, String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let process = spawn(name, &words, config)?;
        Ok(Self {
            name,
            words,
            config: config.to_owned(),
            address,
            process,
            started: Instant::now(),
            short_lives: 0,
        })
    }

    /// Waits until it can do its work.
    ///
    /// # Errors
    /// A sentence when it ended, or takes too long.
    pub async fn ready(&mut self) -> Result<(), String> {
        let url = format!("http://{}/health/ready", self.address);
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.map_err(|error| format!("No HTTP client can be made: {error}."))?;
        while self.started.elapsed() < START {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("The {} ended at its start ({status}).", self.name));
            }
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(format!("The {} is not ready after {} seconds.", self.name, START.as_secs()))
    }

    /// Starts it again if it ended, as whoever watches over processes in earnest would.
    ///
    /// # Errors
    /// A sentence when it ends again and again.
    pub async fn keep_running(&mut self) -> Result<(), String> {
        let Ok(Some(status)) = self.process.try_wait() else { return Ok(()) };
        self.short_lives = if self.started.elapsed() < SHORT { self.short_lives + 1 } else { 0 };
        if self.short_lives >= TRIES {
            return Err(format!("The {} ends again and again ({status}).", self.name));
        }
        say(format!("The {} ended ({status}); starting it again.", self.name));
        sleep(LOOK).await;
        self.process = spawn(self.name, &self.words, &self.config)?;
        self.started = Instant::now();
        Ok(())
    }

    /// Ends it in order.
    pub async fn end(mut self) {
        drop(self.process.stdin.take());
        if timeout(END, self.process.wait()).await.is_err() {
            let _ = self.process.kill().await;
        }
    }
}

fn spawn(name: &str, words: &[String], config: &Path) -> Result<Process, String> {
    let failed = |error: std::io::Error| format!("The {name} cannot be started: {error}.");
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.arg("--config").arg(config).arg("--until-stdin-closes").args(words);
    // What is set for another server must not change this one, and nothing here goes through a proxy.
    let foreign = |name: &str| {
        let name = name.to_ascii_uppercase();
        name.starts_with("KONTOR_") || ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].contains(&name.as_str())
    };
    for (variable, _) in std::env::vars_os() {
        if variable.to_str().is_some_and(foreign) {
            command.env_remove(variable);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).kill_on_drop(true);
    command.spawn().map_err(failed)
}
