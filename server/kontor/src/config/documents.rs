//! The documents made from the keys' own comments: the example file and the reference page. A
//! test compares them with the files in `docs/`.

use super::keys::sections;
use super::schema::{Key, Section};
use std::fmt::Write as _;

/// The example configuration: every key with its comment and its default, commented out.
pub fn example() -> String {
    let mut out = String::from(
        "# Example configuration of Kontor, printed by `kontor generate-config`.\n\
         #\n\
         # Every key may be left out. Each stands here with its default, or, where there is none, with an\n\
         # example; to change one, remove the # before it and before the [section] above it.\n\
         # Any key can also be given by an environment variable, KONTOR__SECTION__KEY.\n\
         # `kontor check-config --config FILE` says what a file means.\n",
    );
    all_commented(&mut out, &sections());
    out
}

/// Every key of these sections with its comment and its value, commented out.
pub(super) fn all_commented(out: &mut String, sections: &[Section]) {
    for section in sections {
        out.push_str("\n\n");
        comment(out, section.docs);
        if !section.name.is_empty() {
            let _ = writeln!(out, "#{}", heading(section));
        }
        for key in &section.keys {
            out.push('\n');
            comment(out, key.docs);
            if key.secret {
                let _ = writeln!(out, "# Or the name of a file that holds it: {}_file", key.name);
            }
            if key.default.is_none() {
                out.push_str("# No default. Example:\n");
            }
            let _ = writeln!(out, "#{} = {}", key.name, key.shown());
        }
    }
}

fn heading(section: &Section) -> String {
    if section.repeatable { format!("[[{}]]", section.name) } else { format!("[{}]", section.name) }
}

fn comment(out: &mut String, docs: &[&str]) {
    for line in docs {
        let _ = writeln!(out, "#{}", line.trim_end());
    }
}

/// The reference page: the same, in Markdown.
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         This page is generated from the comments in `server/kontor/src/config/keys.rs`; \
         `kontor generate-config --reference` prints it. The same as a file to start from: \
         [kontor.example.toml](kontor.example.toml).\n\n\
         Kontor needs no configuration: without any it keeps everything under `./data` and listens on \
         127.0.0.1, port 8008. What is set is read from the TOML file named by `--config`, then from environment \
         variables, which win: `KONTOR__SERVER_NAME`, `KONTOR__DATABASE__URL`, `KONTOR__LISTENER__0__BIND`. \
         In a variable a list is written with commas. A key marked *secret* can instead be read from a file: \
         `database.url_file = \"/run/secrets/database-url\"`. A key that does not exist is an error, never ignored. \
         `kontor check-config` says in sentences what a configuration means and what is wrong with it.\n",
    );
    all_described(&mut out, &sections());
    out
}

/// Every key of these sections in Markdown.
pub(super) fn all_described(out: &mut String, sections: &[Section]) {
    for section in sections {
        let title = if section.name.is_empty() {
            String::from("Top of the file")
        } else {
            format!("`{}`", heading(section))
        };
        let _ = write!(out, "\n## {title}\n\n{}\n", paragraph(section.docs));
        for key in &section.keys {
            let _ =
                write!(out, "\n### `{}`\n\n{}\n\n{}\n", path(section, key), paragraph(key.docs), facts(key));
        }
    }
}

fn path(section: &Section, key: &Key) -> String {
    if section.name.is_empty() { key.name.to_owned() } else { format!("{}.{}", section.name, key.name) }
}

fn paragraph(docs: &[&str]) -> String {
    docs.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

fn facts(key: &Key) -> String {
    let secret = if key.secret { " *Secret.*" } else { "" };
    let value = match key.default {
        Some(_) => format!("Default: `{}`.", key.shown()),
        None => format!("No default. Example: `{}`.", key.shown()),
    };
    format!("Takes: {}. {value}{secret}", key.kind.words())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::load::from_text;
    use super::*;
    use std::path::Path;

    /// Compares with the committed file, or writes it when `KONTOR_WRITE_DOCS` is set.
    pub fn is_committed(name: &str, text: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
        if std::env::var_os("KONTOR_WRITE_DOCS").is_some() {
            std::fs::write(&path, text).expect("docs/ can be written");
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == text, "docs/{name} is stale; run this test with KONTOR_WRITE_DOCS=1");
    }

    #[test]
    fn the_committed_example_is_what_the_code_generates() {
        is_committed("kontor.example.toml", &example());
    }

    #[test]
    fn the_committed_reference_is_what_the_code_generates() {
        is_committed("CONFIG.md", &reference());
    }

    /// Uncomments the settings: they have no space after the `#`, prose has.
    pub fn uncommented(example: &str) -> String {
        example
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn the_example_is_good_as_it_stands_and_uncommented() {
        for text in [example(), uncommented(&example())] {
            let result = from_text(&text, "example", std::iter::empty());
            assert!(result.is_ok(), "{result:?}");
        }
    }

    #[test]
    fn every_key_stands_in_the_example() {
        let text: toml::Table = toml::from_str(&uncommented(&example())).expect("TOML");
        for section in sections() {
            for key in section.keys {
                let found = match text.get(section.name) {
                    Some(toml::Value::Table(table)) => table.contains_key(key.name),
                    Some(toml::Value::Array(list)) => list[0].get(key.name).is_some(),
                    _ => text.contains_key(key.name),
                };
                assert!(found, "{}.{}", section.name, key.name);
            }
        }
    }
}
