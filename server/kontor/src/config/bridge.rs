//! The configuration of a bridge: a file of its own, read by the same rules as the server's. The keys
//! that all bridges have are here with their code; those of a channel are described here (the website's) or
//! beside (`telegram`), and read by the channel itself.

use super::documents::{all_commented, all_described};
use super::keys::Log;
use super::load::{gather, read, read_into};
use super::problem::Problems;
use super::schema::{Key, Kind, Section, section};
use super::telegram;
use super::tree::Tree;
use crate::cli::BridgeName;
use kontor_bridge_telegram::config::Settings as Telegram;
use kontor_bridge_webchat::config::{Form, Settings, Widget};
use kontor_model::{Language, Secret};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use tracing_subscriber::EnvFilter;

section! {
    /// The bridge as a process. It is set up in a file of its own; each bridge has one.
    pub struct Bridge {
        /// Name of the channel at the server: small letters, digits, dots and hyphens. It stands in the
        /// ids of customers and never changes.
        channel: String = String::from("webchat");

        /// Where the homeserver answers the bridge.
        homeserver: String = String::from("http://127.0.0.1:8008");

        /// IP address and port on which the bridge listens: for the homeserver, and for what the network
        /// calls. It speaks plain HTTP, which belongs on loopback or behind a reverse proxy.
        bind: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8009);

        /// Where the homeserver reaches the bridge, when that is not `bind`.
        url: Option<String> = None, example r#""http://bridge.internal:8009""#;

        /// Folder for the key file, the bridge's registration, files on their way, and the database when
        /// it is SQLite. Made when absent.
        data_dir: PathBuf = PathBuf::from("./data/webchat");

        /// The bridge's own database: `sqlite:///absolute/path.db`, or
        /// `postgres://user:password@host/database`. Never the server's. When absent, SQLite in the file
        /// `bridge.db` in the data folder.
        database_url: Option<Secret<String>> = None,
            example r#""postgres://bridge:password@127.0.0.1/webchat""#, secret;

        /// With which the bridge proves itself to the homeserver. When absent, from the file that
        /// `--register` wrote into the data folder. Belongs together with `hs_token`.
        as_token: Option<Secret<String>> = None, example r#""a long random text""#, secret;

        /// With which the homeserver proves itself to the bridge.
        hs_token: Option<Secret<String>> = None, example r#""another long random text""#, secret;

        /// Room for notices that belong to no conversation. The bridge's user must be able to join it.
        /// When absent, they are only logged.
        admin_room: Option<String> = None, example r#""!abcdef:company.example""#;

        /// Language of what the bridge tells employees where no customer's language is known: `"en"`,
        /// `"pl"` or `"uk"`.
        language: String = String::from("en");

        /// After how many days what came in and went out is forgotten here; the rooms keep it.
        raw_kept_days: u32 = 30;

        /// Addresses of reverse proxies whose `X-Forwarded-For` is believed: without it all visitors
        /// behind one count as one address.
        trusted_proxies: Vec<IpAddr> = Vec::new();
    }
}

/// A bridge's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BridgeFile {
    /// `[bridge]`
    pub bridge: Bridge,
    /// `[[widget]]`
    pub widget: Vec<Widget>,
    /// `[[form]]`
    pub form: Vec<Form>,
    /// `[telegram]`
    pub telegram: Option<Telegram>,
    /// `[log]`
    pub log: Log,
}

impl BridgeFile {
    /// The website channel's own part.
    pub fn webchat(&self) -> Settings {
        Settings { language: self.language(), widgets: self.widget.clone(), forms: self.form.clone() }
    }

    /// The Telegram channel's own part.
    ///
    /// # Errors
    /// A sentence when there is none.
    pub fn telegram(&self) -> Result<Telegram, String> {
        let own = self.telegram.clone().ok_or("There is no [telegram] with the bot's token.")?;
        Ok(Telegram { language: self.language(), ..own })
    }

    /// The language of what employees are told.
    pub fn language(&self) -> Language {
        Language::of(&self.bridge.language).unwrap_or_default()
    }
}

pub(super) fn text(name: &'static str, docs: &'static [&'static str], example: &'static str) -> Key {
    Key::new(name, docs, Kind::Text, None).example(example)
}

fn texts(name: &'static str, docs: &'static [&'static str], example: &'static str) -> Key {
    Key::new(name, docs, Kind::Texts, None).example(example)
}

fn table(name: &'static str, docs: &'static [&'static str], example: &'static str) -> Key {
    Key::new(name, docs, Kind::Table, None).example(example)
}

const LANGUAGE: &[&str] = &[" The language of visitors whose own is not spoken here: `en`, `pl` or `uk`."];
const CONSENTS: &[&str] = &[
    " What may be agreed to, each by a box that is never ticked in advance. A changed text is a new",
    " version. `required = true`: the form cannot be sent without it.",
];
const CONSENT: &str = r#"[{ id = "contact", version = "2026-05", text = { pl = "Zgadzam się na kontakt.", en = "You may contact me." } }]"#;
const LIMITS: &[&str] = &[
    " How much one visitor and one address may do. Keys: `messages_per_30s`, `messages_per_30s_per_address`,",
    " `sessions_per_hour`, `files_per_hour`, `forms_per_hour`, `requests_per_minute`, `fastest_form_ms`.",
];

fn widget() -> Section {
    Section {
        name: "widget",
        docs: &[
            " A chat window on the pages of one shop; any number of these. How it comes onto a page is told in",
            " `bridges/webchat/README.md`.",
        ],
        repeatable: true,
        keys: vec![
            text("id", &[" Its id in pages and signatures: letters, digits, `_` and `-`."], r#""shop""#),
            texts(
                "origins",
                &[" The origins of the pages that it is on. Nothing else may call it."],
                r#"["https://shop.example"]"#,
            ),
            text("language", LANGUAGE, r#""pl""#),
            table(
                "title",
                &[" The company's name, above the conversation. One language is enough."],
                r#"{ pl = "Sklep", uk = "Крамниця", en = "Shop" }"#,
            ),
            table(
                "greeting",
                &[" The first thing that a visitor reads."],
                r#"{ pl = "W czym pomóc?", en = "How can we help?" }"#,
            ),
            text("colour", &[" Colour of the button, the head and the visitor's messages."], r##""#1b5e4b""##),
            text("side", &[" The corner of the page: `left` or `right`."], r#""right""#),
            table(
                "hours",
                &[
                    " When somebody answers; always when left out. At other times visitors are offered a form.",
                    " `closed_on` lists days on which nobody is there.",
                ],
                r#"{ zone = "Europe/Warsaw", mon = ["08:00-16:00"], tue = ["08:00-16:00"], closed_on = ["2026-12-24"] }"#,
            ),
            table(
                "ask",
                &[" What is asked before the first message: `name`, `email`, `phone`."],
                r#"[{ name = "name", required = true }, { name = "phone" }]"#,
            ),
            table("consents", CONSENTS, CONSENT),
            text(
                "privacy_url",
                &[" Where the page about personal data is."],
                r#""https://shop.example/privacy""#,
            ),
            texts(
                "identity_secrets",
                &[
                    " With which the shop signs who its visitor is, at least 16 characters. Several while the secret is",
                    " being changed: any is believed. None: visitors cannot be proven. A file holds one in each line.",
                ],
                r#"["a long random text"]"#,
            )
            .secret(),
            table(
                "files",
                &[" Files of visitors: whether any are taken, the largest in bytes, and media types."],
                r#"{ enabled = true, largest = 10485760, types = ["image/jpeg", "image/png", "application/pdf"] }"#,
            ),
            table("limits", LIMITS, "{ messages_per_30s = 10, sessions_per_hour = 5 }"),
        ],
    }
}

fn form() -> Section {
    Section {
        name: "form",
        docs: &[" A contact form that is not the chat's; any number of these."],
        repeatable: true,
        keys: vec![
            text("id", &[" Its id in the address: letters, digits, `_` and `-`."], r#""contact""#),
            texts(
                "origins",
                &[" Pages whose visitors may send it from their browsers; none: only the shop's server may."],
                r#"["https://shop.example"]"#,
            ),
            texts(
                "secrets",
                &[
                    " With which the shop's server signs what it sends, at least 16 characters; none: only browsers may",
                    " send it. A file holds one in each line.",
                ],
                r#"["a long random text"]"#,
            )
            .secret(),
            text(
                "thanks_url",
                &[" Where a plain HTML form goes afterwards."],
                r#""https://shop.example/thanks""#,
            ),
            text("language", &[" The language of those who fill it in: `en`, `pl` or `uk`."], r#""pl""#),
            table("consents", CONSENTS, CONSENT),
            table("limits", LIMITS, "{ forms_per_hour = 10 }"),
        ],
    }
}

/// The keys that all bridges have, with the defaults of this one.
fn bridge(name: BridgeName) -> Section {
    let mut section = Bridge::describe("bridge", false);
    let own = match name {
        BridgeName::Webchat => return section,
        BridgeName::Telegram => telegram::DEFAULTS,
    };
    for key in &mut section.keys {
        if let Some((_, value)) = own.iter().find(|(known, _)| *known == key.name) {
            key.default = Some(Value::String((*value).to_owned()));
        }
    }
    section
}

fn sections(name: BridgeName) -> Vec<Section> {
    let mut all = vec![bridge(name)];
    match name {
        BridgeName::Webchat => all.extend([widget(), form()]),
        BridgeName::Telegram => all.push(telegram::section()),
    }
    all.push(Log::describe("log", false));
    all
}

/// Puts the defaults of this bridge where nothing was said.
fn fill(tree: &mut Tree, section: &Section) {
    let table = tree.table.entry(section.name).or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(table) = table else { return };
    for key in &section.keys {
        if let Some(default) = &key.default {
            table.entry(key.name).or_insert_with(|| default.clone());
        }
    }
}

/// Reads a bridge's configuration from the file, if any, and from environment variables.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn load(
    name: BridgeName,
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<BridgeFile, Problems> {
    let (text, place) = match file {
        None => (String::new(), String::new()),
        Some(path) => (read(path)?, path.display().to_string()),
    };
    from_text(name, &text, &place, environment)
}

fn from_text(
    name: BridgeName,
    text: &str,
    file: &str,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<BridgeFile, Problems> {
    let sections = sections(name);
    let (mut tree, mut problems) = gather(text, file, environment, &sections)?;
    fill(&mut tree, &bridge(name));
    let read = read_into::<BridgeFile>(&tree, &sections);
    match read {
        Ok(file) => {
            check(name, &file, &tree, &mut problems);
            problems.or(file)
        }
        Err(more) => {
            problems.0.extend(more.0);
            Err(problems)
        }
    }
}

fn check(name: BridgeName, file: &BridgeFile, tree: &Tree, problems: &mut Problems) {
    let bridge = &file.bridge;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if bridge.channel.is_empty() || bridge.channel.len() > 40 || !bridge.channel.bytes().all(plain) {
        let sentence = "a name of 1 to 40 small letters, digits, dots and hyphens is expected.";
        problems.add(tree.place("bridge.channel"), sentence);
    }
    for (key, address) in [("homeserver", Some(&bridge.homeserver)), ("url", bridge.url.as_ref())] {
        if address.is_some_and(|address| super::check::web_address(address).is_none()) {
            let sentence = "an address is expected, such as \"http://127.0.0.1:8008\".";
            problems.add(tree.place(&format!("bridge.{key}")), sentence);
        }
    }
    if Language::of(&bridge.language).is_none() {
        problems.add(tree.place("bridge.language"), "write \"en\", \"pl\" or \"uk\".");
    }
    if bridge.as_token.is_some() != bridge.hs_token.is_some() {
        let present = if bridge.as_token.is_some() { "as_token" } else { "hs_token" };
        problems.add(
            tree.place(&format!("bridge.{present}")),
            "`as_token` and `hs_token` belong together; one is missing.",
        );
    }
    if let Err(error) = EnvFilter::builder().parse(&file.log.level) {
        problems.add(tree.place("log.level"), format!("write error, warn, info, debug or trace ({error})."));
    }
    match name {
        BridgeName::Webchat => check_webchat(file, problems),
        BridgeName::Telegram => telegram::check(file, tree, problems),
    }
}

fn check_webchat(file: &BridgeFile, problems: &mut Problems) {
    if file.widget.is_empty() && file.form.is_empty() {
        problems.add(
            "",
            "there is no [[widget]] and no [[form]], so nobody could write to you. \
             `kontor generate-config webchat` prints an example.",
        );
    }
    if let Err(sentence) = file.webchat().check() {
        problems.add("", format!("{sentence}."));
    }
}

/// How a bridge is called in its documents, and what it needs at least.
fn called(name: BridgeName) -> (&'static str, &'static str, &'static str, &'static str) {
    match name {
        BridgeName::Webchat => (
            "webchat",
            "website",
            "# At least one [[widget]] or [[form]] is needed; every other key may be left out. Each stands here with\n",
            "`KONTOR__WIDGET__0__COLOUR`, where tables are written as in TOML",
        ),
        BridgeName::Telegram => (
            "telegram",
            "Telegram",
            "# The bot's token is needed; every other key may be left out. Each stands here with\n",
            "`KONTOR__TELEGRAM__TOKEN`",
        ),
    }
}

/// The example configuration of a bridge.
pub fn example(name: BridgeName) -> String {
    let (word, title, needed, _) = called(name);
    let mut out = format!(
        "# Example configuration of the {title} bridge, printed by `kontor generate-config {word}`.\n\
         #\n\
         {needed}\
         # its default, or, where there is none, with an example; to change one, remove the # before it and\n\
         # before the [section] above it. Any key can also be given by an environment variable, such as\n\
         # KONTOR__BRIDGE__HOMESERVER. `kontor bridge {word} --check --config FILE` says what is wrong with a file.\n",
    );
    all_commented(&mut out, &sections(name));
    out
}

/// The same as a page.
pub fn reference(name: BridgeName) -> String {
    let (word, title, _, variable) = called(name);
    let mut out = format!(
        "# Configuration of the {title} bridge\n\n\
         This page is generated from `server/kontor/src/config/bridge.rs`; \
         `kontor generate-config {word} --reference` prints it. The same as a file to start from: \
         [{word}.example.toml]({word}.example.toml). It is a file of the bridge's own, given as \
         `kontor bridge {word} --config FILE`; environment variables win over it, as in \
         `KONTOR__BRIDGE__BIND` or {variable}. A key marked \
         *secret* can instead be read from a file, as `hs_token_file`. A key that does not exist is an error.\n",
    );
    all_described(&mut out, &sections(name));
    out
}

#[cfg(test)]
mod tests {
    use super::super::documents::tests::{is_committed, uncommented};
    use super::*;

    const SHOP: &str =
        "[[widget]]\nid = \"s\"\norigins = [\"https://s.example\"]\ntitle = { pl = \"Sklep\" }\n";

    fn read(text: &str, variables: &[(&str, &str)]) -> Result<BridgeFile, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        from_text(BridgeName::Webchat, text, "w.toml", variables.collect::<Vec<_>>().into_iter())
            .map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn the_committed_documents_are_what_the_code_generates() {
        for name in [BridgeName::Webchat, BridgeName::Telegram] {
            let (word, ..) = called(name);
            is_committed(&format!("{word}.example.toml"), &example(name));
            is_committed(&format!("CONFIG.{word}.md"), &reference(name));
        }
    }

    #[test]
    fn the_example_is_good_uncommented() {
        let file = read(&uncommented(&example(BridgeName::Webchat)), &[]).expect("good");
        assert_eq!(file.widget[0].identity_secrets.len(), 1);
        assert_eq!(file.form[0].id, "contact");
    }

    /// Every key that the channel reads is described, and no other.
    #[test]
    fn the_channels_keys_are_described() {
        for (section, list) in [(widget(), "widgets"), (form(), "forms")] {
            let bad = serde_json::json!({ list: [{ "nonsense": 1 }] });
            let said = serde_json::from_value::<Settings>(bad).expect_err("unknown").to_string();
            let known: Vec<&str> = said.split('`').skip(3).step_by(2).collect();
            let described: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
            assert_eq!(known, described, "{said}");
        }
    }

    #[test]
    fn file_and_environment_are_read_and_the_environment_wins() {
        let text = format!("[bridge]\nchannel = \"a\"\nlanguage = \"uk\"\n{SHOP}");
        let variables = [
            ("KONTOR__BRIDGE__CHANNEL", "b"),
            ("KONTOR__WIDGET__0__COLOUR", "#112233"),
            ("KONTOR__WIDGET__0__LIMITS", "{ sessions_per_hour = 7 }"),
        ];
        let file = read(&text, &variables).expect("good");
        assert_eq!((file.bridge.channel.as_str(), file.webchat().language.code()), ("b", "uk"));
        let widget = &file.widget[0];
        assert_eq!((widget.colour.as_str(), widget.limits.sessions_per_hour), ("#112233", 7));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_no_secret_is_shown() {
        for (text, part) in [
            (String::new(), "generate-config webchat"),
            (format!("{SHOP}colr = \"#000000\""), "w.toml, line 5, `widget[0].colr`"),
            (format!("{SHOP}limits = {{ mesages = 1 }}"), "w.toml, line 5"),
            (format!("{SHOP}colour = \"red\""), "#rrggbb"),
            (format!("[bridge]\nlanguage = \"de\"\n{SHOP}"), "line 2, `bridge.language`"),
            (format!("[bridge]\nhomeserver = \"x\"\n{SHOP}"), "line 2, `bridge.homeserver`"),
            (format!("[bridge]\nas_token = \"x\"\n{SHOP}"), "belong together"),
            (format!("[bridge]\nchannel = \"A b\"\n{SHOP}"), "line 2, `bridge.channel`"),
            (format!("server_name = \"x\"\n{SHOP}"), "line 1, `server_name`"),
        ] {
            let said = read(&text, &[]).expect_err(&text);
            assert!(said.contains(part), "{said} does not say {part}");
        }
        let said = read(&format!("{SHOP}identity_secrets = [123454321]"), &[]).expect_err("a number");
        assert!(!said.contains("123454321"), "{said}");
    }
}
