//! The lints that clippy checks are on for every crate, and nobody switches them off.

use std::fs;
use std::path::Path;

use super::source::{self, Source};
use super::{crates, expect_none, project};

/// Lints of `clippy` that stand for a house rule.
const DENIED: [&str; 7] =
    ["unwrap_used", "expect_used", "panic", "todo", "unimplemented", "indexing_slicing", "too_many_lines"];

fn weak_workspace(root: &toml::Table) -> Vec<String> {
    let lints = &root["workspace"]["lints"];
    let mut found = Vec::new();
    if lints["rust"]["unsafe_code"].as_str() != Some("forbid") {
        found.push("Cargo.toml: rust.unsafe_code is not \"forbid\"".to_owned());
    }
    for lint in DENIED {
        let level = lints["clippy"].get(lint).and_then(toml::Value::as_str);
        if !matches!(level, Some("deny" | "forbid")) {
            found.push(format!("Cargo.toml: clippy.{lint} is not \"deny\""));
        }
    }
    found
}

fn weak_crate(path: &str, manifest: &toml::Table) -> Vec<String> {
    let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
    let mut found = Vec::new();
    if inherits.and_then(toml::Value::as_bool) != Some(true) {
        found.push(format!("{path}: no `[lints] workspace = true`"));
    }
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let entries = manifest.get(table).and_then(toml::Value::as_table);
        for (name, entry) in entries.into_iter().flatten() {
            let shared = entry.get("workspace").and_then(toml::Value::as_bool) == Some(true);
            if !shared {
                found.push(format!("{path}: {name} has a version of its own: `{name}.workspace = true`"));
            }
        }
    }
    found
}

/// `allow` and `expect` attributes outside tests that name a denied lint.
fn switched_off(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let code = &source.code;
        for (at, _) in code.match_indices("#[").chain(code.match_indices("#![")) {
            let attribute = &code[at..at + code[at..].find(']').unwrap_or(code.len() - at)];
            if !["allow(", "expect(", "warn("].iter().any(|word| attribute.contains(word)) {
                continue;
            }
            let lints = DENIED.iter().filter(|lint| attribute.contains(&format!("clippy::{lint}")));
            for lint in lints {
                let line = code[..at].lines().count();
                found.push(format!("{}:{line}: {lint} is switched off", source.path));
            }
        }
    }
    found
}

fn manifest(path: &Path) -> toml::Table {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_workspace_denies_what_the_house_forbids() {
    expect_none(&weak_workspace(&manifest(&project().join("Cargo.toml"))));
}

#[test]
fn every_crate_inherits_lints_and_versions() {
    let mut found = Vec::new();
    for path in crates::manifests() {
        found.extend(weak_crate(&path, &manifest(Path::new(&path))));
    }
    expect_none(&found);
}

#[test]
fn no_code_switches_a_lint_off() {
    expect_none(&switched_off(source::all()));
}

#[test]
fn functions_are_measured_with_the_house_limit() {
    let clippy = manifest(&project().join(".clippy.toml"));
    assert_eq!(clippy["too-many-lines-threshold"].as_integer(), Some(70));
}

#[test]
fn a_weakened_lint_is_found() {
    let mut root = manifest(&project().join("Cargo.toml"));
    let lints = root["workspace"]["lints"].as_table_mut().unwrap();
    lints["clippy"].as_table_mut().unwrap().insert("unwrap_used".into(), "warn".into());
    lints["rust"].as_table_mut().unwrap().remove("unsafe_code");
    lints["rust"].as_table_mut().unwrap().insert("unsafe_code".into(), "deny".into());
    assert_eq!(weak_workspace(&root).len(), 2);
}

#[test]
fn a_crate_with_its_own_lints_or_versions_is_found() {
    let planted = "[package]\nname = 'x'\n[dependencies]\nserde = '1'\ntokio.workspace = true\n";
    assert_eq!(weak_crate("x/Cargo.toml", &planted.parse().unwrap()).len(), 2);
    let good = "[lints]\nworkspace = true\n[dependencies]\ntokio.workspace = true\n";
    assert!(weak_crate("x/Cargo.toml", &good.parse().unwrap()).is_empty());
}

#[test]
fn a_switched_off_lint_is_found() {
    let planted = "//! x\n#[allow(\n    clippy::unwrap_used,\n)]\nfn a() {}\n#[allow(dead_code)]\nfn b() {}";
    assert_eq!(switched_off(&[Source::new("server/x/src/a.rs", planted)]).len(), 1);
    assert!(switched_off(&[Source::new("server/x/src/tests.rs", planted)]).is_empty());
}
