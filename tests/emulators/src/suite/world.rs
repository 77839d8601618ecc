//! One scenario's world: a homeserver, an emulated network, and a bridge that can be killed at any step.

use crate::database::{Database, Db};
use crate::faults::Kind;
use crate::home::{AS_TOKEN, GHOSTS, HS_TOKEN, Home};
use async_trait::async_trait;
use kontor_bridge_kit::steps::{Step, Steps};
use kontor_bridge_kit::{Caps, Channel, Config, Machine};
use kontor_model::{Clock, Language, Ms, Random, Secret};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A running emulator.
pub trait Emulated: Send + Sync {
    /// Where it is.
    fn url(&self) -> String;
    /// What the channel calls a box of the control API.
    fn external_id(&self, name: &str) -> String {
        name.to_owned()
    }
}

/// A channel that is put to the test, and what belongs to it.
#[async_trait]
pub trait Subject: Send + Sync {
    /// For the report.
    fn name(&self) -> String;
    /// A new emulator.
    async fn emulator(&self) -> Box<dyn Emulated>;
    /// The channel, speaking with the emulator at this address.
    fn channel(&self, emulator: &str) -> Arc<dyn Channel>;
    /// The path of its hook; empty when it is asked for news instead.
    fn hook_path(&self) -> &'static str;
    /// Parts of the names of scenarios that make no sense for this channel.
    fn lacks(&self) -> &'static [&'static str] {
        &[]
    }
}

struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Ms {
        crate::postbox::now()
    }
}

struct RealRandom;

impl Random for RealRandom {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("random bytes");
    }
}

/// Where the bridge dies next.
#[derive(Default)]
struct Trap {
    at: Mutex<Option<(Step, u32)>>,
    sprung: Notify,
}

#[async_trait]
impl Steps for Trap {
    async fn reached(&self, step: Step) {
        let dies = {
            let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
            match at.as_mut() {
                Some((place, 0)) if *place == step => {
                    *at = None;
                    true
                }
                Some((place, more)) if *place == step => {
                    *more -= 1;
                    false
                }
                _ => false,
            }
        };
        if dies {
            self.sprung.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// The world.
pub struct World {
    /// The homeserver.
    pub home: Home,
    /// What the channel can do.
    pub caps: Caps,
    emulator: Box<dyn Emulated>,
    subject: Arc<dyn Subject>,
    config: Config,
    trap: Arc<Trap>,
    running: Option<(Runtime, watch::Sender<bool>)>,
    client: reqwest::Client,
    _database: Database,
    folder: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some((runtime, _)) = self.running.take() {
            runtime.shutdown_background();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl World {
    /// A new world in which the bridge runs.
    pub async fn new(subject: Arc<dyn Subject>, db: Db, name: &str) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("kontor-suite-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let home = Home::start().await;
        let emulator = subject.emulator().await;
        let caps = subject.channel(&emulator.url()).caps();
        let port = free_port();
        let database = Database::new(db, &folder);
        let config = Config {
            channel: format!("{}_{number}", caps.kind),
            account: "main".to_owned(),
            homeserver: home.url(),
            as_token: Secret::new(AS_TOKEN.to_owned()),
            hs_token: Secret::new(HS_TOKEN.to_owned()),
            bind: ([127, 0, 0, 1], port).into(),
            database_url: database.url().to_owned(),
            data_dir: folder.clone(),
            ghost_prefix: GHOSTS.to_owned(),
            admin_room: Some("!admin:stand.in".to_owned()),
            language: Language::English,
            raw_kept_days: 7,
            trusted_proxies: Vec::new(),
            resend_uncertain: false,
        };
        let mut world = Self {
            home,
            caps,
            emulator,
            subject,
            config,
            trap: Arc::default(),
            running: None,
            client: crate::client(),
            _database: database,
            folder,
        };
        world.start();
        let bridge = world.bridge();
        world.home.tell_bridge(&bridge);
        // A network that is asked tells nothing by itself.
        if !world.subject.hook_path().is_empty() {
            let hook_url = format!("{bridge}{}", world.subject.hook_path());
            world.control("setup", json!({ "hook_url": hook_url })).await;
        }
        world
            .until(&format!("{name}: the bridge listens"), || async { world.is_up().await.then_some(()) })
            .await;
        world
    }

    async fn is_up(&self) -> bool {
        let ping = self.client.post(format!("{}/_matrix/app/v1/ping", self.bridge())).bearer_auth(HS_TOKEN);
        ping.send().await.is_ok_and(|answer| answer.status() == 200)
    }

    /// Where the bridge is.
    pub fn bridge(&self) -> String {
        format!("http://{}", self.config.bind)
    }

    /// For calls of the scenario's own.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Starts the bridge, in a process of its own as far as that goes: nothing of it outlives `crash`.
    pub fn start(&mut self) {
        let (close, closing) = watch::channel(false);
        let channel = self.subject.channel(&self.emulator.url());
        let mut machine = Machine::new(Arc::new(RealClock), Arc::new(RealRandom));
        machine.steps = Some(Arc::clone(&self.trap) as Arc<dyn Steps>);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let config = self.config.clone();
        runtime.spawn(async move {
            // The address may be held by the last incarnation for a moment.
            for _ in 0..100 {
                let run = kontor_bridge_kit::run(
                    Arc::clone(&channel),
                    config.clone(),
                    machine.clone(),
                    closing.clone(),
                );
                match run.await {
                    Ok(()) => return,
                    Err(error) => eprintln!("the bridge does not start: {error:?}"),
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        self.running = Some((runtime, close));
    }

    /// Kills the bridge where it stands.
    pub fn crash(&mut self) {
        if let Some((runtime, _)) = self.running.take() {
            runtime.shutdown_background();
        }
    }

    /// Kills the bridge at the `nth` time (from 0) that it comes to a step.
    pub fn arm(&self, step: Step, nth: u32) {
        *self.trap.at.lock().unwrap_or_else(PoisonError::into_inner) = Some((step, nth));
    }

    /// Waits for the trap, kills the bridge and starts it again. False when the step was never reached.
    pub async fn die_and_rise(&mut self, patience: Duration) -> bool {
        let sprung = tokio::time::timeout(patience, self.trap.sprung.notified()).await.is_ok();
        *self.trap.at.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.crash();
        self.start();
        sprung
    }

    /// Calls the emulator's control API.
    pub async fn control(&self, what: &str, body: Value) -> Value {
        let url = format!("{}/_emu/{what}", self.emulator.url());
        let answer = self.client.post(url).json(&body).send().await.expect("the emulator answers");
        answer.json().await.expect("the emulator speaks JSON")
    }

    /// The network tells something.
    pub async fn inject(&self, item: Value) {
        self.control("inject", item).await;
    }

    /// A customer writes.
    pub async fn writes(&self, lane: &str, id: &str, text: &str) {
        self.inject(json!({ "id": id, "box": lane, "type": "text", "text": text })).await;
    }

    /// The network gets into trouble.
    pub async fn fault(&self, op: &str, kind: Kind, times: u32, value: u64) {
        self.control("fault", json!({ "op": op, "kind": kind, "times": times, "value": value })).await;
    }

    /// The network recovers.
    pub async fn heal(&self) {
        self.fault("", Kind::Status, 0, 0).await;
    }

    /// What the network was sent, in order.
    pub async fn sent(&self, lane: &str) -> Vec<Value> {
        let url = format!("{}/_emu/sent", self.emulator.url());
        let answer = self.client.get(url).send().await.expect("the emulator answers");
        let sent: Value = answer.json().await.expect("JSON");
        let sent = sent["sent"].as_array().cloned().unwrap_or_default();
        sent.into_iter().filter(|message| message["box"] == lane).collect()
    }

    /// The texts of what the network was sent.
    pub async fn sent_texts(&self, lane: &str) -> Vec<String> {
        let sent = self.sent(lane).await;
        sent.iter().filter_map(|message| message["text"].as_str().map(str::to_owned)).collect()
    }

    /// What customers wrote, as the room shows it.
    pub fn shown(&self, lane: &str) -> Vec<String> {
        let events = self.events(lane);
        let of_ghosts = events
            .iter()
            .filter(|event| event["sender"].as_str().is_some_and(|user| user.starts_with(GHOSTS)));
        let messages = of_ghosts
            .filter(|event| event["type"] == "m.room.message" && event["content"]["m.new_content"].is_null());
        messages.filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)).collect()
    }

    /// The room of a conversation, once it was opened.
    pub fn room(&self, lane: &str) -> Option<String> {
        self.home.room(&self.emulator.external_id(lane))
    }

    /// All events of a conversation's room.
    pub fn events(&self, lane: &str) -> Vec<Value> {
        self.room(lane).map(|room| self.home.events(&room)).unwrap_or_default()
    }

    /// The notices of the bridge that are of this kind.
    pub fn notices(&self, lane: &str, kind: &str) -> Vec<Value> {
        self.events(lane).into_iter().filter(|event| event["content"]["dev.kontor.notice"] == kind).collect()
    }

    /// The question after this many others about what became of a message, once its buttons show.
    pub async fn question(&self, lane: &str, before: usize) -> Value {
        let asked = || async {
            let question = self.notices(lane, "uncertain").into_iter().nth(before)?;
            let about = |event: &Value| {
                event["type"] == "m.reaction"
                    && event["content"]["m.relates_to"]["event_id"] == question["event_id"]
            };
            let buttons = self.events(lane).into_iter().filter(about).count();
            (buttons == 2).then_some(question)
        };
        self.until("the agent is asked", asked).await
    }

    /// The rungs that the room was told for an event, in order.
    pub fn rungs(&self, lane: &str, event_id: &str) -> Vec<String> {
        let about = |event: &Value| {
            event["type"] == "dev.kontor.delivery" && event["content"]["m.relates_to"]["event_id"] == event_id
        };
        let told = self.events(lane).into_iter().filter(about);
        told.filter_map(|event| event["content"]["rung"].as_str().map(str::to_owned)).collect()
    }

    /// Opens a conversation by a first message; gives its room.
    pub async fn opened(&self, lane: &str) -> String {
        self.writes(lane, &format!("open-{lane}"), "hello").await;
        self.until("a conversation is opened", || async {
            self.room(lane).filter(|_| !self.shown(lane).is_empty())
        })
        .await
    }

    /// An agent reacts to an event.
    pub fn reacts(&self, room: &str, event_id: &str, key: &str) -> String {
        let relation = json!({ "rel_type": "m.annotation", "event_id": event_id, "key": key });
        self.home.act(room, "m.reaction", json!({ "m.relates_to": relation }))
    }

    /// Waits until something is so.
    pub async fn until<T, F, Fut>(&self, what: &str, mut so: F) -> T
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Option<T>>,
    {
        let began = Instant::now();
        loop {
            if let Some(found) = so().await {
                return found;
            }
            assert!(began.elapsed() < DEADLINE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the network was sent exactly these texts, and no more come.
    pub async fn sent_exactly(&self, lane: &str, texts: &[&str]) {
        let mut seen = Vec::new();
        let began = Instant::now();
        while began.elapsed() < DEADLINE {
            seen = self.sent_texts(lane).await;
            if seen.len() >= texts.len() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(seen, texts, "what was sent in {lane}");
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(self.sent_texts(lane).await, texts, "something was sent in {lane} after all");
    }

    /// Waits until the room shows exactly these texts of the customer, and no more come.
    pub async fn shown_exactly(&self, lane: &str, texts: &[&str]) {
        let began = Instant::now();
        while began.elapsed() < DEADLINE && self.shown(lane).len() < texts.len() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(self.shown(lane), texts, "what is shown in {lane}");
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(self.shown(lane), texts, "something was shown in {lane} after all");
    }
}
