//! Files and functions fit into a head, and every file says what it is for.

use super::expect_none;
use super::source::{self, Source, item_end};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

fn long_files(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let lines = source.whole.lines().count();
        if lines > FILE_LINES {
            found.push(format!("{}: {lines} lines, at most {FILE_LINES}: divide it", source.path));
        }
    }
    found
}

/// Counts lines of code from the opening brace to the closing one, as clippy does.
fn long_functions(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        // Test files are blanked in `code`, but they keep to the size as well.
        let code = Source::new("src/any.rs", &source.whole).code;
        for (at, _) in code.match_indices("fn ") {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let item = &code[at..item_end(&code, at)];
            let Some(open) = item.find('{') else { continue };
            let lines = item[open..].lines().filter(|line| !line.trim().is_empty()).count();
            if lines > FUNCTION_LINES + 2 {
                let name = item[3..].split(['(', '<']).next().unwrap_or_default();
                let path = &source.path;
                found.push(format!("{path}: fn {name} has {lines} lines, at most {FUNCTION_LINES}"));
            }
        }
    }
    found
}

fn headless(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        if !source.whole.trim_start().starts_with("//!") {
            found.push(format!("{}: no head (`//!`) that says what belongs in here", source.path));
        }
    }
    found
}

#[test]
fn files_are_short() {
    expect_none(&long_files(source::all()));
}

#[test]
fn functions_are_short() {
    expect_none(&long_functions(source::all()));
}

#[test]
fn every_file_has_a_head() {
    expect_none(&headless(source::all()));
}

#[test]
fn a_long_file_is_found() {
    let planted = |lines: usize| vec![Source::new("server/x/src/a.rs", &"//\n".repeat(lines))];
    assert_eq!(long_files(&planted(601)).len(), 1);
    assert_eq!(long_files(&planted(600)).len(), 0);
}

#[test]
fn a_long_function_is_found() {
    let planted = |lines: usize| {
        let body = "    step();\n".repeat(lines);
        let text = format!("//! x\nimpl A {{\nfn a(b: [u8; 4]) -> u8 {{\n{body}}}\n}}\nfn c() {{}}\n");
        vec![Source::new("server/x/src/a.rs", &text)]
    };
    assert_eq!(long_functions(&planted(71)).len(), 1);
    assert_eq!(long_functions(&planted(70)).len(), 0);
}

#[test]
fn a_missing_head_is_found() {
    let planted = [Source::new("server/x/src/a.rs", "// no\nfn a() {}"), Source::new("b.rs", "\n//! yes")];
    assert_eq!(headless(&planted).len(), 1);
}
