//! Real clients: the scripts in this folder drive matrix-js-sdk, matrix-nio and mautrix against a
//! server under test, and every answer is held against the specification on its way. A script says what it does
//! line by line; when it prints RESTART, the server is restarted.

mod conversation;
mod demo;
mod sdk;
mod soak;
mod telegram;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::{Db, Recorder, Server, on_each_database, other_homeserver};

on_each_database!(
    two_people_talk_and_find_it_all_again_after_a_restart,
    two_people_talk_encrypted_verify_each_other_and_restore_their_keys,
    people_find_their_rooms_by_sliding_sync,
    bots_on_matrix_nio_talk_in_the_open_and_encrypted,
    a_bridge_on_mautrix_talks_and_survives_outages,
);

async fn two_people_talk_and_find_it_all_again_after_a_restart(db: Db) {
    run(node(), "two_people_talk.mjs", db, 50).await;
}

async fn two_people_talk_encrypted_verify_each_other_and_restore_their_keys(db: Db) {
    run(node(), "encryption.mjs", db, 150).await;
}

async fn people_find_their_rooms_by_sliding_sync(db: Db) {
    run(node(), "sliding_sync.mjs", db, 60).await;
}

async fn bots_on_matrix_nio_talk_in_the_open_and_encrypted(db: Db) {
    run(python(), "bots_talk.py", db, 50).await;
}

async fn a_bridge_on_mautrix_talks_and_survives_outages(db: Db) {
    run(python(), "appservice_talks.py", db, 30).await;
}

/// Runs a script to its end. A homeserver that is not ours is neither restarted nor held against the
/// specification.
async fn run(program: PathBuf, script: &'static str, db: Db, answers: usize) {
    let other = other_homeserver();
    let server = other.is_none().then(|| Server::start(db));
    let homeserver = server.as_ref().map(Server::homeserver).or(other).expect("one of the two");
    let recorder = Recorder::before(homeserver.base_url()).await;
    let (url, secret) = (recorder.url(), homeserver.shared_secret().to_owned());
    let ours = server.is_some();
    tokio::task::spawn_blocking(move || told(&program, script, &[&url, &secret], server)).await.unwrap();
    if ours {
        recorder.all_conform(answers);
    }
}

/// Follows what a script says, restarting the server when it asks for that.
fn told(program: &Path, script: &str, arguments: &[&str], mut server: Option<Server>) {
    let mut child = Command::new(program)
        .arg(folder().join(script))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut said = Vec::new();
    for line in output.lines().map_while(Result::ok) {
        if line == "RESTART" {
            if let Some(server) = &mut server {
                server.restart();
            }
            let input = child.stdin.as_mut().expect("a pipe");
            writeln!(input, "restarted").expect("the script listens");
        }
        said.push(line);
    }
    let status = child.wait().expect("it ran");
    let done = status.success() && said.last().is_some_and(|line| line == "done");
    assert!(done, "{script} failed ({status}) after:\n{}", said.join("\n"));
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("e2e")
}

/// Where `tests/run` puts what it builds and installs.
fn target() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(beside, PathBuf::from)
}

/// Node 22 as the npm package brings it.
fn node() -> PathBuf {
    ["x64", "arm64"]
        .map(|kind| folder().join(format!("node_modules/node-linux-{kind}/bin/node")))
        .into_iter()
        .find(|path| path.exists())
        .expect("the npm packages of tests/e2e are not installed: ./tests/run does it")
}

/// Python with matrix-nio and mautrix.
fn python() -> PathBuf {
    let python = target().join("tests-python/bin/python");
    let asked = Command::new(&python).args(["-c", "import nio, vodozemac, mautrix"]).output();
    let there = asked.is_ok_and(|answer| answer.status.success());
    assert!(there, "the Python packages of the tests are not installed: ./tests/run does it");
    python
}
