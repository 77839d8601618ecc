//! Scripts that people and machines start by name can be started.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{expect_none, project};

/// What a script is missing, if anything.
fn not_startable(path: &str, text: &str, mode: u32) -> Option<String> {
    (!text.starts_with("#!"))
        .then(|| format!("{path}: says in no first line what runs it"))
        .or_else(|| (mode & 0o111 != 0o111).then(|| format!("{path}: not everybody may execute it")))
}

#[test]
fn scripts_can_be_started_by_name() {
    let scripts =
        [".ci/run", "tests/run", "tests/bench/compare", "tests/reference/synapse", "tests/spec/derive"];
    let found = scripts.iter().filter_map(|path| {
        let file = project().join(path);
        let mode = fs::metadata(&file).expect("the script is there").permissions().mode();
        not_startable(path, &fs::read_to_string(&file).expect("the script is text"), mode)
    });
    expect_none(&found.collect::<Vec<_>>());
}

#[test]
fn a_script_that_cannot_be_started_is_found() {
    assert_eq!(not_startable("run", "#!/bin/sh\n", 0o755), None);
    assert!(not_startable("run", "#!/bin/sh\n", 0o644).is_some());
    assert!(not_startable("run", "echo\n", 0o755).is_some());
}
