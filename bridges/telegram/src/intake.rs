//! Updates become items: whose conversation each belongs to, and what has to be remembered of it. What is
//! unknown is confirmed like everything else.

use crate::account::{Connection, Memory};
use crate::item::{Raw, name_of};
use crate::lane::Lane;
use crate::{Telegram, lock};
use kontor_bridge_kit::{Commit, Context, Item, Keep, proof::sha256_hex};
use kontor_model::{Code, Error, Ms, Result};
use serde_json::{Value, json};

/// How long it is remembered what a message said, so that changes which change nothing are noticed.
const REMEMBERED: Ms = 3 * 86_400_000;
/// Kinds of updates that are known and of no interest to a conversation.
const OF_NO_INTEREST: [&str; 16] = [
    "channel_post",
    "edited_channel_post",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "managed_bot",
    "subscription",
];
/// Kinds of updates that are asked for.
pub const WANTED: [&str; 9] = [
    "message",
    "edited_message",
    "callback_query",
    "my_chat_member",
    "message_reaction",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
];

fn number(value: &Value, path: &str) -> Option<i64> {
    value.pointer(path).and_then(Value::as_i64)
}

/// The name under which a chat's first number is remembered.
pub fn first_number(chat: i64) -> String {
    format!("first number of {chat}")
}

/// The name under which a chat's present number is remembered.
pub fn present_number(chat: i64) -> String {
    format!("present number of {chat}")
}

/// The name under which it is remembered that a chat has a keyboard to take away.
pub fn keyboard(lane: &str) -> String {
    format!("keyboard of {lane}")
}

impl Telegram {
    /// What has to be on the disk before these updates are confirmed.
    ///
    /// # Errors
    /// `Unavailable` when the database or Telegram is gone and one cannot be told whose it is: they come again.
    pub(crate) async fn take(&self, context: &Context, updates: &[Value]) -> Result<Commit> {
        let mut memory = Memory::new(context);
        let mut items = Vec::new();
        for update in updates {
            if let Some(item) = self.item(context, &mut memory, update).await? {
                items.push(item);
            }
        }
        Ok(Commit { items, kept: memory.changes(), ..Commit::default() })
    }

    async fn item(&self, context: &Context, memory: &mut Memory<'_>, update: &Value) -> Result<Option<Item>> {
        let Some(id) = number(update, "/update_id") else {
            tracing::warn!(channel = context.channel(), "An update without a number was passed over.");
            return Ok(None);
        };
        let fields = update.as_object().into_iter().flatten();
        let Some((kind, told)) =
            fields.map(|(kind, told)| (kind.as_str(), told)).find(|(k, _)| *k != "update_id")
        else {
            return Ok(None);
        };
        if kind == "business_connection" {
            self.connected(context, memory, told).await?;
            return Ok(None);
        }
        let Some((chat, owner)) = self.place(context, memory, kind, told).await? else { return Ok(None) };
        let bot = self.settings.bot();
        let lane = Lane { bot, owner, chat }.name();
        if !self.says_something_new(context, memory, (kind, &lane), told).await? {
            return Ok(None);
        }
        if kind == "callback_query" {
            self.stop_spinning(context, told);
        }
        let renamed = self.is_renamed(memory, kind, told).await?;
        let seconds = number(told, "/edit_date").or_else(|| number(told, "/date"));
        let at = seconds.map_or_else(|| context.now(), |seconds| seconds.saturating_mul(1000));
        let raw = Raw { update: update.clone(), chat, owner, bot, renamed };
        let raw = serde_json::to_vec(&raw).map_err(Error::internal)?;
        Ok(Some(Item { key: format!("{bot}:{id}"), lane, at, raw }))
    }

    /// Whose conversation it is; none when it belongs to no conversation.
    async fn place(
        &self,
        context: &Context,
        memory: &mut Memory<'_>,
        kind: &str,
        told: &Value,
    ) -> Result<Option<(i64, Option<i64>)>> {
        let chat = match kind {
            "callback_query" => number(told, "/message/chat/id").or_else(|| number(told, "/from/id")),
            _ => number(told, "/chat/id"),
        };
        if !WANTED.contains(&kind) && (OF_NO_INTEREST.contains(&kind) || chat.is_none()) {
            self.note_unknown(context, kind);
            return Ok(None);
        }
        if !WANTED.contains(&kind) {
            self.note_unknown(context, kind);
        }
        let Some(chat) = chat else { return Ok(None) };
        let connection = ["/business_connection_id", "/message/business_connection_id"];
        let connection = connection.iter().find_map(|path| told.pointer(path)).and_then(Value::as_str);
        if let Some(connection) = connection {
            let owner = self.owner(context, memory, connection).await?;
            return Ok(Some((chat, Some(owner))));
        }
        Ok(Some((self.first_number(memory, chat, told).await?, None)))
    }

    /// Logs a kind of update that nobody knows here: once, it may come often.
    fn note_unknown(&self, context: &Context, kind: &str) {
        let mut unknown = lock(&self.unknown);
        if unknown.len() < 100 && unknown.insert(kind.to_owned()) {
            tracing::info!(channel = context.channel(), kind, "Updates of this kind are passed over.");
        }
    }

    /// Whose account a connection is to.
    async fn owner(&self, context: &Context, memory: &mut Memory<'_>, id: &str) -> Result<i64> {
        if let Some(known) = memory.connection(id).await? {
            return Ok(known.owner);
        }
        // It stood before this bridge did.
        let params = json!({ "business_connection_id": id });
        let told = self.api.ask(context, "getBusinessConnection", &params).await;
        match told.as_ref().map(Connection::of) {
            Ok(Some(connection)) => {
                memory.connect(&connection).await?;
                Ok(connection.owner)
            }
            // It ended meanwhile: whose it was nobody says any more. What came is not lost.
            Ok(None) => Ok(0),
            Err(error) if error.cause.as_ref().is_some_and(|cause| cause.to_string().starts_with("400")) => {
                Ok(0)
            }
            Err(error) => Err(Error::new(Code::Unavailable, "Telegram does not say whose account it is.")
                .because(error.to_string())),
        }
    }

    /// The owner of an account connected the bot, changed what it may, or disconnected it.
    async fn connected(&self, context: &Context, memory: &mut Memory<'_>, told: &Value) -> Result<()> {
        let Some(connection) = Connection::of(told) else { return Ok(()) };
        let state = connection.state();
        tracing::info!(
            channel = context.channel(),
            ?state,
            "A Telegram account was connected or disconnected."
        );
        memory.connect(&connection).await?;
        context.look_after_health();
        Ok(())
    }

    /// The number under which a chat is known here: a group that becomes a supergroup gets another one.
    async fn first_number(&self, memory: &mut Memory<'_>, chat: i64, told: &Value) -> Result<i64> {
        if chat >= 0 {
            return Ok(chat);
        }
        let first = memory.get(&first_number(chat)).await?.and_then(|known| known.parse().ok());
        let first: i64 = first.unwrap_or(chat);
        if let Some(new) = number(told, "/migrate_to_chat_id") {
            memory.put(moved(first_number(new), first));
            memory.put(moved(present_number(first), new));
        }
        if let Some(old) = number(told, "/migrate_from_chat_id").filter(|_| first == chat) {
            memory.put(moved(first_number(chat), old));
            memory.put(moved(present_number(old), chat));
            return Ok(old);
        }
        Ok(first)
    }

    /// Whether a message was really changed: Telegram tells of changes that nobody sees.
    async fn says_something_new(
        &self,
        context: &Context,
        memory: &mut Memory<'_>,
        (kind, lane): (&str, &str),
        told: &Value,
    ) -> Result<bool> {
        let changed = kind.starts_with("edited_");
        if !changed && !["message", "business_message"].contains(&kind) {
            return Ok(true);
        }
        let Some(id) = number(told, "/message_id") else { return Ok(true) };
        let name = format!("said {lane} {id}");
        let said = print(told);
        if changed && memory.get(&name).await?.as_ref() == Some(&said) {
            return Ok(false);
        }
        let until = Some(context.now() + REMEMBERED);
        memory.put(Keep { name, value: Some(said), until, secret: false });
        let own = number(told, "/contact/user_id");
        if own.is_some() && own == number(told, "/from/id") {
            // The button did what it was for.
            memory.put(Keep { name: keyboard(lane), value: Some("1".to_owned()), until, secret: false });
        }
        Ok(true)
    }

    /// Whether somebody who is known has another name now.
    async fn is_renamed(&self, memory: &mut Memory<'_>, kind: &str, told: &Value) -> Result<bool> {
        let from = told.get("from").unwrap_or(&Value::Null);
        let private = number(told, "/chat/id") == number(from, "/id");
        let Some(id) = number(from, "/id").filter(|_| private && kind.ends_with("message")) else {
            return Ok(false);
        };
        let name = format!("name of {id}");
        let said = sha256_hex(format!("{}\n{}", name_of(from), from["username"]).as_bytes());
        let before = memory.get(&name).await?;
        if before.as_ref() == Some(&said) {
            return Ok(false);
        }
        memory.put(Keep { name, value: Some(said), until: None, secret: false });
        Ok(before.is_some())
    }

    /// Lets a pressed button rest. It is only a courtesy: nothing is lost when it fails.
    fn stop_spinning(&self, context: &Context, query: &Value) {
        let Some(id) = query.get("id").and_then(Value::as_str) else { return };
        let params = json!({ "callback_query_id": id });
        let (context, api) = (context.clone(), self.api.clone());
        tokio::spawn(async move {
            if let Err(error) = api.ask(&context, "answerCallbackQuery", &params).await {
                tracing::debug!(?error, "A pressed button was not answered.");
            }
        });
    }
}

fn moved(name: String, to: i64) -> Keep {
    Keep { name, value: Some(to.to_string()), until: None, secret: false }
}

/// What a message says, so short that nothing can be read from it.
fn print(message: &Value) -> String {
    const FIELDS: [&str; 15] = [
        "text",
        "entities",
        "caption",
        "photo",
        "video",
        "animation",
        "document",
        "audio",
        "voice",
        "video_note",
        "sticker",
        "location",
        "contact",
        "poll",
        "reply_markup",
    ];
    let said: Vec<&Value> = FIELDS.iter().map(|field| message.get(*field).unwrap_or(&Value::Null)).collect();
    let mut print = sha256_hex(serde_json::to_string(&said).unwrap_or_default().as_bytes());
    print.truncate(32);
    print
}
