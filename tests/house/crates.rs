//! Which crate of the project may lean on which. Reads `cargo metadata --no-deps`.

use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::{expect_none, project};

/// What a crate may depend on inside the project, and the outside crates that are its alone.
/// A new crate needs a line here: that is the moment to think about its place.
const MAY_USE: [(&str, &[&str]); 18] = [
    ("kontor-model", &[]),
    ("kontor-store", &["kontor-model"]),
    ("kontor-wire", &["kontor-model"]),
    ("kontor-rooms", &["kontor-model", "kontor-store"]),
    ("kontor-identity", &["kontor-model", "kontor-store"]),
    ("kontor-contacts", &["kontor-model", "kontor-store"]),
    ("kontor-media", &["kontor-model", "kontor-store"]),
    (
        "kontor-flows",
        &[
            "kontor-model",
            "kontor-store",
            "kontor-rooms",
            "kontor-identity",
            "kontor-contacts",
            "kontor-media",
        ],
    ),
    (
        "kontor-http",
        &[
            "kontor-model",
            "kontor-store",
            "kontor-rooms",
            "kontor-identity",
            "kontor-contacts",
            "kontor-media",
            "kontor-flows",
        ],
    ),
    (
        "kontor",
        &[
            "kontor-model",
            "kontor-store",
            "kontor-wire",
            "kontor-rooms",
            "kontor-identity",
            "kontor-contacts",
            "kontor-media",
            "kontor-flows",
            "kontor-http",
            // `kontor bridge` runs them as processes of their own.
            "kontor-bridge-kit",
            "kontor-bridge-telegram",
            "kontor-bridge-webchat",
            // Optional, for `kontor demo`: it runs them as processes of their own (decisions/0010).
            "kontor-emulators",
        ],
    ),
    ("kontorctl", &["kontor-model"]),
    ("kontor-tests", &["kontor-model"]),
    // What one arrival costs is measured inside of the process.
    ("kontor-bench", &["kontor-model", "kontor-store", "kontor-contacts"]),
    (
        "kontor-fuzz",
        &[
            "kontor-model",
            "kontor-rooms",
            "kontor-identity",
            "kontor-contacts",
            "kontor-media",
            "kontor-flows",
            "kontor-http",
        ],
    ),
    ("kontor-bridge-telegram", &["kontor-model", "kontor-bridge-kit", "kontor-emulators"]),
    ("kontor-bridge-webchat", &["kontor-model", "kontor-bridge-kit", "kontor-emulators"]),
    // The suite is a dependency of its tests only.
    ("kontor-bridge-kit", &["kontor-model", "kontor-wire", "kontor-emulators"]),
    ("kontor-emulators", &["kontor-model", "kontor-bridge-kit"]),
];

/// Outside crates, and the only crates of the project that may name them.
const RESERVED: [(&str, &[&str]); 4] = [
    ("sqlx", &["kontor-store", "kontor-bridge-kit"]),
    ("axum", &["kontor-http", "kontor-bridge-kit"]),
    ("tower-http", &["kontor-http"]),
    (
        "reqwest",
        &[
            "kontor-wire",
            "kontor",
            "kontorctl",
            "kontor-tests",
            "kontor-bench",
            "kontor-bridge-kit",
            "kontor-emulators",
        ],
    ),
];

/// Outside crates that the language must do without.
const NOT_IN_MODEL: [&str; 5] = ["tokio", "hyper", "reqwest", "sqlx", "tracing-subscriber"];

fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| cargo_metadata(&["--no-deps", "--offline"]))
}

/// The output of `cargo metadata` with these arguments.
pub fn cargo_metadata(arguments: &[&str]) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .current_dir(project())
        .output()
        .expect("cargo");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "cargo metadata failed: {said}");
    serde_json::from_slice(&done.stdout).expect("cargo metadata gives JSON")
}

/// The manifests of all crates of the project.
pub fn manifests() -> Vec<String> {
    packages(metadata()).iter().map(|package| text(package, "manifest_path")).collect()
}

pub fn packages(metadata: &Value) -> &[Value] {
    metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default()
}

pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn dependencies(package: &Value) -> Vec<String> {
    let all = package["dependencies"].as_array().cloned().unwrap_or_default();
    all.iter().map(|dependency| text(dependency, "name")).collect()
}

fn forbidden_edges(metadata: &Value) -> Vec<String> {
    let ours: Vec<String> = packages(metadata).iter().map(|package| text(package, "name")).collect();
    let mut found = Vec::new();
    for package in packages(metadata) {
        let name = text(package, "name");
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == name) else {
            found.push(format!("{name}: a new crate; decide in tests/house/crates.rs what it may use"));
            continue;
        };
        for used in dependencies(package).iter().filter(|used| ours.contains(used)) {
            if !allowed.contains(&used.as_str()) {
                found.push(format!("{name} must not depend on {used}"));
            }
        }
    }
    found
}

fn reserved_crates(metadata: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages(metadata) {
        let name = text(package, "name");
        for used in dependencies(package) {
            let reserved = RESERVED.iter().find(|(outside, _)| *outside == used);
            if reserved.is_some_and(|(_, users)| !users.contains(&name.as_str())) {
                found.push(format!("{name} must not depend on {used}"));
            }
            if name == "kontor-model" && NOT_IN_MODEL.contains(&used.as_str()) {
                found.push(format!("{name} must not depend on {used}: it does no IO"));
            }
        }
    }
    found
}

#[test]
fn crates_lean_only_downwards() {
    expect_none(&forbidden_edges(metadata()));
}

#[test]
fn outside_crates_stay_where_they_belong() {
    expect_none(&reserved_crates(metadata()));
}

fn planted(name: &str, dependencies: &[&str]) -> Value {
    let dependencies: Vec<Value> = dependencies.iter().map(|used| json!({ "name": used })).collect();
    json!({ "packages": [
        { "name": name, "dependencies": dependencies },
        { "name": "kontor-identity", "dependencies": [] },
        { "name": "kontor-store", "dependencies": [] },
    ] })
}

#[test]
fn a_forbidden_edge_is_found() {
    assert_eq!(forbidden_edges(&planted("kontor-rooms", &["kontor-identity", "kontor-store"])).len(), 1);
    assert_eq!(forbidden_edges(&planted("kontor-model", &["kontor-store"])).len(), 1);
    assert_eq!(forbidden_edges(&planted("kontor-new", &[])).len(), 1);
    assert!(forbidden_edges(&planted("kontor-rooms", &["kontor-store", "serde"])).is_empty());
}

#[test]
fn a_misplaced_outside_crate_is_found() {
    assert_eq!(reserved_crates(&planted("kontor-rooms", &["sqlx"])).len(), 1);
    assert_eq!(reserved_crates(&planted("kontor-flows", &["axum", "serde"])).len(), 1);
    assert_eq!(reserved_crates(&planted("kontor-model", &["tokio"])).len(), 1);
}
