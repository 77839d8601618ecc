//! A real mail server (aiosmtpd, in a folder that `tests/run` fills) and what arrived there.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::config::Setting;
use crate::scratch::Scratch;
use crate::wait::{DEADLINE, wait_until};

/// A mail server of its own process; ended on drop.
#[derive(Debug)]
pub struct MailServer {
    child: Child,
    scratch: Scratch,
    port: u16,
    arrived: Arc<Mutex<Vec<Value>>>,
}

/// One mail that arrived.
#[derive(Debug, Clone)]
pub struct Letter(pub Value);

impl MailServer {
    /// Starts one that takes mail from anybody.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one that speaks TLS with this certificate and key, and asks for a password.
    pub fn start_with(certificate: &[&str]) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("client/mail/server.py");
        let mut child = Command::new(python())
            .arg(script)
            .args(certificate)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python packages of the tests are not installed: ./tests/run does it");
        let scratch = Scratch::new("mail");
        scratch.guard_process("mail", child.id());
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let port = first.strip_prefix("PORT ").and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the mail server did not start: {first:?}"));
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let inbox = Arc::clone(&arrived);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Ok(letter) = serde_json::from_str(&line) {
                    inbox.lock().expect("the inbox").push(letter);
                }
            }
        });
        Self { child, scratch, port, arrived }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The settings of a server that sends its mail here.
    pub fn settings(&self) -> Vec<Setting> {
        settings_for(self.port)
    }

    /// What arrived for an address so far, oldest first.
    pub fn letters_to(&self, address: &str) -> Vec<Letter> {
        let arrived = self.arrived.lock().expect("the inbox").clone();
        let mine =
            |letter: &Value| letter["to"].as_array().is_some_and(|to| to.iter().any(|to| to == address));
        arrived.into_iter().filter(mine).map(Letter).collect()
    }

    /// Waits until so many letters arrived for an address; gives them.
    pub async fn wait_for(&self, address: &str, count: usize) -> Vec<Letter> {
        let end = std::time::Instant::now() + DEADLINE;
        loop {
            let letters = self.letters_to(address);
            if letters.len() >= count {
                return letters;
            }
            assert!(std::time::Instant::now() < end, "{count} letters for {address}, got {letters:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Ends it; whoever sends mail finds nobody there.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = wait_until(DEADLINE, || self.child.try_wait().ok().flatten());
        self.scratch.release_process("mail");
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// The settings of a server that sends its mail to a loopback port.
pub fn settings_for(port: u16) -> Vec<Setting> {
    vec![
        ("email.smtp_host", "127.0.0.1".into()),
        ("email.smtp_port", i64::from(port).into()),
        ("email.smtp_tls", "none".into()),
        ("email.from", "Kontor <kontor@company.example>".into()),
    ]
}

impl Letter {
    /// A part of it.
    pub fn part(&self, name: &str) -> String {
        self.0[name].as_str().unwrap_or_default().to_owned()
    }

    /// The link in its plain text, without the server's address.
    pub fn link(&self) -> Option<String> {
        let text = self.part("text");
        let link = text.split_whitespace().find(|word| word.contains("/_kontor/mail/confirm?"))?;
        Some(link[link.find("/_kontor")?..].to_owned())
    }
}

/// Python with the packages of the tests.
fn python() -> PathBuf {
    let tests = std::env::current_exe().expect("a path of this program");
    // target/debug/deps/main-1234 → target
    let target = tests.ancestors().nth(3).expect("a target folder");
    target.join("tests-python/bin/python")
}
