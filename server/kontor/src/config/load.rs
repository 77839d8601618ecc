//! From a file and the environment to a [`Config`]: overlay, secrets from files, unknown keys,
//! types. What the values mean together is [`super::check`]'s matter.

use super::check;
use super::keys::{Config, Listener, Top, sections};
use super::problem::Problems;
use super::schema::{Key, Kind, Section};
use super::tree::{PREFIX, Tree};
use serde::Deserialize;
use std::path::Path;
use toml::{Table, Value};

/// Reads the configuration from the file, if any, and from environment variables.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Problems> {
    let (text, name) = match file {
        None => (String::new(), String::new()),
        Some(path) => (read(path)?, path.display().to_string()),
    };
    from_text(&text, &name, environment)
}

/// As [`load`], from the text of a file.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub(super) fn from_text(
    text: &str,
    file: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Config, Problems> {
    let sections = sections();
    let (tree, mut problems) = gather(text, file, environment, &sections)?;
    match typed(&tree, &sections) {
        Ok(config) => {
            check::check(&config, &tree, &mut problems);
            problems.or(config)
        }
        Err(more) => {
            problems.0.extend(more.0);
            Err(problems)
        }
    }
}

/// The values of the text overlaid with those of the environment, secrets read from their files, and
/// what is wrong with keys so far.
///
/// # Errors
/// The text is not TOML.
pub(super) fn gather(
    text: &str,
    file: &str,
    environment: impl Iterator<Item = (String, String)>,
    sections: &[Section],
) -> Result<(Tree, Problems), Problems> {
    let mut tree = Tree::parse(text, file)?;
    let mut problems = Problems::default();
    let mut variables: Vec<(String, String)> = environment
        .filter_map(|(name, value)| name.strip_prefix(PREFIX).map(|rest| (rest.to_owned(), value)))
        .collect();
    variables.sort();
    for (variable, value) in variables {
        if let Err(more) = tree.overlay(&variable, &value, sections) {
            problems.0.extend(more.0);
        }
    }
    read_secret_files(&mut tree, sections, &mut problems);
    find_unknown(&tree, sections, &mut problems);
    Ok((tree, problems))
}

/// The text of a configuration file.
pub(super) fn read(path: &Path) -> Result<String, Problems> {
    std::fs::read_to_string(path).map_err(|error| {
        Problems::one(path.display().to_string(), format!("the file cannot be read: {error}."))
    })
}

/// Puts the content of every `<secret>_file` where `<secret>` belongs.
fn read_secret_files(tree: &mut Tree, sections: &[Section], problems: &mut Problems) {
    for section in sections.iter().filter(|section| !section.name.is_empty()) {
        for key in section.keys.iter().filter(|key| key.secret) {
            if !section.repeatable {
                read_secret_file(tree, section.name, None, key, problems);
                continue;
            }
            let count = tree.table.get(section.name).and_then(Value::as_array).map_or(0, Vec::len);
            for index in 0..count {
                read_secret_file(tree, section.name, Some(index), key, problems);
            }
        }
    }
}

/// One of them: in the section, or in this one of several sections of the name.
fn read_secret_file(tree: &mut Tree, name: &str, index: Option<usize>, key: &Key, problems: &mut Problems) {
    let file_key = format!("{}_file", key.name);
    let at = index.map_or_else(|| name.to_owned(), |index| format!("{name}[{index}]"));
    let place = tree.place(&format!("{at}.{file_key}"));
    let section = match (tree.table.get_mut(name), index) {
        (Some(Value::Array(list)), Some(index)) => list.get_mut(index),
        (section, _) => section,
    };
    let Some(Value::Table(table)) = section else { return };
    let Some(named) = table.remove(&file_key) else { return };
    let Value::String(file) = named else {
        return problems.add(place, "the name of a file is expected.");
    };
    if table.contains_key(key.name) {
        return problems.add(place, format!("give either `{}` or `{file_key}`, not both.", key.name));
    }
    match std::fs::read_to_string(&file) {
        Ok(text) if key.kind == Kind::Texts => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            table.insert(key.name.to_owned(), lines.map(Value::from).collect::<Vec<_>>().into());
        }
        Ok(text) => {
            table.insert(key.name.to_owned(), Value::String(text.trim_end().to_owned()));
        }
        Err(error) => problems.add(place, format!("the file {file} cannot be read: {error}.")),
    }
}

/// Notes every key that no section knows.
fn find_unknown(tree: &Tree, sections: &[Section], problems: &mut Problems) {
    let top = sections.iter().find(|section| section.name.is_empty());
    for (name, value) in &tree.table {
        if top.is_some_and(|top| top.key(name).is_some()) {
            continue;
        }
        let Some(section) = sections.iter().find(|section| section.name == name) else {
            problems.add(tree.place(name), unknown(name, sections));
            continue;
        };
        match (value, section.repeatable) {
            (Value::Table(table), false) => {
                unknown_in(table, name, section, tree, sections, problems);
            }
            (Value::Array(list), true) if list.iter().all(Value::is_table) => {
                for (index, element) in list.iter().enumerate() {
                    if let Value::Table(table) = element {
                        unknown_in(table, &format!("{name}[{index}]"), section, tree, sections, problems);
                    }
                }
            }
            (_, false) => problems.add(tree.place(name), format!("`{name}` is a section: write [{name}].")),
            (_, true) => problems
                .add(tree.place(name), format!("there can be several of these: write [[{name}]] for each.")),
        }
    }
}

fn unknown_in(
    table: &Table,
    path: &str,
    section: &Section,
    tree: &Tree,
    sections: &[Section],
    problems: &mut Problems,
) {
    for name in table.keys().filter(|name| section.key(name).is_none()) {
        let place = tree.place(&format!("{path}.{name}"));
        problems.add(place, unknown(&format!("{}.{name}", section.name), sections));
    }
}

/// The sentence for a key that does not exist, with the nearest that does.
fn unknown(path: &str, sections: &[Section]) -> String {
    let known = sections.iter().flat_map(|section| {
        let keys = section.keys.iter().flat_map(|key| {
            let path = if section.name.is_empty() {
                key.name.to_owned()
            } else {
                format!("{}.{}", section.name, key.name)
            };
            let file = key.secret.then(|| format!("{path}_file"));
            std::iter::once(path).chain(file)
        });
        std::iter::once(section.name.to_owned()).chain(keys)
    });
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let nearest = known
        .filter(|candidate| !candidate.is_empty())
        .map(|candidate| {
            let whole = strsim::damerau_levenshtein(&candidate, path);
            // A key under the wrong section, or under none, is as likely as a misspelt one.
            let moved = 1 + strsim::damerau_levenshtein(&last(&candidate), &last(path));
            (whole.min(moved), candidate)
        })
        .min();
    match nearest {
        Some((distance, candidate)) if distance <= 1 + path.len() / 5 => {
            format!("there is no such key; did you mean `{candidate}`?")
        }
        _ => String::from("there is no such key; `kontor generate-config` prints all that there are."),
    }
}

/// Gives the server's values their types.
fn typed(tree: &Tree, sections: &[Section]) -> Result<Config, Problems> {
    let mut config: Config = read_into(tree, sections)?;
    config.top = read_into::<Top>(tree, sections)?;
    if config.listener.is_empty() {
        config.listener.push(Listener::default());
    }
    Ok(config)
}

pub(super) fn read_into<T: for<'de> Deserialize<'de>>(
    tree: &Tree,
    sections: &[Section],
) -> Result<T, Problems> {
    serde_path_to_error::deserialize(tree.table.clone()).map_err(|error| {
        let path = error.path().to_string();
        // Of `widget[0].secrets[1]` the words without numbers.
        let word = |part: &str| part.split('[').next().unwrap_or_default().to_owned();
        let secret = path.split_once('.').is_some_and(|(section, key)| {
            let (section, key) = (word(section), word(key));
            let known = sections.iter().find(|known| known.name == section);
            known.and_then(|known| known.key(&key)).is_some_and(|key| key.secret)
        });
        // serde's own sentence would show the value.
        let sentence = if secret {
            String::from("a text is expected")
        } else {
            error.inner().to_string().trim_end().to_owned()
        };
        Problems::one(tree.place(&path), format!("{sentence}."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>();
        from_text(text, "k.toml", environment.into_iter()).map_err(|problems| problems.to_string())
    }

    #[test]
    fn nothing_at_all_is_a_good_configuration() {
        let config = read_text("", &[]).expect("defaults");
        assert_eq!(config.top.server_name, "localhost");
        assert_eq!(config.listener.len(), 1);
        assert_eq!(config.listener[0].bind.to_string(), "127.0.0.1:8008");
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line_and_the_nearest_key() {
        for (text, place, nearest) in [
            ("\nsever_name = \"x\"", "k.toml, line 2, `sever_name`", "`server_name`"),
            ("[database]\nulr = \"x\"", "k.toml, line 2, `database.ulr`", "`database.url`"),
            ("[[listener]]\nbnd = \"x\"", "k.toml, line 2, `listener[0].bnd`", "`listener.bind`"),
            ("[registraton]\nenabled = true", "k.toml, line 1, `registraton`", "`registration`"),
            ("[media]\nresponse_cache_seconds = 1", "line 2", "`sync.response_cache_seconds`"),
        ] {
            let said = read_text(text, &[]).expect_err(text);
            assert!(said.contains(place) && said.contains(nearest), "{text}: {said}");
        }
        let said = read_text("[bananas]", &[]).expect_err("unknown section");
        assert!(said.contains("generate-config"), "{said}");
    }

    #[test]
    fn all_that_is_wrong_is_named_at_once() {
        let said = read_text("a1 = 1\n[rooms]\nb2 = 2\n[media]\nstore = 5", &[("KONTOR__LOG__C3", "x")])
            .expect_err("four");
        for key in ["`a1`", "`rooms.b2`", "KONTOR__LOG__C3", "`media.store`"] {
            assert!(said.contains(key), "{said}");
        }
    }

    #[test]
    fn a_wrong_type_is_said_with_its_place() {
        for (text, place) in [
            ("[registration]\nenabled = \"yes\"", "line 2, `registration.enabled`"),
            ("[[listener]]\nbind = \"localhost\"", "line 2, `listener[0].bind`"),
            ("[[listener]]\nserve = [\"client\", \"cilent\"]", "line 2, `listener[0].serve[1]`"),
            ("[media]\nupload_limit = \"huge\"", "line 2, `media.upload_limit`"),
            ("server_name = 5", "line 1, `server_name`"),
        ] {
            let said = read_text(text, &[]).expect_err(text);
            assert!(said.contains(place), "{text}: {said}");
        }
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let config = read_text(
            "server_name = \"a.example\"\n[registration]\nenabled = false\n[[listener]]\nbind = \"127.0.0.1:1\"",
            &[
                ("KONTOR__SERVER_NAME", "b.example"),
                ("KONTOR__REGISTRATION__ENABLED", "true"),
                ("KONTOR__LISTENER__0__BIND", "127.0.0.1:2"),
                ("KONTOR__LISTENER__1__BIND", "127.0.0.1:3"),
                ("KONTOR__LISTENER__1__SERVE", "health, metrics"),
                ("KONTOR__OUTBOUND__DENIED_IP_RANGES", ""),
                ("KONTOR__MEDIA__UPLOAD_LIMIT", "1024"),
                ("UNRELATED", "x"),
            ],
        )
        .expect("good");
        assert_eq!(config.top.server_name, "b.example");
        assert!(config.registration.enabled);
        assert_eq!(config.listener[0].bind.port(), 2);
        assert_eq!(config.listener[1].serve.len(), 2);
        assert!(config.outbound.denied_ip_ranges.is_empty());
        assert_eq!(config.media.upload_limit.0, 1024);
    }

    #[test]
    fn a_secret_can_be_in_a_file_but_not_in_two_places() {
        let folder = std::env::temp_dir().join(format!("kontor-secret-{}", std::process::id()));
        std::fs::write(&folder, "s3cret\n").expect("write");
        let file = folder.display();
        let good = format!("[registration]\nshared_secret_file = \"{file}\"");
        let config = read_text(&good, &[]).expect("good");
        assert_eq!(config.registration.shared_secret.map(|s| s.expose().clone()), Some("s3cret".into()));
        let both = format!("{good}\nshared_secret = \"x\"");
        assert!(read_text(&both, &[]).expect_err("both").contains("not both"));
        std::fs::remove_file(&folder).expect("remove");
        assert!(read_text(&good, &[]).expect_err("gone").contains("cannot be read"));
    }

    #[test]
    fn a_wrong_value_never_shows_a_secret() {
        let said = read_text("[database]\nurl = \"mysql://u:hunter2@h/d\"", &[]).expect_err("wrong scheme");
        assert!(!said.contains("hunter2"), "{said}");
        let said = read_text("[registration]\nshared_secret = 424242", &[]).expect_err("a number");
        assert!(said.contains("line 2") && !said.contains("424242"), "{said}");
        let config = read_text("[database]\nurl = \"postgres://u:hunter2@h/d\"", &[]).expect("good");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
