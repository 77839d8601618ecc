//! Whether Telegram would still talk to us, and by the right way.

use crate::account::{Connection, Memory, State};
use crate::api::Said;
use crate::config::Receive;
use crate::intake::WANTED;
use crate::{HOOK_PATH, Telegram};
use kontor_bridge_kit::{AccountState, Context, Probe};
use kontor_model::{Code, Error, Ms, Result};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

/// How long a second poller is told of.
const CONFLICT: Ms = 120_000;
/// How long a failed webhook call is told of.
const HOOK_FAILED: Ms = 300_000;

impl Telegram {
    /// Asks Telegram about the bot, and sets its webhook right.
    pub(crate) async fn probe(&self, context: &Context) -> Result<Probe> {
        match self.api.call(context, "getMe", &json!({}), None).await? {
            Said::Done(_) => {}
            Said::Refused(refusal) if refusal.is_access() => {
                let text = "Telegram does not know the bot's token: get a new one from BotFather.";
                return Ok(Probe::BadCredentials(text.to_owned()));
            }
            Said::Refused(refusal) => return Err(refusal.error()),
            Said::Nonsense(status) => {
                let text = "Telegram does not answer.";
                return Err(Error::new(Code::Unavailable, text).because(format!("status {status}")));
            }
        }
        if context.now() - self.conflict_at.load(Ordering::Relaxed) < CONFLICT {
            let text = "Another program asks for the news of this bot as well: end it, or renew the token.";
            return Ok(Probe::Degraded(text.to_owned()));
        }
        let info = self.api.ask(context, "getWebhookInfo", &json!({})).await?;
        if self.settings.receive == Receive::Webhook
            && let Some(degraded) = self.hook_health(context, &info).await?
        {
            return Ok(degraded);
        }
        if let Some(degraded) = self.accounts_health(context).await? {
            return Ok(degraded);
        }
        let backlog = info.get("pending_update_count").and_then(Value::as_u64);
        Ok(Probe::Fine { backlog, expires_at: None })
    }

    /// Whether the webhook is the bridge's; it is set when it is not.
    async fn hook_health(&self, context: &Context, info: &Value) -> Result<Option<Probe>> {
        let base = self.settings.webhook_url.as_deref().unwrap_or_default().trim_end_matches('/');
        let wanted = format!("{base}{HOOK_PATH}");
        let kinds = info.get("allowed_updates").and_then(Value::as_array);
        let kinds: Vec<&str> = kinds.into_iter().flatten().filter_map(Value::as_str).collect();
        let all = WANTED.iter().all(|kind| kinds.contains(kind)) && kinds.len() == WANTED.len();
        if info.get("url").and_then(Value::as_str) != Some(&wanted) || !all {
            let params = json!({
                "url": wanted, "secret_token": self.hook_secret(), "allowed_updates": WANTED,
                // One at a time: what is said first comes first.
                "max_connections": 1,
            });
            return match self.api.call(context, "setWebhook", &params, None).await? {
                Said::Done(_) => {
                    tracing::info!(channel = context.channel(), "The bot's webhook was set.");
                    Ok(None)
                }
                Said::Refused(refusal) => Ok(Some(Probe::Degraded(format!(
                    "Telegram refuses the webhook: {}",
                    refusal.description
                )))),
                Said::Nonsense(_) => {
                    Ok(Some(Probe::Degraded("Telegram does not set the webhook.".to_owned())))
                }
            };
        }
        let failed_at = info.get("last_error_date").and_then(Value::as_i64).unwrap_or(0) * 1000;
        let waiting = info.get("pending_update_count").and_then(Value::as_u64).unwrap_or(0);
        if waiting > 0 && context.now() - failed_at < HOOK_FAILED {
            let why = info.get("last_error_message").and_then(Value::as_str).unwrap_or_default();
            return Ok(Some(Probe::Degraded(format!("Telegram cannot reach the webhook: {why}"))));
        }
        Ok(None)
    }

    /// The company's accounts: what the bot may do for each.
    pub(crate) async fn account_states(&self, context: &Context) -> Result<Vec<AccountState>> {
        let memory = Memory::new(context);
        let mut states = Vec::new();
        for owner in memory.owners().await? {
            let Some(connection) = memory.of_owner(owner).await? else { continue };
            let name = &connection.name;
            let (state, detail) = match connection.state() {
                State::Connected => ("connected", rights(&connection)),
                State::ReadOnly => (
                    "read_only",
                    format!(
                        "The bot may read, but not write for the Telegram account {name}: allow it in Telegram, \
                         Settings, Telegram Business, Chatbots."
                    ),
                ),
                State::Disconnected => (
                    "disconnected",
                    format!(
                        "The bot was disconnected from the Telegram account {name}: connect it again in Telegram, \
                         Settings, Telegram Business, Chatbots."
                    ),
                ),
            };
            states.push(AccountState { account: format!("business:{owner}"), state, detail });
        }
        Ok(states)
    }

    /// Accounts of the company that the bot may not write for any more.
    async fn accounts_health(&self, context: &Context) -> Result<Option<Probe>> {
        let states = self.account_states(context).await?;
        let worst = states.into_iter().find(|account| account.state != "connected");
        Ok(worst.map(|account| Probe::Degraded(account.detail)))
    }
}

/// What the bot may do, and what it may not although the bridge could.
fn rights(connection: &Connection) -> String {
    let name = &connection.name;
    let mut lacks = Vec::new();
    for (may, what) in
        [(connection.can_read, "mark messages as read"), (connection.can_delete, "delete sent messages")]
    {
        if !may {
            lacks.push(what);
        }
    }
    if lacks.is_empty() {
        return format!("The Telegram account {name} is connected with all rights.");
    }
    format!("The Telegram account {name} is connected; the bot may not {}.", lacks.join(", nor "))
}
