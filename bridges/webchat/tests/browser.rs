//! The widget in a real browser: `tests/e2e/webchat.mjs` drives headless Chromium over a shop's page.

mod support;

use std::path::PathBuf;
use std::time::Duration;
use support::stage::Stage;

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/e2e/webchat.mjs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_widget_in_a_browser() {
    let stage = Stage::open().await;
    let url = stage.url();
    let run = tokio::process::Command::new("node").arg(script()).arg(&url).kill_on_drop(true).output();
    let done =
        tokio::time::timeout(Duration::from_secs(600), run).await.expect("it ends").expect("node runs");
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("done"), "the browser test failed:\n{said}");
}

/// Leaves a page open to look at: `KONTOR_STAGE_SECONDS=600 cargo test -p kontor-bridge-webchat --test browser
/// -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "for looking at the widget"]
#[allow(clippy::print_stdout)] // Where the page is.
async fn a_page_to_look_at() {
    let stage = Stage::open().await;
    println!("STAGE {}", stage.url());
    let seconds = std::env::var("KONTOR_STAGE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
