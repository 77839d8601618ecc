//! How news come: the bridge asks for them, or Telegram brings them. What was brought is on the disk before it
//! is confirmed.

use crate::api::Said;
use crate::config::Receive;
use crate::intake::WANTED;
use crate::{HOOK_PATH, Telegram};
use kontor_bridge_kit::{Context, HookReply, HookRequest, Pulled, Reply, Status, proof};
use kontor_model::{Code, Error, Ms, Result};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Updates at once.
const MOST: usize = 100;
/// What a poll may take longer than it was asked to wait.
const SLOWNESS: u64 = 15;
/// After so long without news Telegram counts anew, from anywhere: then nothing is said about where to begin.
const COUNTS_ANEW: Ms = 6 * 86_400_000;
/// Pause when somebody else asks for this bot's news.
const AFTER_CONFLICT: Ms = 5000;
/// The header that proves that a call comes from Telegram.
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    bot: i64,
    /// The first update that was not told yet.
    offset: i64,
    /// When the last one came.
    at: Ms,
}

impl Cursor {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(' ').map(str::parse);
        let mut next = || parts.next()?.ok();
        Some(Self { bot: next()?, offset: next()?, at: next()? })
    }

    fn write(self) -> String {
        format!("{} {} {}", self.bot, self.offset, self.at)
    }

    /// What to ask for at this time; nothing when that would mean nothing.
    fn offset(self, bot: i64, now: Ms) -> Option<i64> {
        (self.bot == bot && now - self.at < COUNTS_ANEW).then_some(self.offset)
    }
}

impl Telegram {
    /// Asks for news.
    pub(crate) async fn poll(&self, context: &Context, cursor: Option<String>) -> Result<Pulled> {
        let (bot, now) = (self.settings.bot(), context.now());
        let offset = cursor.as_deref().and_then(Cursor::read).and_then(|cursor| cursor.offset(bot, now));
        let seconds = u64::from(self.settings.poll_seconds);
        let mut params = json!({ "limit": MOST, "timeout": seconds, "allowed_updates": WANTED });
        if let (Some(offset), Some(fields)) = (offset, params.as_object_mut()) {
            fields.insert("offset".to_owned(), json!(offset));
        }
        let patience = Some(Duration::from_secs(seconds + SLOWNESS));
        let updates = match self.api.call(context, "getUpdates", &params, patience).await? {
            Said::Done(Value::Array(updates)) => updates,
            Said::Done(_) => Vec::new(),
            Said::Refused(refusal) if refusal.code == 409 => {
                return self.conflict(context, &refusal.description).await;
            }
            Said::Refused(refusal) if refusal.code == 429 => {
                let pause = refusal.retry_after.unwrap_or(1000);
                return Ok(Pulled { pause, ..Pulled::default() });
            }
            Said::Refused(refusal) => return Err(refusal.error()),
            Said::Nonsense(status) => {
                let text = "Telegram does not answer.";
                return Err(Error::new(Code::Unavailable, text).because(format!("status {status}")));
            }
        };
        let newest = updates.iter().filter_map(|update| update.get("update_id")?.as_i64()).max();
        let cursor = newest.map(|id| Cursor { bot, offset: id + 1, at: context.now() }.write());
        let commit = self.take(context, &updates).await?;
        Ok(Pulled { commit, cursor, pause: 0, everything: updates.len() < MOST })
    }

    /// Telegram tells its news to somebody else.
    async fn conflict(&self, context: &Context, description: &str) -> Result<Pulled> {
        if description.contains("webhook") {
            tracing::warn!(
                channel = context.channel(),
                "A webhook was set for this bot; it is removed, since the bridge is to ask for news."
            );
            let keep = json!({ "drop_pending_updates": false });
            self.api.ask(context, "deleteWebhook", &keep).await?;
            return Ok(Pulled::default());
        }
        let before = self.conflict_at.swap(context.now(), Ordering::Relaxed);
        if context.now() - before > 600_000 {
            context.look_after_health();
            tracing::error!(
                channel = context.channel(),
                "Another program asks for the news of this bot as well: end it, or renew the token."
            );
        }
        Ok(Pulled { pause: AFTER_CONFLICT, ..Pulled::default() })
    }

    /// What Telegram has to say to prove that it is Telegram: nothing has to be kept for that.
    pub(crate) fn hook_secret(&self) -> String {
        let tag = proof::hmac_sha256(self.settings.token.expose().as_bytes(), b"kontor telegram webhook");
        tag.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Telegram brings an update.
    pub(crate) async fn webhook(&self, context: &Context, request: &HookRequest) -> Result<HookReply> {
        if request.path != HOOK_PATH || self.settings.receive != Receive::Webhook {
            return Err(Error::new(Code::Unrecognized, "There is nothing here."));
        }
        let secret = request.header(SECRET_HEADER).unwrap_or_default();
        if !proof::same(secret.as_bytes(), self.hook_secret().as_bytes()) {
            return Err(Error::new(Code::InvalidSignature, "The secret is missing or wrong."));
        }
        let bad = |error| Error::bad_json("The update is no JSON.").because(error);
        let update: Value = serde_json::from_slice(&request.body).map_err(bad)?;
        if update.get("update_id").and_then(Value::as_i64).is_none() {
            return Err(Error::bad_json("The update has no number."));
        }
        let commit = self.take(context, &[update]).await?;
        Ok(HookReply::keep(commit, Reply::empty(Status::Ok)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_to_go_on_is_remembered_for_this_bot_and_not_for_ever() {
        let cursor = Cursor { bot: 7, offset: 42, at: 1000 };
        assert_eq!(Cursor::read(&cursor.write()), Some(cursor));
        assert_eq!(cursor.offset(7, 2000), Some(42));
        assert_eq!(cursor.offset(8, 2000), None, "another bot counts for itself");
        assert_eq!(cursor.offset(7, 1000 + COUNTS_ANEW), None, "it may have begun to count anew");
        assert_eq!(Cursor::read("7 42"), None);
    }
}
