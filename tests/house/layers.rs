//! Who may name what: SQL lives in the archive, HTTP at the front door, the language does no IO.

use super::expect_none;
use super::source::{self, Source};

/// Pieces that only SQL statements have.
const SQL: [&str; 9] = [
    "SELECT ",
    "INSERT INTO ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "ALTER TABLE ",
    "PRAGMA ",
    "ON CONFLICT",
];

const DEPARTMENTS: [&str; 4] = ["server/rooms", "server/identity", "server/contacts", "server/media"];

fn server_outside<'a>(sources: &'a [Source], folders: &'a [&'a str]) -> impl Iterator<Item = &'a Source> {
    sources
        .iter()
        .filter(|source| source.in_folder("server") && !folders.iter().any(|folder| source.in_folder(folder)))
}

fn sql_outside_the_store(sources: &[Source]) -> Vec<String> {
    let because = "only server/store knows SQL";
    server_outside(sources, &["server/store"])
        .flat_map(|source| {
            let mut found = source.forbid_in_strings(&SQL, because);
            found.extend(source.forbid(&["sqlx", "rusqlite"], because));
            found
        })
        .collect()
}

fn commits_outside_the_store(sources: &[Source]) -> Vec<String> {
    let because = "only server/store commits; callers submit a Change";
    server_outside(sources, &["server/store"])
        .flat_map(|source| source.forbid(&[".commit("], because))
        .collect()
}

/// Departments return a Change; handing it to the writer is their caller's part.
fn departments_that_submit(sources: &[Source]) -> Vec<String> {
    let because = "departments return a Change; a flow or http submits it";
    let departments = |source: &&Source| DEPARTMENTS.iter().any(|department| source.in_folder(department));
    sources
        .iter()
        .filter(departments)
        .flat_map(|source| source.forbid(&[".submit(", ".submit_bulk("], because))
        .collect()
}

fn http_outside_the_front_door(sources: &[Source]) -> Vec<String> {
    let because = "only server/http knows HTTP and Matrix error JSON";
    let mut found = Vec::new();
    // `wire` reads the status of other servers' answers.
    for source in server_outside(sources, &["server/http", "server/wire"]) {
        found.extend(source.forbid(&["axum", "StatusCode"], because));
        for (index, line) in source.text.lines().enumerate() {
            let code = line.split("\"M_").nth(1).is_some_and(|rest| rest.starts_with(char::is_uppercase));
            if code || line.contains("\"errcode\"") {
                found.push(format!("{}:{}: Matrix error JSON: {because}", source.path, index + 1));
            }
        }
    }
    found
}

/// What networks and the rest of the kit must not know: where the memory is and who answers requests.
fn bridges_beyond_their_doors(sources: &[Source]) -> Vec<String> {
    let bridges = |folder: &'static str| {
        sources.iter().filter(move |source| source.in_folder("bridges") && !source.in_folder(folder))
    };
    let mut found = Vec::new();
    for source in bridges("bridges/kit/src/db") {
        let because = "in bridges only kit/src/db knows SQL";
        found.extend(source.forbid_in_strings(&SQL, because));
        found.extend(source.forbid(&["sqlx", "rusqlite"], because));
    }
    for source in bridges("bridges/kit/src/web") {
        let because = "in bridges only kit/src/web knows axum and status codes";
        found.extend(source.forbid(&["axum", "StatusCode"], because));
    }
    // What a network says goes through `kit::Outward`, which knows whether it was written.
    for source in bridges("bridges/kit") {
        found.extend(source.forbid(&["reqwest", "hyper"], "networks speak through kit::Outward"));
    }
    found
}

fn model_with_io(sources: &[Source]) -> Vec<String> {
    const IO: [&str; 10] = [
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "tokio",
        "reqwest",
        "Instant::now",
        "sqlx",
        "rusqlite",
    ];
    let because = "server/model does no IO and reads no clock but its own adapter";
    sources
        .iter()
        .filter(|source| source.in_folder("server/model"))
        .flat_map(|source| source.forbid(&IO, because))
        .collect()
}

/// The one place that may ask the operating system for the time.
const CLOCK: &str = "server/kontor/src/system.rs";

fn clocks_read_elsewhere(sources: &[Source]) -> Vec<String> {
    let because = "take a model::Clock: tests move time";
    sources
        .iter()
        .filter(|source| source.in_folder("server") || source.in_folder("bridges"))
        .filter(|source| source.path != CLOCK)
        .flat_map(|source| source.forbid(&["SystemTime::now"], because))
        .collect()
}

/// Every layer rule with a name, and a planted source that breaks it.
type Rule = fn(&[Source]) -> Vec<String>;

#[test]
fn only_the_store_knows_sql() {
    expect_none(&sql_outside_the_store(source::all()));
}

#[test]
fn only_the_store_commits() {
    expect_none(&commits_outside_the_store(source::all()));
}

#[test]
fn departments_do_not_submit() {
    expect_none(&departments_that_submit(source::all()));
}

#[test]
fn only_the_front_door_knows_http() {
    expect_none(&http_outside_the_front_door(source::all()));
}

#[test]
fn bridges_keep_to_their_doors() {
    expect_none(&bridges_beyond_their_doors(source::all()));
}

#[test]
fn the_model_does_no_io() {
    expect_none(&model_with_io(source::all()));
}

#[test]
fn time_comes_from_the_clock_that_was_passed_in() {
    expect_none(&clocks_read_elsewhere(source::all()));
}

#[test]
fn broken_layers_are_found() {
    let planted: [(Rule, &str, &str); 14] = [
        (sql_outside_the_store, "server/rooms/src/a.rs", r#"const A: &str = "SELECT 1";"#),
        (sql_outside_the_store, "server/http/src/a.rs", "use sqlx::Any;"),
        (commits_outside_the_store, "server/flows/src/a.rs", "fn a() { transaction.commit(); }"),
        (departments_that_submit, "server/identity/src/a.rs", "fn a() { store.submit(change); }"),
        (http_outside_the_front_door, "server/media/src/a.rs", "use axum::Json;"),
        (http_outside_the_front_door, "server/flows/src/a.rs", r#"const A: &str = "M_FORBIDDEN";"#),
        (http_outside_the_front_door, "server/rooms/src/a.rs", "fn a() -> StatusCode {}"),
        (model_with_io, "server/model/src/a.rs", "fn a() { std::fs::read(b); }"),
        (clocks_read_elsewhere, "server/store/src/a.rs", "fn a() { SystemTime::now(); }"),
        (clocks_read_elsewhere, "bridges/kit/src/a.rs", "fn a() { SystemTime::now(); }"),
        (bridges_beyond_their_doors, "bridges/kit/src/a.rs", r#"const A: &str = "DELETE FROM a";"#),
        (bridges_beyond_their_doors, "bridges/kit/src/web/a.rs", "use sqlx::Any;"),
        (bridges_beyond_their_doors, "bridges/x/src/a.rs", "fn a() -> StatusCode {}"),
        (bridges_beyond_their_doors, "bridges/x/src/a.rs", "use reqwest::Client;"),
    ];
    for (rule, path, text) in planted {
        assert_eq!(rule(&[Source::new(path, text)]).len(), 1, "not found: {text} in {path}");
    }
}

#[test]
fn the_right_place_and_tests_and_comments_are_no_violation() {
    let planted: [(Rule, &str, &str); 7] = [
        (sql_outside_the_store, "server/store/src/a.rs", r#"const A: &str = "SELECT 1";"#),
        (sql_outside_the_store, "server/rooms/src/a.rs", "// SELECT is done by sqlx in the store"),
        (commits_outside_the_store, "server/store/src/a.rs", "fn a() { transaction.commit(); }"),
        (http_outside_the_front_door, "server/http/src/a.rs", "use axum::Json;"),
        (bridges_beyond_their_doors, "bridges/kit/src/db/a.rs", r#"const A: &str = "SELECT 1";"#),
        (bridges_beyond_their_doors, "bridges/kit/src/web/a.rs", "use axum::Json;"),
        (model_with_io, "server/model/src/a.rs", "#[cfg(test)]\nmod tests { use std::fs; }"),
    ];
    for (rule, path, text) in planted {
        assert!(rule(&[Source::new(path, text)]).is_empty(), "wrongly found: {text} in {path}");
    }
}
