//! The emulated Telegram speaks the real wire format: a client that knows nothing of this project is content.
#![allow(clippy::unwrap_used, reason = "this is test code: failing loudly is its purpose")]

use kontor_emulators::telegram::{Nature, TOKEN, Telegram};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Python with the packages of `tests/python.txt`.
fn python() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(beside, PathBuf::from);
    let python = target.join("tests-python/bin/python");
    let asked = Command::new(&python).args(["-c", "import aiogram"]).output();
    let there = asked.is_ok_and(|answer| answer.status.success());
    assert!(there, "the Python packages of the tests are not installed: ./tests/run does it");
    python
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_knows_nothing_of_us_is_content() {
    let telegram = Telegram::start(Nature::Bot).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut story = Command::new(python());
    story.arg(folder.join("tests/independent_client.py")).args([&telegram.url(), TOKEN]);
    story.arg(folder.join("../../tests/emulators/fixtures/telegram_updates.json"));
    let told = tokio::task::spawn_blocking(move || story.output()).await.unwrap().unwrap();
    let (said, complaint) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
    let done = told.status.success() && said.lines().last() == Some("done");
    assert!(done, "the story failed after:\n{said}\n{complaint}");
}
