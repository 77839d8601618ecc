//! matrix-rust-sdk, on which Element X stands: its own program in `tests/sdk`, a workspace of its own.

use std::path::PathBuf;
use std::process::Command;

use harness::{Db, Recorder, Server, on_each_database};

on_each_database!(two_people_on_matrix_rust_sdk_talk_in_the_open_and_in_private);

/// Answers that the story asks for at least.
const ANSWERS: usize = 50;

async fn two_people_on_matrix_rust_sdk_talk_in_the_open_and_in_private(db: Db) {
    let server = Server::start(db);
    let homeserver = server.homeserver();
    let (alice, bob) = (homeserver.register("alice").await, homeserver.register("bob").await);
    let recorder = Recorder::before(homeserver.base_url()).await;
    let mut story = Command::new(program());
    story.args([&recorder.url(), alice.user_id(), bob.user_id(), homeserver.password()]);
    let told = tokio::task::spawn_blocking(move || story.output()).await.unwrap().expect("the story runs");
    let (said, complaint) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    let done = told.status.success() && said.lines().last() == Some("done");
    assert!(done, "the story failed after:\n{said}\n{complaint}");
    recorder.all_conform(ANSWERS);
}

/// What `tests/run` builds.
fn program() -> PathBuf {
    let program = super::target().join("sdk/debug/kontor-sdk-story");
    assert!(program.exists(), "{} is not built: ./tests/run does it", program.display());
    program
}
