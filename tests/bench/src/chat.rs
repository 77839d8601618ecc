//! What customers do: the few calls of the website chat's widget, as a visitor's page makes them, or the control API of
//! an emulated Telegram. No scenario logic here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

/// Longer than the longest poll.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where customers write.
#[derive(Clone)]
pub struct Chat {
    http: reqwest::Client,
    base: String,
    network: Network,
    /// Customers so far.
    count: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Network {
    /// The bridge of the website chat.
    Web { widget: String, origin: String },
    /// An emulated Telegram.
    Telegram,
}

/// A customer.
pub struct Page {
    chat: Chat,
    /// The visitor's, or the customer's name in Telegram.
    token: String,
    /// Which one it is.
    index: usize,
}

/// An entry of the conversation.
#[derive(Deserialize)]
pub struct Entry {
    /// Its number.
    pub seq: i64,
    /// What it says, if it is a message.
    #[serde(default)]
    pub text: String,
}

impl Chat {
    /// By `URL WIDGET ORIGIN`, or by `telegram URL` of the emulator.
    pub fn new(address: &str) -> Result<Self> {
        let words: Vec<&str> = address.split_whitespace().collect();
        let (base, network) = match words[..] {
            ["telegram", base] => (base, Network::Telegram),
            [base, widget, origin] => {
                (base, Network::Web { widget: widget.to_owned(), origin: origin.to_owned() })
            }
            _ => bail!("--chat takes \"URL WIDGET ORIGIN\" or \"telegram URL\""),
        };
        let http = reqwest::Client::builder()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(usize::MAX)
            .no_proxy()
            .timeout(PATIENCE)
            .build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http, base, network, count: Arc::default() })
    }

    /// Somebody opens the page.
    pub async fn visit(&self) -> Result<Page> {
        #[derive(Deserialize)]
        struct Session {
            visitor_token: String,
        }
        let index = self.count.fetch_add(1, Ordering::Relaxed);
        let token = match &self.network {
            Network::Telegram => format!("c{index}"),
            Network::Web { .. } => {
                let request = self.request(Method::POST, "session").json(&json!({}));
                let Session { visitor_token } = answer(request).await?;
                visitor_token
            }
        };
        Ok(Page { chat: self.clone(), token, index })
    }

    fn request(&self, method: Method, call: &str) -> RequestBuilder {
        match &self.network {
            Network::Telegram => self.http.request(Method::POST, format!("{}/_emu/{call}", self.base)),
            Network::Web { widget, origin } => {
                let url = format!("{}/_kontor/widget/v1/{call}", self.base);
                self.http.request(method, url).query(&[("w", widget)]).header("origin", origin)
            }
        }
    }
}

impl Page {
    /// Writes; returns when the bridge has accepted it. `number` must be new for this visitor.
    pub async fn write(&self, number: usize, text: &str) -> Result<()> {
        if matches!(self.chat.network, Network::Telegram) {
            let item = json!({ "id": number.to_string(), "box": self.token, "type": "text", "text": text });
            let _: IgnoredAny = answer(self.chat.request(Method::POST, "inject").json(&item)).await?;
            return Ok(());
        }
        let body = json!({"client_id": format!("message-{number:06}"), "text": text});
        let request = self.chat.request(Method::POST, "messages").bearer_auth(&self.token).json(&body);
        let _: IgnoredAny = answer(request).await?;
        Ok(())
    }

    /// What comes after an entry; waits for it as the page does.
    pub async fn events(&self, since: i64) -> Result<Vec<Entry>> {
        #[derive(Deserialize)]
        struct Events {
            events: Vec<Entry>,
        }
        if matches!(self.chat.network, Network::Telegram) {
            // The emulator knows what everybody was sent: one listens for all.
            if self.index > 0 {
                return std::future::pending().await;
            }
            let request = self.chat.request(Method::POST, "sent_after").json(&json!({ "after": since }));
            let Events { events } = answer(request).await?;
            return Ok(events);
        }
        let request = self.chat.request(Method::GET, "events").bearer_auth(&self.token);
        let Events { events } = answer(request.query(&[("since", since)])).await?;
        Ok(events)
    }
}

async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T> {
    let answer = request.send().await?;
    let (status, path) = (answer.status(), answer.url().path().to_owned());
    let bytes = answer.bytes().await?;
    if !status.is_success() {
        bail!("{path} answered {status}: {}", String::from_utf8_lossy(&bytes));
    }
    serde_json::from_slice(&bytes).with_context(|| format!("{path} answered something else"))
}
