//! The Telegram channel beside an emulated Telegram, for all tests.

use async_trait::async_trait;
use kontor_bridge_kit::{Caps, Channel, Whom};
use kontor_bridge_telegram::{HOOK_PATH, Telegram as Bridge, config::Settings};
use kontor_emulators::database::Db;
use kontor_emulators::suite::{Emulated, Subject, World};
pub use kontor_emulators::telegram::Nature;
use kontor_emulators::telegram::{BOT_ID, OWNER_ID, TOKEN, Telegram};
use kontor_model::Language;
use serde_json::{Value, json};
use std::sync::Arc;

struct Running(Telegram);

impl Emulated for Running {
    fn url(&self) -> String {
        self.0.url()
    }

    fn external_id(&self, name: &str) -> String {
        self.0.user(name)
    }

    fn key(&self, id: &str) -> String {
        self.0.update(id)
    }
}

/// The channel as a bot or as the company's account, asking or told.
pub struct Subjected {
    pub nature: Nature,
    pub webhook: bool,
}

#[async_trait]
impl Subject for Subjected {
    fn name(&self) -> String {
        format!("Telegram as {:?}, by webhook: {}", self.nature, self.webhook)
    }

    async fn emulator(&self) -> Box<dyn Emulated> {
        Box::new(Running(Telegram::start(self.nature).await))
    }

    fn channel(&self, emulator: &str) -> Arc<dyn Channel> {
        let receive = if self.webhook { "webhook" } else { "polling" };
        let settings = json!({ "token": TOKEN, "api_url": emulator, "poll_seconds": 1, "language": "pl",
            "receive": receive, "webhook_url": "https://telegram.shop.example" });
        let settings: Settings = serde_json::from_value(settings).unwrap();
        Arc::new(Bridge::new(settings).unwrap())
    }

    fn caps(&self, channel: &dyn Channel) -> Caps {
        let owner = if self.nature == Nature::Business { OWNER_ID.to_string() } else { "-".to_owned() };
        channel.caps_in(&Whom {
            lane: format!("tg:{BOT_ID}:{owner}:1"),
            account: String::new(),
            id_type: String::new(),
            external_id: String::new(),
            language: Language::Polish,
            last_customer_at: 0,
        })
    }

    fn hook_path(&self) -> &'static str {
        if self.webhook { HOOK_PATH } else { "" }
    }

    /// In a chat with a bot nobody is told of reactions, and nothing can be taken back; in a chat with the
    /// company's account there are no reactions.
    fn customers_can(&self) -> &'static [&'static str] {
        match self.nature {
            Nature::Bot => &["edit"],
            Nature::Business => &["edit", "delete"],
        }
    }

    /// Bots may answer whenever they like, and who asks has no door. People keep their ids; those of groups change, which
    /// is claimed for groups.
    fn lacks(&self) -> &'static [&'static str] {
        match (self.nature, self.webhook) {
            (Nature::Bot, false) => {
                &["a_customer_whose_id_changes", "a_closed_window", "forged_stale_and_huge"]
            }
            (Nature::Bot, true) => &["a_customer_whose_id_changes", "a_closed_window"],
            (Nature::Business, false) => &["a_customer_whose_id_changes", "forged_stale_and_huge"],
            (Nature::Business, true) => &["a_customer_whose_id_changes"],
        }
    }
}

/// A world in which customers write to the bot, or to the company's account.
pub async fn world(nature: Nature, webhook: bool) -> World {
    World::new(Arc::new(Subjected { nature, webhook }), Db::Sqlite, "a test of Telegram's own").await
}

/// The newest event of a conversation that fits.
pub async fn event(world: &World, lane: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    world.until(what, || async { world.events(lane).into_iter().rev().find(|event| fits(event)) }).await
}

/// The message of a conversation whose text contains this.
pub async fn message(world: &World, lane: &str, part: &str) -> Value {
    let fits = |event: &Value| {
        event["type"] == "m.room.message"
            && event["content"]["body"].as_str().is_some_and(|body| body.contains(part))
    };
    event(world, lane, &format!("a message with {part}"), fits).await
}

/// What was sent to a customer, once there are so many.
pub async fn sent(world: &World, lane: &str, count: usize) -> Vec<Value> {
    world
        .until("it is sent", || async { Some(world.sent(lane).await).filter(|sent| sent.len() >= count) })
        .await
}

/// Calls of a method that sends nothing, once there is one.
pub async fn called(world: &World, method: &str) -> Value {
    world
        .until(method, || async {
            let calls = world.control("calls", json!({})).await["calls"].as_array().cloned()?;
            calls.into_iter().rev().find(|call| call["method"] == method)
        })
        .await
}
