//! The keys of the Telegram channel, as they are described; the channel itself reads them.

use super::bridge::{BridgeFile, text};
use super::problem::Problems;
use super::schema::{Key, Kind, Section};
use super::tree::Tree;
use toml::Value;

/// Where this bridge's defaults are not the website's.
pub const DEFAULTS: &[(&str, &str)] =
    &[("channel", "telegram"), ("bind", "127.0.0.1:8010"), ("data_dir", "./data/telegram")];

fn known(name: &'static str, docs: &'static [&'static str], kind: Kind, default: Value) -> Key {
    Key::new(name, docs, kind, Some(default))
}

/// `[telegram]`
pub fn section() -> Section {
    Section {
        name: "telegram",
        docs: &[
            " The bot, and with it the company's own account, where the owner connected the bot to that. How to get",
            " both in five minutes is told in `docs/CHANNELS.md`.",
        ],
        repeatable: false,
        keys: vec![
            text(
                "token",
                &[" The bot's token, as BotFather gave it. Whoever has it is the bot."],
                r#""123456789:AAF-the-token-of-your-bot""#,
            )
            .secret(),
            known(
                "receive",
                &[
                    " How news come. `polling`: the bridge asks for them, and nothing has to reach it from outside.",
                    " `webhook`: Telegram brings them to `webhook_url`.",
                ],
                Kind::Text,
                "polling".into(),
            ),
            text(
                "webhook_url",
                &[
                    " With `webhook`: the public address of the bridge, without a path; a reverse proxy passes",
                    " `/_kontor/telegram/` on to `bind`. Telegram calls ports 443, 80, 88 and 8443 only.",
                ],
                r#""https://telegram.company.example""#,
            ),
            known(
                "poll_seconds",
                &[
                    " With `polling`: how long Telegram waits for news before it says that there are none, 1 to 50.",
                ],
                Kind::Number,
                Value::Integer(25),
            ),
            known(
                "largest_file_mb",
                &[" Largest file of a customer that is fetched, megabytes. Telegram gives bots at most 20."],
                Kind::Number,
                Value::Integer(20),
            ),
            known(
                "api_url",
                &[
                    " Where the Bot API is, if it is a server of your own: then also larger files can be fetched.",
                ],
                Kind::Text,
                "https://api.telegram.org".into(),
            ),
        ],
    }
}

/// Notes what is wrong with the channel's part.
pub fn check(file: &BridgeFile, tree: &Tree, problems: &mut Problems) {
    match file.telegram() {
        Ok(settings) => {
            if let Err(sentence) = settings.check() {
                problems.add(tree.place("telegram"), format!("{sentence}."));
            }
        }
        Err(_) => problems.add(
            "",
            "there is no [telegram] with the bot's token. `kontor generate-config telegram` prints an example.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::documents::tests::uncommented;
    use super::super::load_bridge;
    use super::*;
    use crate::cli::BridgeName;
    use kontor_bridge_telegram::config::Settings;

    const BOT: &str = "[telegram]\ntoken = \"6100100100:AAE-emulated-token-of-the-bot\"\n";

    fn read(text: &str) -> Result<BridgeFile, String> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kontor-telegram-{}-{number}.toml", std::process::id()));
        std::fs::write(&path, text).expect("written");
        let read = load_bridge(BridgeName::Telegram, Some(&path), std::iter::empty());
        std::fs::remove_file(&path).expect("removed");
        read.map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_token_is_enough() {
        let file = read(BOT).expect("good");
        assert_eq!(file.bridge.channel, "telegram");
        assert_eq!(file.bridge.bind.port(), 8010);
        assert_eq!(file.telegram().expect("there").poll_seconds, 25);
        let changed =
            read(&format!("[bridge]\nbind = \"127.0.0.1:9\"\nlanguage = \"uk\"\n{BOT}")).expect("good");
        assert_eq!((changed.bridge.bind.port(), changed.bridge.channel.as_str()), (9, "telegram"));
        assert_eq!(changed.telegram().expect("there").language.code(), "uk");
    }

    #[test]
    fn the_example_is_good_uncommented() {
        let example = super::super::bridge_example(BridgeName::Telegram);
        let file = read(&uncommented(&example)).expect("good");
        assert!(file.telegram.is_some());
    }

    /// Every key that the channel reads is described, and no other. The language is the bridge's.
    #[test]
    fn the_channels_keys_are_described() {
        let said = serde_json::from_value::<Settings>(serde_json::json!({ "nonsense": 1 }));
        let said = said.expect_err("unknown").to_string();
        let read: Vec<&str> = said.split('`').skip(3).step_by(2).filter(|name| *name != "language").collect();
        let described: Vec<&str> = section().keys.iter().map(|key| key.name).collect();
        assert_eq!(read, described, "{said}");
    }

    #[test]
    fn what_is_wrong_is_said_and_no_token_is_shown() {
        for (text, part) in [
            (String::new(), "generate-config telegram"),
            (format!("{BOT}tokn = \"x\""), "did you mean `telegram.token`"),
            (format!("{BOT}receive = \"webhook\""), "needs webhook_url"),
            (format!("{BOT}[[widget]]\nid = \"x\""), "widget"),
            ("[telegram]\ntoken = \"AAE-emulated\"".to_owned(), "BotFather"),
        ] {
            let said = read(&text).expect_err(&text);
            assert!(said.contains(part), "{said} does not say {part}");
            assert!(!said.contains("AAE-emulated"), "{said}");
        }
    }
}
