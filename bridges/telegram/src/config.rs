//! How the Telegram channel is set up. Everything is checked when the bridge starts; unknown keys are refused.

use kontor_model::{Language, Secret};
use serde::Deserialize;

/// The whole channel: one bot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The language of what the bridge tells employees.
    #[serde(default)]
    pub language: Language,
    /// The bot's token, as BotFather gave it.
    pub token: Secret<String>,
    /// How news come.
    #[serde(default)]
    pub receive: Receive,
    /// With `webhook`: the public address of the bridge, without a path.
    #[serde(default)]
    pub webhook_url: Option<String>,
    /// With `polling`: how long Telegram waits for news before it answers that there are none, seconds.
    #[serde(default = "poll_seconds")]
    pub poll_seconds: u32,
    /// Largest file that is fetched, megabytes. Telegram itself gives bots no more than 20.
    #[serde(default = "largest_file_mb")]
    pub largest_file_mb: u32,
    /// Where the Bot API is, if it is one's own server.
    #[serde(default = "api_url")]
    pub api_url: String,
}

/// How news come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Receive {
    /// The bridge asks for them; nothing has to reach it from outside.
    #[default]
    Polling,
    /// Telegram brings them to the bridge's public address.
    Webhook,
}

/// Telegram's own address.
pub const API_URL: &str = "https://api.telegram.org";

fn api_url() -> String {
    API_URL.to_owned()
}

fn poll_seconds() -> u32 {
    25
}

fn largest_file_mb() -> u32 {
    20
}

/// The number before the colon of a token is the bot's id.
pub(crate) fn bot_id(token: &str) -> Option<i64> {
    let (id, secret) = token.split_once(':')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let good = secret.len() >= 20 && secret.bytes().all(plain);
    id.parse().ok().filter(|id: &i64| good && *id > 0)
}

/// Ports that Telegram calls.
const PORTS: [u16; 4] = [443, 80, 88, 8443];

impl Settings {
    /// Says what is wrong, in words for whoever wrote it.
    ///
    /// # Errors
    /// A sentence that names the key.
    pub fn check(&self) -> Result<(), String> {
        if bot_id(self.token.expose()).is_none() {
            return Err("token: this is no token of BotFather's, such as 123456789:AAF…".to_owned());
        }
        let own = url::Url::parse(&self.api_url).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        if own.is_none() || self.api_url.ends_with('/') {
            return Err("api_url must be an address such as https://api.telegram.org".to_owned());
        }
        if !(1..=50).contains(&self.poll_seconds) {
            return Err("poll_seconds must be 1 to 50".to_owned());
        }
        if !(1..=2000).contains(&self.largest_file_mb) {
            return Err("largest_file_mb must be 1 to 2000".to_owned());
        }
        match (self.receive, &self.webhook_url) {
            (Receive::Webhook, None) => Err("receive = \"webhook\" needs webhook_url".to_owned()),
            (Receive::Webhook, Some(url)) => {
                let parsed = url::Url::parse(url).ok().filter(|url| url.scheme() == "https");
                let port = parsed.as_ref().and_then(url::Url::port_or_known_default);
                let bare = parsed.is_some_and(|url| url.path() == "/" && url.query().is_none());
                if !bare || !port.is_some_and(|port| PORTS.contains(&port)) {
                    return Err("webhook_url must be https:// and a name, without a path, on port 443, 80, 88 or 8443".to_owned());
                }
                Ok(())
            }
            (Receive::Polling, _) => Ok(()),
        }
    }

    /// The bot's id.
    pub(crate) fn bot(&self) -> i64 {
        bot_id(self.token.expose()).unwrap_or_default()
    }

    /// Largest file that is fetched, bytes.
    pub(crate) fn largest_file(&self) -> u64 {
        u64::from(self.largest_file_mb) << 20
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const TOKEN: &str = "6100100100:AAE-emulated-token-of-the-bot";

    fn settings(more: Value) -> Result<Settings, String> {
        let mut value = json!({ "token": TOKEN });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let settings: Settings = serde_json::from_value(value).map_err(|error| error.to_string())?;
        settings.check().map(|()| settings)
    }

    #[test]
    fn what_is_wrong_is_said_and_what_is_right_is_taken() {
        let good = settings(json!({})).unwrap();
        assert_eq!((good.bot(), good.receive, good.poll_seconds), (6_100_100_100, Receive::Polling, 25));
        assert!(settings(json!({ "receive": "webhook", "webhook_url": "https://tg.example" })).is_ok());
        for (more, part) in [
            (json!({ "tokn": "x" }), "unknown field"),
            (json!({ "token": "123" }), "BotFather"),
            (json!({ "token": "123:short" }), "BotFather"),
            (json!({ "api_url": "ftp://x" }), "api_url"),
            (json!({ "poll_seconds": 0 }), "poll_seconds"),
            (json!({ "receive": "webhook" }), "needs webhook_url"),
            (json!({ "receive": "webhook", "webhook_url": "http://tg.example" }), "https://"),
            (json!({ "receive": "webhook", "webhook_url": "https://tg.example:8010" }), "port 443"),
            (json!({ "receive": "webhook", "webhook_url": "https://tg.example/x" }), "without a path"),
        ] {
            let said = settings(more.clone()).unwrap_err();
            assert!(said.contains(part), "{more}: {said}");
            assert!(!said.contains("AAE-emulated"), "{said}");
        }
    }

    #[test]
    fn the_token_is_in_no_debug_output() {
        let said = format!("{:?}", settings(json!({})).unwrap());
        assert!(!said.contains("AAE-emulated"), "{said}");
    }
}
