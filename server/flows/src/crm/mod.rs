//! CRMs that contacts are kept in step with: what a connector can do ([`Crm`]), and the procedure that uses it. One
//! process at a time; whatever was read or written is written down before the next thing.
//!
//! A connector decides nothing: which field is which, whose word counts and what is an echo is the department's.

mod compare;
mod pull;
mod push;
mod timeline;

use crate::Flows;
use futures_util::future::BoxFuture;
use kontor_contacts::crm::{Record, Values};
use kontor_model::{Ms, Result};
use kontor_store::contacts::crm::{self, ConnectorRow};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often is looked whether there is something to be done, and whether there is a connector at all.
const LOOK: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(5);
/// Wait after the first failure; it doubles with each further one.
const FIRST_WAIT: Ms = 2_000;
/// Longest wait.
const LONGEST_WAIT: Ms = 60 * 60_000;

/// Why a CRM did not do something.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// It may later, not before so many milliseconds if it said so; why, without secrets and values.
    Later(Option<Ms>, String),
    /// It never will: why, without secrets and values.
    Never(String),
    /// The record moved on since the version that it was written on.
    Moved,
    /// It has records like this already.
    Candidates(Vec<Record>),
}

/// What a CRM answers.
pub type Heard<'a, T> = BoxFuture<'a, std::result::Result<T, Trouble>>;

/// A change there up to which everything was read. Never a moment alone: many records can have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// When it was, milliseconds.
    pub ts: Ms,
    /// Of which record.
    pub id: String,
}

/// Records that changed, in the order of (moment, id).
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// Whether there are more.
    pub more: bool,
}

/// A record to be written.
#[derive(Clone, Debug)]
pub struct Writing<'a> {
    /// The record; absent for a new one.
    pub id: Option<&'a str>,
    /// The same in every try.
    pub idempotency_key: &'a str,
    /// The version that it was decided on.
    pub base_version: Option<&'a str>,
    /// What is written, by their fields.
    pub fields: &'a Values,
    /// How many systems the change came through.
    pub hop: i64,
    /// Whether it is written although there are records like this.
    pub despite: bool,
}

/// Something that happened with a customer.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// The same in every try.
    pub idempotency_key: &'a str,
    /// What is said of it.
    pub text: &'a str,
    /// When.
    pub ts: Ms,
}

/// How much a CRM bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records of a page.
    pub page: usize,
    /// Contacts that it is told of in a round.
    pub writes: i64,
    /// How often it is read.
    pub every: Ms,
}

/// A kind of CRM. Calls name the connector: where it is and what opens its door.
pub trait Crm: Send + Sync {
    /// How much it bears.
    fn limits(&self) -> Limits;
    /// Records that changed after a change.
    fn pull<'a>(&'a self, to: &'a ConnectorRow, after: &'a Cursor) -> Heard<'a, Page>;
    /// A record, if it is there.
    fn get<'a>(&'a self, to: &'a ConnectorRow, id: &'a str) -> Heard<'a, Option<Record>>;
    /// Records that have one of these values, by their fields.
    fn find<'a>(&'a self, to: &'a ConnectorRow, keys: &'a Values) -> Heard<'a, Vec<Record>>;
    /// Writes a record; gives it as it is then.
    fn upsert<'a>(&'a self, to: &'a ConnectorRow, writing: Writing<'a>) -> Heard<'a, Record>;
    /// Adds something that happened to a record.
    fn timeline_append<'a>(&'a self, to: &'a ConnectorRow, id: &'a str, item: Item<'a>) -> Heard<'a, ()>;
}

/// The kinds of CRMs that can be spoken to, by their words.
pub type Crms = BTreeMap<&'static str, Arc<dyn Crm>>;

/// Keeps CRMs and contacts in step until told to stop.
pub async fn follow(flows: Arc<Flows>, crms: Crms, mut stop: watch::Receiver<bool>) {
    loop {
        let some = flows.keep_in_step(&crms).await.unwrap_or_else(|error| {
            tracing::warn!(error.cause = ?error, "CRMs could not be kept in step; trying again.");
            true
        });
        tokio::select! {
            () = tokio::time::sleep(if some { LOOK } else { IDLE }) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

impl Flows {
    /// One round with every connector; says whether there are any.
    async fn keep_in_step(&self, crms: &Crms) -> Result<bool> {
        let connectors = crm::connectors(&mut self.store.reader()).await?;
        if connectors.is_empty() {
            return Ok(false);
        }
        self.in_turn("crm", async {
            for connector in &connectors {
                let Some(speaks) = crms.get(connector.kind.as_str()) else { continue };
                self.pull(&**speaks, connector).await?;
                self.push(&**speaks, connector).await?;
                self.tell_acts(&**speaks, connector).await?;
                self.compare(&**speaks, connector).await?;
            }
            Ok(())
        })
        .await
        .map(|_| true)
    }

    /// Says that something changed in a CRM, if it is really the CRM that says so.
    ///
    /// # Errors
    /// `NotFound` for an unknown connector; `Forbidden` for a signature that is not its.
    pub async fn crm_says(&self, system: &str, signature: &str, body: &[u8]) -> Result<()> {
        let connector = self.contacts.connector(system).await?;
        if !kontor_contacts::crm::hook::is_theirs(&connector, signature, body, self.clock.now()) {
            return Err(kontor_model::Error::forbidden(
                "The signature is not that of the connector's webhook.",
            ));
        }
        let mut change = kontor_store::Change::default();
        change.crm_nudged(system);
        self.store.submit(change).await.map(|_| ())
    }
}

/// How long after so many failures nothing is tried.
fn wait(failures: i64) -> Ms {
    FIRST_WAIT.saturating_mul(1 << failures.clamp(0, 11)).min(LONGEST_WAIT)
}
