//! What comes from outside: licences, heavy crates in one version only, one TLS implementation.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use super::crates::{cargo_metadata, packages, text};
use super::expect_none;

/// Licences that a closed product on top may use too.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

/// Crates whose terms bind only their own files; nothing of ours is copied into them.
const EXCEPTIONS: [(&str, &str); 1] = [("as_variant", "MPL-2.0")];

/// Crates that cost seconds of building, or that carry state: two versions do not know each other.
const HEAVY: [&str; 24] = [
    "argon2",
    "axum",
    "clap",
    "h2",
    "http",
    "http-body",
    "hyper",
    "hyper-util",
    "image",
    "moka",
    "opentelemetry",
    "opentelemetry_sdk",
    "prometheus",
    "regex",
    "reqwest",
    "ring",
    "rustls",
    "serde",
    "serde_json",
    "tokio",
    "tokio-rustls",
    "tower",
    "tracing",
    "tracing-subscriber",
];
/// Families that are as heavy as a whole.
const HEAVY_FAMILIES: [&str; 2] = ["ruma", "sqlx"];

/// TLS is rustls with ring and nothing else.
const BANNED: [&str; 6] = ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "boring-sys"];

fn resolved() -> Value {
    let about = Command::new("rustc").arg("-vV").output().expect("rustc").stdout;
    let about = String::from_utf8_lossy(&about).into_owned();
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    // Only what this machine builds has been downloaded.
    cargo_metadata(&["--offline", "--filter-platform", host])
}

/// True when an SPDX expression can be satisfied with the allowed licences. `/` is the old
/// spelling of OR.
fn licence_fits(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    // Without nesting deeper than one level, "one alternative of every conjunct" is enough.
    expression
        .split(" AND ")
        .all(|conjunct| conjunct.split(" OR ").any(|licence| LICENCES.contains(&licence.trim())))
}

fn bad_licences(metadata: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages(metadata) {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        let excepted = EXCEPTIONS.contains(&(name.as_str(), licence.as_str()));
        if !licence_fits(&licence) && !excepted {
            found.push(format!("{name}: licence {licence:?} is not on the list"));
        }
    }
    found
}

fn doubled(metadata: &Value) -> Vec<String> {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages(metadata) {
        versions.entry(text(package, "name")).or_default().push(text(package, "version"));
    }
    let heavy = |name: &str| {
        let related = |root: &str| name == root || name.starts_with(&format!("{root}-"));
        HEAVY.contains(&name) || HEAVY_FAMILIES.into_iter().any(related)
    };
    versions.retain(|name, versions| versions.len() > 1 && heavy(name));
    versions.iter().map(|(name, versions)| format!("{name} in {}", versions.join(" and "))).collect()
}

fn banned(metadata: &Value) -> Vec<String> {
    let names = packages(metadata).iter().map(|package| text(package, "name"));
    names.filter(|name| BANNED.contains(&name.as_str())).map(|name| format!("{name} is used")).collect()
}

#[test]
fn licences_are_allowed_heavy_crates_single_and_tls_is_one() {
    let metadata = resolved();
    assert!(packages(&metadata).len() > 100, "cargo metadata lists nearly nothing");
    let found = [bad_licences(&metadata), doubled(&metadata), banned(&metadata)].concat();
    expect_none(&found);
}

fn planted(packages: &[(&str, &str, &str)]) -> Value {
    let package = |(name, version, licence): &(&str, &str, &str)| json!({ "name": name, "version": version, "license": licence });
    json!({ "packages": packages.iter().map(package).collect::<Vec<_>>() })
}

#[test]
fn a_bad_licence_is_found() {
    for licence in ["GPL-3.0", "", "MIT AND AGPL-3.0-only", "SSPL-1.0 OR GPL-2.0"] {
        assert_eq!(bad_licences(&planted(&[("a", "1.0.0", licence)])).len(), 1, "{licence}");
    }
    for licence in ["MIT/Apache-2.0", "GPL-2.0 OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
        assert!(bad_licences(&planted(&[("a", "1.0.0", licence)])).is_empty(), "{licence}");
    }
}

#[test]
fn a_doubled_heavy_crate_is_found() {
    let twice = |name: &str| planted(&[(name, "1.0.0", "MIT"), (name, "2.0.0", "MIT")]);
    for name in ["tokio", "ruma", "ruma-events", "sqlx-core"] {
        assert_eq!(doubled(&twice(name)).len(), 1, "{name}");
    }
    assert!(doubled(&twice("syn")).is_empty());
    assert!(doubled(&planted(&[("tokio", "1.0.0", "MIT")])).is_empty());
}

#[test]
fn a_second_tls_is_found() {
    assert_eq!(
        banned(&planted(&[("openssl-sys", "1.0.0", "MIT"), ("openssl-probe", "1.0.0", "MIT")])).len(),
        1
    );
}
