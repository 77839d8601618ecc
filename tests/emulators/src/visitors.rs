//! Visitors of a website: the pages with the chat's widget on them, as the bridge sees them. A box of the control
//! API is a visitor; what it says is written by its page, and what its page sees is what was sent.

use crate::faults::{Fault, Faults, Kind};
use crate::postbox::now;
use crate::serve::{Asked, Said, Serving};
use bytes::Bytes;
use kontor_bridge_kit::proof;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The widget that is on the pages.
pub const WIDGET: &str = "shop";
/// Where the pages are.
pub const ORIGIN: &str = "https://shop.example";
/// With which the shop signs who its visitors are.
pub const SECRET: &str = "the-shop-signs-with-this";
/// What pictures begin with.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A visitor's page.
#[derive(Clone, Default)]
struct Page {
    token: String,
    visitor: String,
    /// Number of the newest entry that it has.
    seen: i64,
    /// Numbers of entries by id.
    numbers: HashMap<String, i64>,
}

#[derive(Default)]
struct Inner {
    /// Where the widget's calls go.
    base: String,
    pages: HashMap<String, Page>,
    sent: Vec<Value>,
    files: HashMap<String, Bytes>,
    held: Option<Value>,
}

struct Shared {
    inner: Mutex<Inner>,
    faults: Faults,
    push: mpsc::UnboundedSender<Value>,
    client: reqwest::Client,
    /// One look at the pages at a time: each sees every entry once.
    looking: tokio::sync::Mutex<()>,
}

/// The emulator.
pub struct Visitors {
    serving: Serving,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

impl Visitors {
    /// Starts them.
    pub async fn start() -> Self {
        let (push, mut waiting) = mpsc::unbounded_channel::<Value>();
        let shared = Arc::new(Shared {
            inner: Mutex::default(),
            faults: Faults::default(),
            push,
            client: crate::client(),
            looking: tokio::sync::Mutex::default(),
        });
        let handler = Arc::clone(&shared);
        let serving = Serving::start(Arc::new(move |asked| {
            let shared = Arc::clone(&handler);
            Box::pin(async move { shared.control(&asked).await })
        }))
        .await;
        let (mut tasks, writer) = (JoinSet::new(), Arc::clone(&shared));
        tasks.spawn(async move {
            while let Some(item) = waiting.recv().await {
                writer.deliver(item).await;
            }
        });
        // Pages fetch what is new by themselves, whoever asks what they saw.
        let looker = Arc::clone(&shared);
        tasks.spawn(async move {
            loop {
                looker.look().await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { serving, shared, _tasks: tasks }
    }

    /// Where the control API is.
    pub fn url(&self) -> String {
        self.serving.url()
    }

    /// What the bridge calls a box's visitor; empty before its first word.
    pub fn visitor(&self, name: &str) -> String {
        self.shared.lock().pages.get(name).map(|page| page.visitor.clone()).unwrap_or_default()
    }
}

/// What a page was told, in the words of the control API.
fn kind_of(entry: &Value) -> Option<&'static str> {
    match entry["kind"].as_str()? {
        "message" if entry["from"] != "agent" => None,
        "message" if entry["file"].is_object() => Some("file"),
        "message" => Some("text"),
        "edit" => Some("edit"),
        "delete" => Some("delete"),
        "reaction" => Some("react"),
        _ => None,
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn control(&self, asked: &Asked) -> Said {
        let body = asked.json();
        match asked.path.get(1).map(String::as_str) {
            Some("setup") => {
                let mut inner = self.lock();
                if let Some(url) = body["hook_url"].as_str() {
                    inner.base = url.to_owned();
                }
                if let Some(file) = body["file"].as_str() {
                    let contents = [PNG, body["contents"].as_str().unwrap_or_default().as_bytes()].concat();
                    inner.files.insert(file.to_owned(), contents.into());
                }
                Said::ok(json!({}))
            }
            Some("inject") => match body["forge"].as_str() {
                Some(how) => self.forge(how).await,
                None => {
                    let _ = self.push.send(body);
                    Said::ok(json!({}))
                }
            },
            Some("fault") => {
                self.faults.add(serde_json::from_value::<Fault>(body).expect("a fault"));
                Said::ok(json!({}))
            }
            Some("clock") => Said::ok(json!({ "now": now() })),
            Some("sent") => {
                self.look().await;
                Said::ok(json!({ "sent": self.lock().sent }))
            }
            _ => Said::Json(404, json!({})),
        }
    }

    /// Lets a page do something until the bridge has taken it.
    async fn deliver(&self, item: Value) {
        let name = item["box"].as_str().unwrap_or_default().to_owned();
        let mut acts = vec![item];
        if let Some(fault) = self.faults.take("hook", &name) {
            match fault.kind {
                Kind::Reorder => {
                    self.lock().held = acts.pop();
                    return;
                }
                Kind::Delay => tokio::time::sleep(Duration::from_millis(fault.value)).await,
                // Taken, but the page never hears of it; or clicked twice.
                Kind::DropAfter | Kind::Dup => drop(self.act(&acts[0]).await),
                Kind::DropBefore | Kind::Status => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        if let Some(held) = self.lock().held.take() {
            acts.push(held);
        }
        for act in acts {
            while self.act(&act).await.is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    async fn act(&self, item: &Value) -> Option<()> {
        let name = item["box"].as_str()?;
        let page = self.page(name).await?;
        let client_id = format!("message-{}", item["id"].as_str()?);
        match item["type"].as_str()? {
            "text" => {
                let body = json!({ "client_id": client_id, "text": item["text"] });
                self.post("messages", &page.token, body).await.map(drop)
            }
            "file" => {
                let bytes = self.lock().files.get(item["file"].as_str()?).cloned()?;
                self.upload(&page.token, &client_id, item["name"].as_str()?, &bytes).await
            }
            // Only that something was read is said; that it is there, asking for the next one says.
            "receipt" => {
                self.look().await;
                if item["state"] != "read" {
                    return Some(());
                }
                let number = self.lock().pages.get(name)?.numbers.get(item["of"].as_str()?).copied()?;
                self.post("read", &page.token, json!({ "up_to": number })).await.map(drop)
            }
            other => panic!("visitors cannot do {other}"),
        }
    }

    /// The page of a box, opened if it is new.
    async fn page(&self, name: &str) -> Option<Page> {
        if let Some(page) = self.lock().pages.get(name) {
            return Some(page.clone());
        }
        let session = self.post("session", "", json!({ "language": "pl" })).await?;
        let word = |field: &str| session[field].as_str().map(str::to_owned);
        let page = Page { token: word("visitor_token")?, visitor: word("visitor_id")?, ..Page::default() };
        self.lock().pages.insert(name.to_owned(), page.clone());
        Some(page)
    }

    fn request(&self, method: &str, call: &str, token: &str) -> reqwest::RequestBuilder {
        let url = format!("{}/{call}", self.lock().base);
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.client.request(method, url).query(&[("w", WIDGET)]).header("origin", ORIGIN);
        let request = request.timeout(Duration::from_secs(5));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    async fn post(&self, call: &str, token: &str, body: Value) -> Option<Value> {
        let answer = self.request("POST", call, token).json(&body).send().await.ok()?;
        let good = answer.status().is_success();
        let body = answer.bytes().await.ok()?;
        good.then(|| serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn upload(&self, token: &str, client_id: &str, name: &str, bytes: &[u8]) -> Option<()> {
        let head = format!(
            "--b\r\ncontent-disposition: form-data; name=\"client_id\"\r\n\r\n{client_id}\r\n--b\r\n\
             content-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: image/png\r\n\r\n"
        );
        let body = [head.as_bytes(), bytes, b"\r\n--b--\r\n"].concat();
        let request = self.request("POST", "files", token).body(body);
        let request = request.header("content-type", "multipart/form-data; boundary=b");
        request.send().await.ok().filter(|answer| answer.status().is_success()).map(drop)
    }

    /// Every page fetches what is new.
    async fn look(&self) {
        let _turn = self.looking.lock().await;
        let pages: Vec<(String, Page)> =
            self.lock().pages.iter().map(|(name, page)| (name.clone(), page.clone())).collect();
        for (name, page) in pages {
            let since = page.seen.to_string();
            let request =
                self.request("GET", "events", &page.token).query(&[("since", &*since), ("wait", "0")]);
            let Ok(answer) = request.send().await else { continue };
            let Ok(bytes) = answer.bytes().await else { continue };
            let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            for entry in answer["events"].as_array().into_iter().flatten() {
                self.see(&name, &page.token, entry).await;
            }
        }
    }

    /// A page sees an entry. Numbers have no gaps.
    async fn see(&self, name: &str, token: &str, entry: &Value) {
        let Some(number) = entry["seq"].as_i64() else { return };
        let mut told =
            json!({ "box": name, "remote": entry["id"], "key": entry["id"], "text": entry["text"] });
        if let Some(kind) = kind_of(entry) {
            told["type"] = json!(kind);
            if ["edit", "delete", "react"].contains(&kind) {
                told["of"] = entry["id"].clone();
            }
            if kind == "file" {
                told["contents"] = json!(self.contents(token, number).await);
            }
        }
        let mut inner = self.lock();
        let page = inner.pages.get_mut(name).expect("a page");
        assert_eq!(number, page.seen + 1, "an entry is missing or came twice");
        page.seen = number;
        if let Some(id) = entry["id"].as_str() {
            page.numbers.entry(id.to_owned()).or_insert(number);
        }
        if told["type"].is_string() {
            inner.sent.push(told);
        }
    }

    async fn contents(&self, token: &str, number: i64) -> String {
        let request = self.request("GET", &format!("files/{number}"), token);
        let Ok(answer) = request.send().await else { return String::new() };
        String::from_utf8_lossy(&answer.bytes().await.unwrap_or_default()).into_owned()
    }

    /// What no honest page sends; gives the status that it was answered with.
    async fn forge(&self, how: &str) -> Said {
        let at = now() / 1000;
        let identity = |secret: &str, at: i64| {
            let claims = json!({ "sub": "forged", "wid": WIDGET, "iat": at, "exp": at + 600 });
            let claims = base64url(claims.to_string().as_bytes());
            let tag = proof::hmac_sha256(secret.as_bytes(), claims.as_bytes());
            let tag: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
            (claims, tag)
        };
        let token = |(claims, tag): (String, String)| {
            json!({ "identity_token": format!("{claims}.{tag}") }).to_string()
        };
        let body = match how {
            "signature" => token(identity("another", at)),
            "unsigned" => json!({ "identifier": "forged" }).to_string(),
            "stale" => token(identity(SECRET, at - 86_400)),
            "changed" => {
                let (claims, tag) = identity(SECRET, at);
                token((format!("{claims}A"), tag))
            }
            "garbage" => "{".to_owned(),
            _ => "x".repeat(20 << 10),
        };
        let request =
            self.request("POST", "session", "").header("content-type", "application/json").body(body);
        Said::ok(json!({ "status": request.send().await.ok().map(|answer| answer.status().as_u16()) }))
    }
}

/// Base64 for addresses, without padding.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let at = number >> (18 - 6 * place) & 63;
            text.push(char::from(LETTERS[at as usize]));
        }
    }
    text
}
