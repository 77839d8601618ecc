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
use kontor_store::log::Topic;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long after a change is looked whether there is something to tell.
const PAUSE: Duration = Duration::from_millis(500);
/// How often is looked when nothing changes.
const LOOK: Duration = Duration::from_secs(5);
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
/// News that may wait for one webhook; of more the oldest are dropped.
const MOST: i64 = 100_000;

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
        let changes = flows.store.log().wait_for([Topic::Everything]);
        match flows.tell_news(&*caller).await {
            Ok(0) => {}
            Ok(_) if *stop.borrow() => return,
            Ok(_) => continue,
            Err(error) => tracing::warn!(error.cause = ?error, "Webhooks could not be told; trying again."),
        }
        tokio::select! {
            () = async { changes.woken().await; tokio::time::sleep(PAUSE).await } => {}
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
        if due.is_empty() {
            return Ok(0);
        }
        Ok(self.in_turn("webhooks", self.tell_round(caller, due)).await?.unwrap_or(0))
    }

    async fn tell_round(&self, caller: &dyn Caller, due: Vec<DeliveryRow>) -> Result<usize> {
        let before: BTreeMap<String, i64> =
            due.iter().map(|row| (row.webhook.clone(), row.failures)).collect();
        let told = stream::iter(due).map(|row| self.tell_one(caller, row)).buffer_unordered(AT_ONCE);
        let done: Vec<Result<(String, bool)>> = told.collect().await;
        let done: Vec<(String, bool)> = done.into_iter().collect::<Result<_>>()?;
        let mut change = Change::default();
        for (webhook, failures) in before {
            let took = done.iter().any(|(of, took)| *of == webhook && *took);
            match took {
                true if failures > 0 => change.resume_webhook(&webhook),
                true => {}
                false => change.pause_webhook(&webhook, self.clock.now() + wait(failures)),
            }
        }
        if !change.is_empty() {
            self.store.submit(change).await?;
        }
        Ok(done.into_iter().filter(|(_, took)| *took).count())
    }

    /// Forgets news that are of no use any more.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn trim_news(&self) -> Result<()> {
        let hooks = webhooks::all(&mut self.store.reader()).await?;
        if hooks.iter().all(|webhook| webhook.waiting == 0) {
            return Ok(());
        }
        let mut change = Change::default();
        change.drop_old_deliveries(self.clock.now() - KEPT);
        for webhook in hooks.iter().filter(|webhook| webhook.waiting > MOST) {
            tracing::warn!(webhook.id = %webhook.id, "A webhook is too far behind: its oldest news are dropped.");
            change.drop_oldest_deliveries(&webhook.id, MOST);
        }
        self.store.submit_bulk(change).await.map(|_| ())
    }

    async fn tell_one(&self, caller: &dyn Caller, row: DeliveryRow) -> Result<(String, bool)> {
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
                change.delay_delivery(&row.webhook, row.delivery, now + wait(row.attempt));
            }
        }
        self.store.submit(change).await?;
        Ok((row.webhook, told.is_ok()))
    }
}

/// How long after so many failures nothing is tried.
fn wait(failures: i64) -> Ms {
    FIRST_WAIT.saturating_mul(1 << failures.clamp(0, 11)).min(LONGEST_WAIT)
}
