//! A shop with the website channel, on a stand-in of the homeserver: everything real but the house.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "this is test code, shared by several test programs"
)]

pub mod stage;

use kontor_bridge_kit::{Config, Machine};
use kontor_bridge_webchat::{WebChat, config::Settings};
use kontor_emulators::database::{Database, Db};
use kontor_emulators::home::{AS_TOKEN, GHOSTS, HS_TOKEN, Home};
use kontor_model::{Clock, Language, Ms, Random, Secret};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The page that the widget is on.
pub const ORIGIN: &str = "https://shop.example";
/// What the shop signs identities with.
pub const IDENTITY_SECRET: &str = "the-shop-signs-with-this";
/// What the shop's server signs forms with.
pub const FORM_SECRET: &str = "the-server-signs-with-this";
/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The time, which tests may put forward.
#[derive(Default)]
pub struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Ms {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        i64::try_from(real).unwrap() + self.0.load(Ordering::Relaxed)
    }
}

struct Dice;

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), bytes).unwrap();
    }
}

/// An answer.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One request over a connection of its own.
pub async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Got {
    let mut stream = TcpStream::connect(address).await.expect("the bridge listens");
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if method != "GET" {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // A refused body is not read to its end.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    parse(&answer)
}

fn parse(answer: &[u8]) -> Got {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let rest = &answer[end + 4..];
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { unchunk(rest) } else { rest.to_vec() };
    Got { status, headers, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}

/// The settings of most tests.
pub fn settings() -> Value {
    let consent =
        json!({ "id": "contact", "version": "2026-05", "text": { "pl": "Zgadzam się na kontakt" } });
    json!({
        "language": "pl",
        "widgets": [{
            "id": "w_1", "origins": [ORIGIN], "language": "pl", "title": { "pl": "Sklep" },
            "identity_secrets": [IDENTITY_SECRET], "consents": [consent],
            "limits": { "sessions_per_hour": 100_000, "messages_per_30s_per_address": 100_000,
                "requests_per_minute": 1_000_000, "forms_per_hour": 100_000 },
        }, {
            "id": "w_2", "origins": ["https://other.example"], "title": { "en": "Other" },
            "identity_secrets": ["another-secret-of-16"],
        }],
        "forms": [{
            "id": "contact", "origins": [ORIGIN], "secrets": [FORM_SECRET], "language": "pl",
            "thanks_url": "https://shop.example/thanks", "consents": [consent],
            "limits": { "forms_per_hour": 100 },
        }],
    })
}

/// A running shop.
pub struct Shop {
    pub home: Home,
    pub address: SocketAddr,
    pub clock: Arc<Moved>,
    settings: Value,
    folder: PathBuf,
    database: Database,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl Shop {
    pub async fn open(db: Db) -> Self {
        Self::with(db, settings()).await
    }

    pub async fn with(db: Db, settings: Value) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("kontor-webchat-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let home = Home::start().await;
        home.tell_bridge(&format!("http://{free}"));
        let clock = Arc::default();
        let database = Database::new(db, &folder);
        let mut shop = Self { home, address: free, clock, settings, folder, database, running: None };
        shop.start().await;
        shop
    }

    fn config(&self) -> Config {
        Config {
            channel: "webchat".to_owned(),
            account: "w_1".to_owned(),
            homeserver: self.home.url(),
            as_token: Secret::new(AS_TOKEN.to_owned()),
            hs_token: Secret::new(HS_TOKEN.to_owned()),
            bind: self.address,
            database_url: self.database.url().to_owned(),
            data_dir: self.folder.clone(),
            ghost_prefix: GHOSTS.to_owned(),
            admin_room: None,
            language: Language::Polish,
            raw_kept_days: 7,
            trusted_proxies: Vec::new(),
            resend_uncertain: false,
        }
    }

    pub async fn start(&mut self) {
        let settings: Settings = serde_json::from_value(self.settings.clone()).unwrap();
        let channel = Arc::new(WebChat::new(settings).unwrap());
        let (config, machine) = (self.config(), Machine::new(Arc::clone(&self.clock) as _, Arc::new(Dice)));
        let (close, closing) = watch::channel(false);
        let task = tokio::spawn(async move {
            // The address may be held by the last one for a moment.
            for _ in 0..100 {
                let run =
                    kontor_bridge_kit::run(channel.clone(), config.clone(), machine.clone(), closing.clone());
                match run.await {
                    Ok(()) => return,
                    Err(error) => eprintln!("the bridge does not start: {error:?}"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        self.running = Some((close, task));
        let began = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            assert!(began.elapsed() < DEADLINE, "the bridge never listens");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    async fn stop(&mut self) {
        if let Some((close, task)) = self.running.take() {
            let _ = close.send(true);
            let _ = task.await;
        }
    }

    /// Puts the clock forward.
    pub fn pass(&self, ms: Ms) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    pub fn now(&self) -> Ms {
        self.clock.now()
    }

    /// A call of the widget's page.
    pub async fn call(&self, method: &str, call: &str, token: &str, body: &Value) -> Got {
        self.call_from(ORIGIN, "w_1", method, call, token, body).await
    }

    pub async fn call_from(
        &self,
        origin: &str,
        widget: &str,
        method: &str,
        call: &str,
        token: &str,
        body: &Value,
    ) -> Got {
        let mark = if call.contains('?') { '&' } else { '?' };
        let path = format!("/_kontor/widget/v1/{call}{mark}w={widget}");
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("origin", origin), ("content-type", "application/json")];
        if !token.is_empty() {
            headers.push(("authorization", &bearer));
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        ask(self.address, method, &path, &headers, &body).await
    }

    /// A new visitor: token and id.
    pub async fn visitor(&self, session: Value) -> (String, String) {
        let got = self.call("POST", "session", "", &session).await;
        assert_eq!(got.status, 200, "{}", got.text());
        let said = got.json();
        (said["visitor_token"].as_str().unwrap().to_owned(), said["visitor_id"].as_str().unwrap().to_owned())
    }

    /// The visitor writes.
    pub async fn writes(&self, token: &str, id: &str, text: &str) -> Value {
        let got = self.call("POST", "messages", token, &json!({ "client_id": id, "text": text })).await;
        assert_eq!(got.status, 200, "{}", got.text());
        got.json()
    }

    /// What is new for the visitor, without waiting.
    pub async fn events(&self, token: &str, since: i64) -> Vec<Value> {
        let got = self.call("GET", &format!("events?since={since}&wait=0"), token, &Value::Null).await;
        assert_eq!(got.status, 200, "{}", got.text());
        got.json()["events"].as_array().unwrap().clone()
    }

    /// The conversation's room.
    pub async fn room(&self, external_id: &str) -> String {
        until("the conversation is opened", || async { self.home.room(external_id) }).await
    }

    /// Events of the room that are of this type.
    pub fn in_room(&self, room: &str, kind: &str) -> Vec<Value> {
        self.home.events(room).into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// What the room shows as written by the customer.
    pub fn shown(&self, room: &str) -> Vec<String> {
        let messages = self.in_room(room, "m.room.message").into_iter();
        let theirs = messages.filter(|event| event["sender"].as_str().unwrap().starts_with(GHOSTS));
        theirs.map(|event| event["content"]["body"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The rungs that the room was told for an event.
    pub fn rungs(&self, room: &str, event_id: &str) -> Vec<String> {
        let told = self.in_room(room, "dev.kontor.delivery").into_iter();
        let told = told.filter(|event| event["content"]["m.relates_to"]["event_id"] == event_id);
        told.map(|event| event["content"]["rung"].as_str().unwrap().to_owned()).collect()
    }

    /// The homeserver tells something that is not kept, such as typing.
    pub async fn ephemeral(&self, event: Value) {
        let number = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let path = format!("/_matrix/app/v1/transactions/e{number}");
        let body = json!({ "events": [], "ephemeral": [event] }).to_string();
        let bearer = format!("Bearer {HS_TOKEN}");
        let got = ask(self.address, "PUT", &path, &[("authorization", &bearer)], body.as_bytes()).await;
        assert_eq!(got.status, 200, "{}", got.text());
    }

    /// An identity token of the shop.
    pub fn identity(&self, sub: &str) -> String {
        let now = self.now() / 1000;
        let claims = json!({ "sub": sub, "email": format!("{sub}@example.com"), "name": "Oksana", "wid": "w_1",
            "iat": now, "exp": now + 900 });
        kontor_bridge_webchat::sign_identity(&claims, &Secret::new(IDENTITY_SECRET.to_owned()))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Some((close, task)) = self.running.take() {
            let _ = close.send(true);
            task.abort();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until something is so.
pub async fn until<T, Fut: Future<Output = Option<T>>>(what: &str, mut so: impl FnMut() -> Fut) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = so().await {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
