//! News on their way to webhooks: of each contact in order, at least once, for days, by one process for
//! all. What is sent was written in the transaction of its cause; how addresses are reached is the
//! caller's business.

use crate::Flows;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use kontor_contacts::webhook::signature;
use kontor_model::{Ms, Result};
use kontor_store::Change;
use kontor_store::contacts::webhooks::{self, DeliveryRow};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often is looked whether there is something to tell.
const LOOK: Duration = Duration::from_secs(1);
/// News of one round.
const ROUND: i64 = 50;
/// News that are handed over at a time.
const AT_ONCE: usize = 8;
/// Wait after the first failure; it doubles with each further one.
const FIRST_WAIT: Ms = 2_000;
/// Longest wait.
const LONGEST_WAIT: Ms = 60 * 60 * 1000;
/// After that, news are dropped.
const KEPT: Ms = 4 * 86_400_000;
/// How long the turn of one process lasts: longer than a round in which everything hangs.
const TURN: Ms = 5 * 60 * 1000;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Where to.
    pub url: &'a str,
    /// `Kontor-Signature`.
    pub signature: &'a str,
    /// `Kontor-Delivery`: the same in every try.
    pub delivery: &'a str,
    /// JSON.
    pub body: &'a str,
}

/// Speaks to webhooks.
pub trait Caller: Send + Sync {
    /// Hands news over (POST, JSON); fails with a reason that names neither the address nor its words.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, std::result::Result<(), String>>;
}

/// Tells webhooks their news until told to stop.
pub async fn follow(flows: Arc<Flows>, caller: Arc<dyn Caller>, mut stop: watch::Receiver<bool>) {
    loop {
        match flows.tell_news(&*caller).await {
            Ok(0) => {}
            Ok(_) if *stop.borrow() => return,
            Ok(_) => continue,
            Err(error) => tracing::warn!(error.cause = ?error, "Webhooks could not be told; trying again."),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl Flows {
    /// One round; returns how much was handed over.
    async fn tell_news(&self, caller: &dyn Caller) -> Result<usize> {
        let now = self.clock.now();
        let due = webhooks::due(&mut self.store.reader(), now, ROUND).await?;
        if due.is_empty() || !self.store.lease("webhooks", TURN).await? {
            return Ok(0);
        }
        let told = stream::iter(due).map(|row| self.tell_one(caller, row)).buffer_unordered(AT_ONCE);
        let done: Vec<Result<bool>> = told.collect().await;
        let mut change = Change::default();
        change.drop_old_deliveries(now - KEPT);
        self.store.submit_bulk(change).await?;
        let done: Vec<bool> = done.into_iter().collect::<Result<_>>()?;
        Ok(done.into_iter().filter(|told| *told).count())
    }

    async fn tell_one(&self, caller: &dyn Caller, row: DeliveryRow) -> Result<bool> {
        let now = self.clock.now();
        let signature = signature(&row.secret, now, &row.body)?;
        let delivery = row.delivery.to_string();
        let call = Call { url: &row.url, signature: &signature, delivery: &delivery, body: &row.body };
        let mut change = Change::default();
        let told = caller.call(call).await;
        match &told {
            Ok(()) => change.drop_delivery(&row.webhook, row.delivery),
            Err(why) => {
                if row.attempt == 0 {
                    tracing::warn!(webhook.id = %row.webhook, error.message = %why, "A webhook did not take its news; trying again.");
                }
                let wait = FIRST_WAIT.saturating_mul(1 << row.attempt.clamp(0, 11)).min(LONGEST_WAIT);
                change.delay_delivery(&row.webhook, row.delivery, now + wait);
            }
        }
        self.store.submit(change).await?;
        Ok(told.is_ok())
    }
}
