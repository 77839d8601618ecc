//! The page `docs/SCHEMA.md`, made from the migrations' own comments, so that it cannot lie.

use crate::migrate::MIGRATIONS;

/// The page as it should be.
fn page() -> String {
    let mut page = String::from(
        "# The archive's tables\n\n\
         Made from the comments of `server/store/migrations` by a test of `kontor-store`; do not edit it here. After a\n\
         change run `KONTOR_UPDATE_DOCS=1 cargo test -p kontor-store schema_page`.\n\n\
         Numeric ids end in `_nid`; times are milliseconds since 1970 and end in `_ts` or are called `ts`; booleans are 0\n\
         or 1; `pos` is a place in the one log (docs/ARCHITECTURE.md), `ord` a place in a room. `BYTES` is the blob type.\n",
    );
    for (number, (name, sql)) in MIGRATIONS.iter().enumerate() {
        page.push_str(&format!("\n## {}. {name}\n", number + 1));
        let mut comment = Vec::new();
        let mut table = false;
        for line in sql.lines() {
            let text = line.trim();
            if let Some(said) = text.strip_prefix("--") {
                comment.push(said.trim().to_owned());
            } else if let Some(rest) = new_table(text) {
                let name = rest.trim_end_matches(" (").trim();
                page.push_str(&format!("\n### `{name}`\n{}", paragraph(&comment)));
                page.push_str("\n| column | type | |\n|---|---|---|\n");
                comment.clear();
                table = true;
            } else if table && text.starts_with(')') {
                table = false;
            } else if table && text.starts_with("PRIMARY KEY") {
                page.push_str(&format!("| | | {} |\n", text.trim_end_matches(',')));
            } else if table && !text.is_empty() {
                let (column, kind) = text.split_once(' ').unwrap_or((text, ""));
                let kind = kind.trim_end_matches(',');
                page.push_str(&format!("| `{column}` | {kind} | {} |\n", comment.join(" ")));
                comment.clear();
            } else if text.is_empty() {
                if !comment.is_empty() && !table {
                    page.push_str(&paragraph(&comment));
                }
                comment.clear();
            }
        }
    }
    page
}

fn paragraph(comment: &[String]) -> String {
    if comment.is_empty() { String::new() } else { format!("\n{}\n", comment.join(" ")) }
}

/// What follows where a table is made.
fn new_table(line: &str) -> Option<&str> {
    line.strip_prefix("CREATE TABLE ").or_else(|| line.strip_prefix("CREATE UNLOGGED TABLE "))
}

#[test]
fn the_schema_page_is_what_the_migrations_say() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/SCHEMA.md");
    if std::env::var_os("KONTOR_UPDATE_DOCS").is_some() {
        std::fs::write(file, page()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), page());
}

#[test]
fn every_table_is_on_the_page() {
    let page = page();
    let tables =
        MIGRATIONS.iter().flat_map(|(_, sql)| sql.lines()).filter(|line| new_table(line).is_some()).count();
    assert!(tables > 20);
    assert_eq!(page.matches("\n### `").count(), tables);
}
