//! Webhooks: where the company's own programs are told of what happens, and what they are yet to be told.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, Value};
use kontor_model::{Ms, Nid, Result};

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRow {
    /// ULID.
    pub id: String,
    /// Where it listens.
    pub url: String,
    /// Signs what is sent.
    pub secret: String,
    /// What it is told of, JSON array.
    pub kinds: String,
    /// When it was made.
    pub created_ts: Ms,
    /// How much it is yet to be told.
    pub waiting: i64,
}

/// All webhooks, oldest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn all<S: Source>(source: &mut S) -> Result<Vec<WebhookRow>> {
    let sql = "SELECT w.webhook_id, w.url, w.secret, w.kinds, w.created_ts, \
               (SELECT count(*) FROM webhook_delivery d WHERE d.webhook_id = w.webhook_id) \
               FROM webhook w ORDER BY w.webhook_id";
    let read = |row: &Row| {
        Ok(WebhookRow {
            id: row.text(0)?,
            url: row.text(1)?,
            secret: row.text(2)?,
            kinds: row.text(3)?,
            created_ts: row.int(4)?,
            waiting: row.int(5)?,
        })
    };
    source.all(sql, Vec::new()).await?.iter().map(read).collect()
}

/// Something that a webhook is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The webhook.
    pub webhook: String,
    /// Where it listens.
    pub url: String,
    /// Signs what is sent.
    pub secret: String,
    /// Names it in every try.
    pub delivery: Nid,
    /// What is sent.
    pub body: String,
    /// When it happened.
    pub created_ts: Ms,
    /// How often it was tried.
    pub attempt: i64,
    /// Whose news it is.
    pub contact: String,
    /// Rounds in which the webhook took nothing since it took something.
    pub failures: i64,
}

/// What may be told now: of each webhook and contact the oldest, if it is due.
///
/// # Errors
/// See [`Source::all`].
pub async fn due<S: Source>(source: &mut S, now: Ms, limit: i64) -> Result<Vec<DeliveryRow>> {
    let sql = "SELECT d.webhook_id, w.url, w.secret, d.delivery_nid, d.body, d.created_ts, d.attempt, d.contact_id, \
               w.failures FROM webhook w JOIN webhook_delivery d ON d.webhook_id = w.webhook_id \
               WHERE w.next_ts <= $1 AND d.next_ts <= $1 \
               AND NOT EXISTS (SELECT 1 FROM webhook_delivery o WHERE o.webhook_id = d.webhook_id \
               AND o.contact_id = d.contact_id AND (o.pos < d.pos \
               OR (o.pos = d.pos AND o.delivery_nid < d.delivery_nid))) ORDER BY d.webhook_id, d.pos LIMIT $2";
    let read = |row: &Row| {
        Ok(DeliveryRow {
            webhook: row.text(0)?,
            url: row.text(1)?,
            secret: row.text(2)?,
            delivery: row.int(3)?,
            body: row.text(4)?,
            created_ts: row.int(5)?,
            attempt: row.int(6)?,
            contact: row.text(7)?,
            failures: row.int(8)?,
        })
    };
    source.all(sql, vec![now.into(), limit.into()]).await?.iter().map(read).collect()
}

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub struct News<'a> {
    /// Names it.
    pub delivery: Nid,
    /// What kind of thing, such as `message.received`.
    pub kind: &'a str,
    /// Whose news it is: told in order.
    pub contact: &'a str,
    /// What is sent, JSON.
    pub body: &'a str,
    /// When.
    pub now: Ms,
}

impl Change {
    /// Makes a webhook.
    pub fn add_webhook(&mut self, row: &WebhookRow) {
        self.insert(
            Table::Webhook,
            vec![
                row.id.as_str().into(),
                row.url.as_str().into(),
                row.secret.as_str().into(),
                row.kinds.as_str().into(),
                row.created_ts.into(),
                0_i64.into(),
                0_i64.into(),
            ],
        );
    }

    /// A webhook took nothing in a round and is left alone for a while.
    pub fn pause_webhook(&mut self, id: &str, next_ts: Ms) {
        let sql = "UPDATE webhook SET failures = failures + 1, next_ts = $2 WHERE webhook_id = $1";
        self.run(sql, vec![id.into(), next_ts.into()]);
    }

    /// A webhook took something.
    pub fn resume_webhook(&mut self, id: &str) {
        let sql = "UPDATE webhook SET failures = 0, next_ts = 0 WHERE webhook_id = $1 AND failures > 0";
        self.run(sql, vec![id.into()]);
    }

    /// Removes a webhook and what it was yet to be told; refused with `Conflict` when it is not there.
    pub fn remove_webhook(&mut self, id: &str) {
        self.guard("DELETE FROM webhook WHERE webhook_id = $1", vec![id.into()]);
        self.run("DELETE FROM webhook_delivery WHERE webhook_id = $1", vec![id.into()]);
    }

    /// Lays news out for the webhooks that want such. `pos` is a position of this change.
    pub fn tell_webhooks(&mut self, news: News<'_>, pos: Value) {
        let sql = "INSERT INTO webhook_delivery (webhook_id, pos, delivery_nid, contact_id, kind, body, created_ts, \
                   next_ts, attempt) SELECT webhook_id, $1, $2, $3, $4, $5, $6, $6, 0 FROM webhook \
                   WHERE kinds LIKE '%\"' || $4 || '\"%'";
        self.run(
            sql,
            vec![
                pos,
                news.delivery.into(),
                news.contact.into(),
                news.kind.into(),
                news.body.into(),
                news.now.into(),
            ],
        );
    }

    /// News were told, or never will be.
    pub fn drop_delivery(&mut self, webhook: &str, delivery: Nid) {
        let sql = "DELETE FROM webhook_delivery WHERE webhook_id = $1 AND delivery_nid = $2";
        self.run(sql, vec![webhook.into(), delivery.into()]);
    }

    /// News are to be told again, not before a moment.
    pub fn delay_delivery(&mut self, webhook: &str, delivery: Nid, next_ts: Ms) {
        let sql = "UPDATE webhook_delivery SET next_ts = $3, attempt = attempt + 1 \
                   WHERE webhook_id = $1 AND delivery_nid = $2";
        self.run(sql, vec![webhook.into(), delivery.into(), next_ts.into()]);
    }

    /// Forgets what was not told for too long.
    pub fn drop_old_deliveries(&mut self, before: Ms) {
        self.run("DELETE FROM webhook_delivery WHERE created_ts < $1", vec![before.into()]);
    }

    /// Forgets what a webhook is yet to be told, but for the newest `keep` and one.
    pub fn drop_oldest_deliveries(&mut self, webhook: &str, keep: i64) {
        let sql = "DELETE FROM webhook_delivery WHERE webhook_id = $1 AND pos < (SELECT o.pos FROM webhook_delivery o \
                   WHERE o.webhook_id = $1 ORDER BY o.pos DESC LIMIT 1 OFFSET $2)";
        self.run(sql, vec![webhook.into(), keep.into()]);
    }
}
