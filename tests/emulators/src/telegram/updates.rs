//! How the bot hears of updates: it asks for them, or it is told by a webhook. Never both.

use super::params::Params;
use super::state::{Inner, Webhook, refusal};
use super::{Done, Shared, envelope};
use crate::faults::Kind;
use crate::serve::Said;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The longest that is waited for news, seconds.
const LONGEST_POLL: i64 = 50;

impl Inner {
    fn allow(&mut self, params: &Params) {
        // What is not said stays as it was.
        if let Some(allowed) = params.json("allowed_updates").as_array() {
            self.allowed = Some(allowed.iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect());
        }
    }

    /// Updates from here on; what is before is confirmed.
    fn confirm(&mut self, offset: i64) {
        if offset >= 0 {
            // From after a week of silence numbers begin anew: an offset from far ahead means nothing.
            if self.updates.back().is_none_or(|(_, last)| offset <= id(last) + 1_000_000) {
                self.updates.retain(|(_, update)| id(update) >= offset);
            }
        } else {
            let keep = usize::try_from(-offset).unwrap_or(0);
            while self.updates.len() > keep {
                self.updates.pop_front();
            }
        }
    }

    pub fn set_webhook(&mut self, params: &Params) -> Done {
        let url = params.text("url").to_owned();
        let secret = params.text("secret_token").to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if secret.len() > 256 || !secret.chars().all(plain) {
            return Err(refusal(400, "Bad Request: secret token contains unallowed characters"));
        }
        if !url.is_empty() && !url.starts_with("https://") {
            return Err(refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"));
        }
        let port = url.strip_prefix("https://").and_then(|rest| rest.split('/').next()?.rsplit_once(':'));
        if port.is_some_and(|(_, port)| !["443", "80", "88", "8443"].contains(&port)) {
            let text = "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443";
            return Err(refusal(400, text));
        }
        self.allow(params);
        if params.flag("drop_pending_updates") {
            self.updates.clear();
        }
        self.webhook = Webhook { url, secret, last_error: None };
        self.polls += 1;
        self.called("setwebhook", params)
    }

    pub fn webhook_info(&self) -> Value {
        let mut info = json!({
            "url": self.webhook.url, "has_custom_certificate": false,
            "pending_update_count": self.updates.len(), "max_connections": 1,
        });
        if let Some(allowed) = &self.allowed {
            info["allowed_updates"] = json!(allowed);
        }
        if let Some((at, error)) = &self.webhook.last_error {
            info["last_error_date"] = json!(at / 1000);
            info["last_error_message"] = json!(error);
        }
        info
    }
}

fn id(update: &Value) -> i64 {
    update["update_id"].as_i64().unwrap_or_default()
}

impl Shared {
    pub async fn get_updates(self: &Arc<Self>, params: &Params) -> Said {
        let limit = usize::try_from(params.int("limit").unwrap_or(100).clamp(1, 100)).unwrap_or(100);
        let patience = params.int("timeout").unwrap_or(0).clamp(0, LONGEST_POLL);
        let until = Instant::now() + Duration::from_secs(patience.unsigned_abs());
        let turn = {
            let mut inner = self.lock();
            if !inner.webhook.url.is_empty() {
                return envelope(Err(refusal(409, CONFLICT_WEBHOOK)));
            }
            inner.expire();
            inner.allow(params);
            if let Some(offset) = params.int("offset") {
                inner.confirm(offset);
            }
            inner.polls += 1;
            inner.polls
        };
        // Whoever asked before is sent away.
        self.news.notify_waiters();
        loop {
            let news = self.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            let batch: Vec<Value> = {
                let inner = self.lock();
                if inner.polls != turn {
                    return envelope(Err(refusal(409, CONFLICT_POLL)));
                }
                if !inner.token_valid {
                    return envelope(Err(refusal(401, "Unauthorized")));
                }
                inner.updates.iter().take(limit).map(|(_, update)| update.clone()).collect()
            };
            if !batch.is_empty() || Instant::now() >= until {
                return self.with_faults(batch).await;
            }
            tokio::select! {
                () = news => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// A batch on its way, and what goes wrong with it.
    async fn with_faults(self: &Arc<Self>, mut batch: Vec<Value>) -> Said {
        let fault = if batch.is_empty() { None } else { self.faults.take("hook", "") };
        match fault.map(|fault| (fault.kind, fault.value)) {
            Some((Kind::DropBefore | Kind::DropAfter, _)) => return Said::Cut,
            Some((Kind::Status, _)) => return envelope(Err(refusal(500, "Internal Server Error"))),
            Some((Kind::Delay, ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
            Some((Kind::Dup, _)) => batch.extend(batch.clone()),
            Some((Kind::Reorder, _)) => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                batch = self.lock().updates.iter().rev().map(|(_, update)| update.clone()).collect();
            }
            None => {}
        }
        envelope(Ok(Value::Array(batch)))
    }

    /// Posts one update; `None` when nobody answers.
    async fn post(&self, update: &Value) -> Option<u16> {
        let (url, secret) = {
            let inner = self.lock();
            let url = if inner.deliver_to.is_empty() { &inner.webhook.url } else { &inner.deliver_to };
            (url.clone(), inner.webhook.secret.clone())
        };
        self.post_as(&url, &secret, update.to_string()).await
    }

    /// Posts a body with a secret.
    pub async fn post_as(&self, url: &str, secret: &str, body: String) -> Option<u16> {
        let mut request = self.client.post(url).header("content-type", "application/json").body(body);
        if !secret.is_empty() {
            request = request.header("x-telegram-bot-api-secret-token", secret);
        }
        let answer = request.timeout(Duration::from_secs(5)).send().await.ok()?;
        Some(answer.status().as_u16())
    }

    /// Tells one update by the webhook until it is taken, and what goes wrong with it.
    async fn deliver(&self, update: &Value) {
        let mut news = vec![update.clone()];
        match self.faults.take("hook", "").map(|fault| (fault.kind, fault.value)) {
            Some((Kind::Delay, ms)) => tokio::time::sleep(Duration::from_millis(ms)).await,
            // Told, and told again because the answer got lost; or simply twice.
            Some((Kind::DropAfter | Kind::Dup, _)) => drop(self.post(update).await),
            Some((Kind::DropBefore | Kind::Status, _)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Some((Kind::Reorder, _)) => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let inner = self.lock();
                news = inner.updates.iter().take(2).rev().map(|(_, update)| update.clone()).collect();
            }
            None => {}
        }
        for update in &news {
            loop {
                let said = self.post(update).await;
                if said.is_some_and(|status| (200..300).contains(&status)) {
                    break;
                }
                {
                    let mut inner = self.lock();
                    if inner.webhook.url.is_empty() {
                        return;
                    }
                    let text = said.map_or_else(
                        || "Connection refused".to_owned(),
                        |status| format!("Wrong response from the webhook: {status}"),
                    );
                    let now = inner.now();
                    inner.webhook.last_error = Some((now, text));
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        let told: Vec<i64> = news.iter().map(id).collect();
        // The same update may be waiting once more: only one of each was told.
        let mut inner = self.lock();
        for told in told {
            if let Some(at) = inner.updates.iter().position(|(_, update)| id(update) == told) {
                inner.updates.remove(at);
            }
        }
    }
}

/// Tells updates by the webhook while there is one, one after the other.
pub(super) async fn push(shared: Arc<Shared>) {
    loop {
        let news = shared.news.notified();
        tokio::pin!(news);
        news.as_mut().enable();
        let next = {
            let mut inner = shared.lock();
            inner.expire();
            let told = !inner.webhook.url.is_empty();
            inner.updates.front().filter(|_| told).map(|(_, update)| update.clone())
        };
        match next {
            Some(update) => shared.deliver(&update).await,
            None => {
                tokio::select! {
                    () = news => {}
                    () = tokio::time::sleep(Duration::from_millis(200)) => {}
                }
            }
        }
    }
}

const CONFLICT_POLL: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
const CONFLICT_WEBHOOK: &str = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
