//! "Post box": the smallest network that has everything. JSON over HTTP; news come by a signed hook or are
//! pulled, messages go out by `POST /send`.
//!
//! News: `{"items": [{"id", "box", "at", "type", …}]}` with `postbox-signature: t=MS,v1=HEX`, where the
//! signature is HMAC-SHA256 over `MS.BODY`. A hook is tried again until it is answered with 200.

use crate::faults::{Fault, Faults, Kind};
use crate::serve::{Asked, Said, Serving};
use bytes::Bytes;
use kontor_bridge_kit::proof;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What hooks are signed with.
pub const SECRET: &str = "postbox-hook-secret";
/// What the bridge proves itself with.
pub const TOKEN: &str = "postbox-token";

/// What an emulated post box is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It knows keys: the same one is taken once.
    Keys,
    /// It tells of every message that it took, with its key, and takes the same twice.
    Echo,
    /// Neither.
    Nothing,
}

#[derive(Default)]
struct Inner {
    hook_url: String,
    /// Everything that was told, for pulls.
    items: Vec<Value>,
    sent: Vec<Value>,
    by_key: HashMap<String, String>,
    files: HashMap<String, Bytes>,
    closed: Vec<String>,
    token_refused: bool,
    held: Option<Value>,
}

/// The emulator.
pub struct Postbox {
    serving: Serving,
    _pushing: JoinSet<()>,
}

struct Shared {
    nature: Nature,
    inner: Mutex<Inner>,
    faults: Faults,
    push: mpsc::UnboundedSender<Value>,
    client: reqwest::Client,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Milliseconds since the Unix epoch.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))
}

/// A signature's header.
pub fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let signed = [at.to_string().as_bytes(), b".", body].concat();
    let tag: String =
        proof::hmac_sha256(secret.as_bytes(), &signed).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={tag}")
}

impl Postbox {
    /// Starts one.
    pub async fn start(nature: Nature) -> Self {
        let (push, mut waiting) = mpsc::unbounded_channel::<Value>();
        let client = crate::client();
        let shared =
            Arc::new(Shared { nature, inner: Mutex::default(), faults: Faults::default(), push, client });
        let handler = Arc::clone(&shared);
        let serving = Serving::start(Arc::new(move |asked| {
            let shared = Arc::clone(&handler);
            Box::pin(async move { shared.answer(asked).await })
        }))
        .await;
        let mut pushing = JoinSet::new();
        pushing.spawn(async move {
            while let Some(item) = waiting.recv().await {
                shared.deliver(item).await;
            }
        });
        Self { serving, _pushing: pushing }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.serving.url()
    }
}

impl Shared {
    async fn answer(self: &Arc<Self>, asked: Asked) -> Said {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["_emu", what] => self.control(what, &asked).await,
            _ if self.lock().token_refused || asked.token != TOKEN => {
                Said::Json(401, json!({ "error": "token" }))
            }
            ["me"] => Said::ok(json!({ "ok": true })),
            ["updates"] => self.updates(&asked).await,
            ["send"] => self.send(&asked.json()).await,
            ["files", id] => self.file(id).await,
            _ => Said::Json(404, json!({ "error": "unknown" })),
        }
    }

    async fn control(self: &Arc<Self>, what: &str, asked: &Asked) -> Said {
        let body = asked.json();
        match what {
            "setup" => {
                let mut inner = self.lock();
                if let Some(url) = body["hook_url"].as_str() {
                    inner.hook_url = url.to_owned();
                }
                if let Some(valid) = body["token_valid"].as_bool() {
                    inner.token_refused = !valid;
                }
                if let Some(closed) = body["closed"].as_array() {
                    inner.closed =
                        closed.iter().filter_map(|lane| lane.as_str().map(str::to_owned)).collect();
                }
                if let Some(file) = body["file"].as_str() {
                    let contents = Bytes::from(body["contents"].as_str().unwrap_or_default().to_owned());
                    inner.files.insert(file.to_owned(), contents);
                }
                Said::ok(json!({}))
            }
            "inject" => {
                if let Some(how) = body["forge"].as_str() {
                    return self.forge(how).await;
                }
                self.tell(body);
                Said::ok(json!({}))
            }
            "fault" => {
                self.faults.add(serde_json::from_value::<Fault>(body).expect("a fault"));
                Said::ok(json!({}))
            }
            "clock" => Said::ok(json!({ "now": now() })),
            "sent" => Said::ok(json!({ "sent": self.lock().sent })),
            _ => Said::Json(404, json!({})),
        }
    }

    /// A piece of news: kept for pulls, and pushed.
    fn tell(&self, mut item: Value) {
        if item["at"].is_null() {
            item["at"] = json!(now());
        }
        self.lock().items.push(item.clone());
        let _ = self.push.send(item);
    }

    /// Pushes one piece of news until it is taken.
    async fn deliver(self: &Arc<Self>, item: Value) {
        if self.lock().hook_url.is_empty() {
            return;
        }
        let lane = item["box"].as_str().unwrap_or_default().to_owned();
        let mut news = vec![item];
        if let Some(fault) = self.faults.take("hook", &lane) {
            match fault.kind {
                Kind::Reorder => {
                    self.lock().held = news.pop();
                    return;
                }
                Kind::Delay => tokio::time::sleep(Duration::from_millis(fault.value)).await,
                // Told, and told again because the answer got lost; or simply twice.
                Kind::DropAfter | Kind::Dup => drop(self.push(&news).await),
                Kind::DropBefore | Kind::Status => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        if let Some(held) = self.lock().held.take() {
            news.push(held);
        }
        for item in news {
            while self.push(std::slice::from_ref(&item)).await != Some(200) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    async fn push(&self, items: &[Value]) -> Option<u16> {
        let body = json!({ "items": items }).to_string();
        let at = now();
        self.post(body.clone(), &signature(SECRET, at, body.as_bytes())).await
    }

    async fn post(&self, body: String, signature: &str) -> Option<u16> {
        let url = self.lock().hook_url.clone();
        let request = self.client.post(url).header("postbox-signature", signature).body(body);
        let request = request.timeout(Duration::from_secs(5));
        Some(request.send().await.ok()?.status().as_u16())
    }

    /// What no honest network sends; gives the status that it was answered with.
    async fn forge(&self, how: &str) -> Said {
        let item = json!({ "id": "forged", "box": "forged", "at": now(), "type": "text", "text": "forged" });
        let body = json!({ "items": [item] }).to_string();
        let at = now();
        let status = match how {
            "signature" => self.post(body.clone(), &signature("another", at, body.as_bytes())).await,
            "unsigned" => self.post(body, "").await,
            "stale" => self.post(body.clone(), &signature(SECRET, at - 600_000, body.as_bytes())).await,
            "changed" => self.post(format!("{body} "), &signature(SECRET, at, body.as_bytes())).await,
            "garbage" => self.post("{".to_owned(), &signature(SECRET, at, b"{")).await,
            _ => {
                let body = "x".repeat(3 << 20);
                self.post(body.clone(), &signature(SECRET, at, body.as_bytes())).await
            }
        };
        Said::ok(json!({ "status": status }))
    }

    async fn updates(&self, asked: &Asked) -> Said {
        let after: usize = asked.param("after").and_then(|after| after.parse().ok()).unwrap_or(0);
        for _ in 0..20 {
            let items: Vec<Value> = self.lock().items.iter().skip(after).take(50).cloned().collect();
            if !items.is_empty() {
                let next = after + items.len();
                return Said::ok(json!({ "items": items, "next": next }));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Said::ok(json!({ "items": [], "next": after }))
    }

    async fn send(&self, message: &Value) -> Said {
        let lane = message["box"].as_str().unwrap_or_default();
        let fault = self.faults.take("send", lane);
        match &fault {
            Some(fault) if fault.kind == Kind::DropBefore => return Said::Cut,
            Some(fault) if fault.kind == Kind::Status => {
                let status = u16::try_from(fault.value).unwrap_or(500);
                return Said::Json(status, json!({ "error": "fault", "retry_after_ms": 300 }));
            }
            Some(fault) if fault.kind == Kind::Delay => {
                tokio::time::sleep(Duration::from_millis(fault.value)).await;
            }
            _ => {}
        }
        if self.lock().closed.iter().any(|closed| closed == lane) {
            return Said::Json(403, json!({ "error": "window" }));
        }
        let remote = self.accept(message);
        match fault {
            Some(fault) if fault.kind == Kind::DropAfter => Said::Cut,
            // The receipt overtakes the answer.
            Some(fault) if fault.kind == Kind::Reorder => {
                let id = format!("early-{remote}");
                self.tell(
                    json!({ "id": id, "box": lane, "type": "receipt", "of": remote, "state": "delivered" }),
                );
                tokio::time::sleep(Duration::from_millis(700)).await;
                Said::ok(json!({ "id": remote }))
            }
            _ => Said::ok(json!({ "id": remote })),
        }
    }

    /// Takes a message; with keys, once.
    fn accept(&self, message: &Value) -> String {
        let key = message["key"].as_str().unwrap_or_default().to_owned();
        let mut inner = self.lock();
        if self.nature == Nature::Keys
            && let Some(remote) = inner.by_key.get(&key)
        {
            return remote.clone();
        }
        let remote = format!("r{}", inner.sent.len() + 1);
        inner.by_key.insert(key.clone(), remote.clone());
        let mut sent = message.clone();
        sent["remote"] = json!(remote);
        if self.nature != Nature::Keys {
            // A network that knows no keys never saw one; the control API still tells them.
            sent["key"] = json!(key);
        }
        inner.sent.push(sent);
        drop(inner);
        if self.nature == Nature::Echo {
            let id = format!("echo-{remote}");
            self.tell(json!({
                "id": id, "box": message["box"], "type": "echo", "of": remote, "key": key, "text": message["text"],
            }));
        }
        remote
    }

    async fn file(&self, id: &str) -> Said {
        if let Some(fault) = self.faults.take("file", "") {
            if fault.kind == Kind::Status {
                return Said::Json(u16::try_from(fault.value).unwrap_or(503), json!({}));
            }
            return Said::Cut;
        }
        match self.lock().files.get(id) {
            Some(bytes) => Said::Bytes("image/png".to_owned(), bytes.clone()),
            None => Said::Json(404, json!({})),
        }
    }
}
