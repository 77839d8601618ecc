//! Real clients: the scripts in this folder drive matrix-js-sdk against a server under test.
//! A script says what it does line by line; when it prints RESTART, the server is restarted.

mod sdk;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use harness::{Db, Homeserver, Server, on_each_database, other_homeserver};

on_each_database!(two_people_talk_and_find_it_all_again_after_a_restart);

async fn two_people_talk_and_find_it_all_again_after_a_restart(db: Db) {
    let run = move || Script::new("two_people_talk.mjs").run(db);
    tokio::task::spawn_blocking(run).await.unwrap();
}

struct Script {
    name: &'static str,
    said: Vec<String>,
}

impl Script {
    fn new(name: &'static str) -> Self {
        Self { name, said: Vec::new() }
    }

    /// Runs the script to its end, restarting the server when it asks for that. A homeserver that
    /// is not ours is left running: then only the fresh client is put to the test.
    fn run(&mut self, db: Db) {
        let other = other_homeserver();
        let mut server = other.is_none().then(|| Server::start(db));
        let homeserver: Homeserver = match &server {
            Some(server) => server.homeserver(),
            None => other.expect("one of the two"),
        };
        let mut child = Command::new(node())
            .arg(folder().join(self.name))
            .args([homeserver.base_url(), homeserver.shared_secret()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        for line in output.lines().map_while(Result::ok) {
            if line == "RESTART" {
                if let Some(server) = &mut server {
                    server.restart();
                }
                let input = child.stdin.as_mut().expect("a pipe");
                writeln!(input, "restarted").expect("the script listens");
            }
            self.said.push(line);
        }
        let status = child.wait().expect("node");
        let done = status.success() && self.said.last().is_some_and(|line| line == "done");
        assert!(done, "{} failed ({status}) after:\n{}", self.name, self.said.join("\n"));
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("e2e")
}

/// Node 22 as the npm package brings it.
fn node() -> PathBuf {
    ["x64", "arm64"]
        .map(|kind| folder().join(format!("node_modules/node-linux-{kind}/bin/node")))
        .into_iter()
        .find(|path| path.exists())
        .expect("the npm packages of tests/e2e are not installed: ./tests/run does it")
}
