//! The house rules, checked over `cargo metadata` and the sources. A rule is a function from
//! what it looks at to its violations, each a sentence with a place; beside every rule stands a
//! test that plants bad material and sees it found.
//!
//! What the compiler or clippy already refuses is not repeated here; only that nobody switches
//! those lints off is checked.

mod crates;
mod dependencies;
mod harness;
mod layers;
mod lints;
mod programs;
mod size;
mod source;

use std::path::PathBuf;

/// Folder of the whole project.
fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project's folder")
}

/// Fails with one line per violation.
#[track_caller]
fn expect_none(violations: &[String]) {
    assert!(violations.is_empty(), "house rules are broken:\n{}", violations.join("\n"));
}
