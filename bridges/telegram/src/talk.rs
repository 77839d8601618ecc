//! Typing and read marks of employees. They are a courtesy: nothing waits for them.

use crate::account::Memory;
use crate::intake::present_number;
use crate::lane::Lane;
use crate::send::set;
use crate::{Telegram, lock};
use kontor_bridge_kit::{Context, Signal, Whom};
use kontor_model::Result;
use serde_json::{Value, json};
use std::time::Duration;

/// Telegram shows typing for five seconds.
const AGAIN: Duration = Duration::from_secs(4);
/// How often it is said again when nobody says that it stopped.
const MOST: u32 = 8;

impl Telegram {
    /// Tells Telegram what agents do.
    ///
    /// # Errors
    /// Whatever Telegram says; nobody minds.
    pub(crate) async fn tell(&self, context: &Context, signal: Signal) -> Result<()> {
        match signal {
            Signal::Typing { to, on, .. } => self.types(context, &to, on).await,
            Signal::Read { to, remote } => self.reads(context, &to, &remote).await,
        }
    }

    async fn types(&self, context: &Context, to: &Whom, on: bool) -> Result<()> {
        let turn = {
            let mut typing = lock(&self.typing);
            if !on {
                typing.remove(&to.lane);
                return Ok(());
            }
            let turn = typing.get(&to.lane).copied().unwrap_or(0) + 1;
            typing.insert(to.lane.clone(), turn);
            turn
        };
        let Some(params) = self.chat(context, to).await? else { return Ok(()) };
        for _ in 0..MOST {
            self.api.ask(context, "sendChatAction", &params).await?;
            tokio::time::sleep(AGAIN).await;
            if lock(&self.typing).get(&to.lane) != Some(&turn) {
                return Ok(());
            }
        }
        lock(&self.typing).remove(&to.lane);
        Ok(())
    }

    /// The chat as parameters; nothing where there is none to tell.
    async fn chat(&self, context: &Context, to: &Whom) -> Result<Option<Value>> {
        let Some(lane) = Lane::of(&to.lane) else { return Ok(None) };
        let mut chat = lane.chat;
        if chat < 0 {
            let moved = context.kept(&present_number(chat)).await?;
            chat = moved.and_then(|moved| moved.parse().ok()).unwrap_or(chat);
        }
        let mut params = json!({ "chat_id": chat, "action": "typing" });
        if let Some(owner) = lane.owner {
            let connection = Memory::new(context).of_owner(owner).await?;
            let Some(connection) = connection.filter(|connection| connection.can_reply) else {
                return Ok(None);
            };
            set(&mut params, "business_connection_id", json!(connection.id));
        }
        Ok(Some(params))
    }

    /// Bots cannot mark as read; the company's account can, when its owner allows it.
    async fn reads(&self, context: &Context, to: &Whom, remote: &str) -> Result<()> {
        let (Some(lane), Ok(message)) = (Lane::of(&to.lane), remote.parse::<i64>()) else { return Ok(()) };
        let Some(owner) = lane.owner else { return Ok(()) };
        let connection = Memory::new(context).of_owner(owner).await?;
        let Some(connection) = connection.filter(|known| known.enabled && known.can_read) else {
            return Ok(());
        };
        let params = json!({
            "business_connection_id": connection.id, "chat_id": lane.chat, "message_id": message,
        });
        self.api.ask(context, "readBusinessMessage", &params).await.map(drop)
    }
}
