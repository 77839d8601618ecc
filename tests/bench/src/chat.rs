//! The few calls of the website chat's widget, as a visitor's page makes them. No scenario logic here.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

/// Longer than the longest poll.
const PATIENCE: Duration = Duration::from_secs(60);

/// The bridge of the website chat.
#[derive(Clone)]
pub struct Chat {
    http: reqwest::Client,
    base: String,
    widget: String,
    origin: String,
}

/// A visitor's page.
pub struct Page {
    chat: Chat,
    token: String,
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
    /// By `URL WIDGET ORIGIN`.
    pub fn new(address: &str) -> Result<Self> {
        let words: Vec<&str> = address.split_whitespace().collect();
        let [base, widget, origin] = words[..] else { bail!("--chat takes \"URL WIDGET ORIGIN\"") };
        let http = reqwest::Client::builder()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(usize::MAX)
            .no_proxy()
            .timeout(PATIENCE)
            .build()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Self { http, base, widget: widget.to_owned(), origin: origin.to_owned() })
    }

    /// Somebody opens the page.
    pub async fn visit(&self) -> Result<Page> {
        #[derive(Deserialize)]
        struct Session {
            visitor_token: String,
        }
        let request = self.request(Method::POST, "session").json(&json!({}));
        let Session { visitor_token } = answer(request).await?;
        Ok(Page { chat: self.clone(), token: visitor_token })
    }

    fn request(&self, method: Method, call: &str) -> RequestBuilder {
        let url = format!("{}/_kontor/widget/v1/{call}", self.base);
        self.http.request(method, url).query(&[("w", &self.widget)]).header("origin", &self.origin)
    }
}

impl Page {
    /// Writes; returns when the bridge has accepted it. `number` must be new for this visitor.
    pub async fn write(&self, number: usize, text: &str) -> Result<()> {
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
