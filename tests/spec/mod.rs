//! Which operations of the specification exist: asked of the real server, so that the page cannot lie.

use harness::conformance::{Operation, SPECIFICATION};
use harness::{Homeserver, both_databases};
use reqwest::Method;
use std::collections::BTreeMap;
use std::fmt::Write as _;

both_databases!(the_page_about_the_specification_is_true);

/// Operations that do not exist, each with its reason. An operation may only be missing with one.
const MISSING: &[(&str, &str)] = &[
    ("getAuthMetadata", "comes with single sign-on; the answer says so in the form that clients expect"),
    ("redirectToSSO", "comes with single sign-on"),
    ("redirectToIdP", "comes with single sign-on"),
];

/// Whether the server has the operation at all: no route answers `M_UNRECOGNIZED`.
async fn exists(server: &Homeserver, operation: &Operation) -> bool {
    let path: Vec<&str> =
        operation.path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
    let method = Method::from_bytes(operation.method.as_bytes()).expect("method");
    let answer = server.request(method, &path.join("/"), None, None).await;
    let unknown = answer.json["errcode"] == "M_UNRECOGNIZED";
    !(unknown || answer.status == 405 || (answer.status == 404 && !answer.json["errcode"].is_string()))
}

/// Operations of one chapter by path and method, and whether they exist.
type Family<'a> = BTreeMap<(&'a str, &'a str), (&'a Operation, bool)>;

async fn page(server: &Homeserver) -> String {
    let mut families: BTreeMap<&str, Family<'_>> = BTreeMap::new();
    for operation in &SPECIFICATION.operations {
        let there = exists(server, operation).await;
        let family = families.entry(&operation.family).or_default();
        family.insert((&operation.path, &operation.method), (operation, there));
    }
    let all = families.values().map(BTreeMap::len).sum::<usize>();
    let there = families.values().flat_map(BTreeMap::values).filter(|(_, there)| *there).count();
    let mut page = format!(
        "# The specification\n\n\
         What Kontor has of the client-server API of the Matrix specification {}: {there} of {all} operations.\n\
         This page is written by a test that asks a running server for every operation of the specification's OpenAPI\n\
         files (`KONTOR_UPDATE_DOCS=1 cargo test -p kontor-tests spec::`). Beside it, every answer that any test gets is\n\
         held against the schema of its operation.\n",
        SPECIFICATION.version
    );
    for (family, operations) in families {
        let _ = write!(page, "\n## {family}\n\n| operation | | state |\n|---|---|---|\n");
        for ((path, method), (operation, there)) in operations {
            let reason = MISSING.iter().find(|(id, _)| *id == operation.id).map(|(_, reason)| *reason);
            let state = match (there, reason) {
                (true, None) if operation.deprecated => "there (deprecated)".to_owned(),
                (true, None) => "there".to_owned(),
                (false, Some(reason)) => format!("missing: {reason}"),
                (true, Some(_)) => panic!("{} exists; it is not missing any more", operation.id),
                (false, None) => panic!("{method} {path} ({}) is missing without a reason", operation.id),
            };
            let _ = writeln!(page, "| {} | `{method} {path}` | {state} |", operation.id);
        }
    }
    page
}

async fn the_page_about_the_specification_is_true(server: Homeserver) {
    let page = page(&server).await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/SPEC.md");
    if std::env::var_os("KONTOR_UPDATE_DOCS").is_some() {
        std::fs::write(file, &page).expect("docs/SPEC.md");
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == page, "docs/SPEC.md is not true any more. Run with KONTOR_UPDATE_DOCS=1.");
}
