//! The one writer of this process: takes what queued up during the previous commit and writes it in
//! one transaction, few statements for many changes.
//!
//! Interactive changes go first; bulk ones (imports, purges) only while nobody else waits. A batch
//! that fails is retried item by item, so that one bad change harms nobody else.

mod batch;
#[cfg(test)]
mod tests;

use crate::change::Change;
use crate::dialect::Dialect;
use crate::log::{Entry, Log};
use batch::{Failure, Verdict};
use kontor_model::{Code, Error, Nid, Pos, Result};
use sqlx::AnyPool;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Changes that wait at most; then those who submit wait too.
const QUEUE: usize = 4_096;
/// Changes of one transaction at most.
const BATCH: usize = 256;
/// Rows of a bulk transaction at most: keeps it within about 20 ms.
const BULK_ROWS: usize = 500;
/// How long a lost database is waited for before those who wait are told.
const PATIENCE: Duration = Duration::from_secs(20);

/// A change that is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Position of the change's first log row; meaningless if it took none.
    pub first: Pos,
    /// Position of its last one, or of the newest row of all if it took none.
    pub last: Pos,
}

/// The promise of an outcome.
pub struct Receipt(oneshot::Receiver<Result<Committed>>);

impl Receipt {
    /// Waits until the change is durable or refused.
    ///
    /// # Errors
    /// See [`crate::Store::submit`].
    pub async fn wait(self) -> Result<Committed> {
        self.0.await.unwrap_or_else(|_| Err(stopping()))
    }
}

fn stopping() -> Error {
    Error::new(Code::Unavailable, "The server is stopping. Try again in a moment.")
}

pub(super) struct Item {
    pub change: Change,
    answer: oneshot::Sender<Result<Committed>>,
}

/// The two queues in front of the writer.
pub(crate) struct Queue {
    interactive: mpsc::Sender<Item>,
    bulk: mpsc::Sender<Item>,
    closing: Arc<tokio::sync::Notify>,
    closed: Arc<tokio::sync::Semaphore>,
}

impl Queue {
    pub async fn interactive(&self, change: Change) -> Receipt {
        put(&self.interactive, change).await
    }

    pub async fn bulk(&self, change: Change) -> Receipt {
        put(&self.bulk, change).await
    }

    /// Lets the writer finish what is queued and waits for it.
    pub async fn close(&self) {
        self.closing.notify_one();
        let _ = self.closed.acquire().await;
    }
}

async fn put(queue: &mpsc::Sender<Item>, change: Change) -> Receipt {
    let (answer, receipt) = oneshot::channel();
    // A closed queue drops the item, and the receipt says that the server is stopping.
    let _ = queue.send(Item { change, answer }).await;
    Receipt(receipt)
}

/// Tells how long a transaction took, durable disk included, and how much it held.
fn measure(items: &[Item], took: Duration) {
    let rows: usize = items.iter().map(|item| item.change.rows.len()).sum();
    tracing::event!(
        target: "kontor::metrics",
        tracing::Level::TRACE,
        histogram.kontor_store_commit_duration_seconds = took.as_secs_f64(),
        histogram.kontor_store_commit_changes = items.len() as u64,
        monotonic_counter.kontor_store_written_rows = rows as u64,
    );
}

pub(crate) fn start(pool: AnyPool, dialect: Dialect, log: Arc<Log>, process: Nid) -> Queue {
    let (interactive, interactive_queue) = mpsc::channel(QUEUE);
    let (bulk, bulk_queue) = mpsc::channel(QUEUE);
    let closing = Arc::new(tokio::sync::Notify::new());
    let closed = Arc::new(tokio::sync::Semaphore::new(0));
    let writer = Writer {
        pool,
        dialect,
        log,
        interactive: interactive_queue,
        bulk: bulk_queue,
        held: None,
        statements: batch::Statements::of(process),
    };
    let (stop, done) = (Arc::clone(&closing), Arc::clone(&closed));
    tokio::spawn(async move {
        writer.run(&stop).await;
        done.close();
    });
    Queue { interactive, bulk, closing, closed }
}

struct Writer {
    pool: AnyPool,
    dialect: Dialect,
    log: Arc<Log>,
    interactive: mpsc::Receiver<Item>,
    bulk: mpsc::Receiver<Item>,
    /// A bulk item that did not fit into the last transaction.
    held: Option<Item>,
    statements: batch::Statements,
}

impl Writer {
    async fn run(mut self, closing: &tokio::sync::Notify) {
        let mut stopping = false;
        loop {
            let mut items = Vec::new();
            if stopping {
                self.interactive.close();
                self.bulk.close();
                while let Ok(item) = self.interactive.try_recv() {
                    items.push(item);
                }
                items.extend(self.held.take());
                while let Ok(item) = self.bulk.try_recv() {
                    items.push(item);
                }
                while !items.is_empty() {
                    let rest = items.split_off(items.len().min(BATCH));
                    self.write(std::mem::replace(&mut items, rest)).await;
                }
                return;
            }
            tokio::select! {
                biased;
                () = closing.notified() => { stopping = true; continue; }
                taken = self.interactive.recv_many(&mut items, BATCH) => {
                    if taken == 0 { stopping = true; continue; }
                }
                bulk = next_bulk(&mut self.held, &mut self.bulk) => self.fill_bulk(bulk, &mut items),
            }
            self.write(items).await;
        }
    }

    fn fill_bulk(&mut self, first: Item, items: &mut Vec<Item>) {
        let mut rows = first.change.rows.len();
        items.push(first);
        while rows < BULK_ROWS {
            let Ok(item) = self.bulk.try_recv() else { return };
            rows += item.change.rows.len();
            if rows > BULK_ROWS {
                self.held = Some(item);
                return;
            }
            items.push(item);
        }
    }

    /// Writes a batch; on failure its items one by one.
    async fn write(&mut self, items: Vec<Item>) {
        // Guards together with a room step cannot share a transaction: see `batch`.
        let (alone, mut together): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| batch::needs_own_transaction(&item.change));
        if !together.is_empty() {
            let verdict = self.attempt(&together).await;
            match verdict {
                Ok(verdicts) => self.answer(together, verdicts),
                Err(_) if together.len() > 1 => {
                    for item in together.drain(..) {
                        self.write_alone(item).await;
                    }
                }
                Err(error) => fail(together, error),
            }
        }
        for item in alone {
            self.write_alone(item).await;
        }
    }

    async fn write_alone(&mut self, item: Item) {
        let items = vec![item];
        match self.attempt(&items).await {
            Ok(verdicts) => self.answer(items, verdicts),
            Err(error) => fail(items, error),
        }
    }

    /// One transaction, tried again while the database is away.
    async fn attempt(&mut self, items: &[Item]) -> Result<Vec<Verdict>> {
        let started = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let changes = items.iter().map(|item| &item.change);
            match batch::write(&self.pool, self.dialect, &mut self.statements, changes).await {
                Ok(verdicts) => {
                    measure(items, started.elapsed());
                    return Ok(verdicts);
                }
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Lost(error)) if started.elapsed() > PATIENCE => return Err(error),
                Err(Failure::Lost(error)) => {
                    tracing::warn!(error.cause = ?error, "the database is away; writing again soon");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    fn answer(&self, items: Vec<Item>, verdicts: Vec<Verdict>) {
        let mut entries = Vec::new();
        for (item, verdict) in items.iter().zip(&verdicts) {
            if let Verdict::Committed(committed) = verdict {
                let rows = item.change.log.iter().zip(committed.first.0..);
                entries.extend(rows.map(|(row, pos)| Entry { pos, row: *row }));
            }
        }
        entries.sort_unstable_by_key(|entry| entry.pos);
        self.log.publish(&entries);
        for (item, verdict) in items.into_iter().zip(verdicts) {
            let outcome = match verdict {
                Verdict::Committed(committed) => Ok(committed),
                Verdict::Conflict => Err(conflict()),
            };
            let _ = item.answer.send(outcome);
        }
    }
}

async fn next_bulk(held: &mut Option<Item>, bulk: &mut mpsc::Receiver<Item>) -> Item {
    if let Some(item) = held.take() {
        return item;
    }
    match bulk.recv().await {
        Some(item) => item,
        None => std::future::pending().await,
    }
}

fn conflict() -> Error {
    Error::new(Code::Conflict, "Somebody else changed the same thing at the same moment. Try again.")
}

/// Tells everybody in a failed batch; the cause is logged once.
fn fail(items: Vec<Item>, error: Error) {
    if !error.is_conflict() {
        tracing::error!(error.cause = ?error, items = items.len(), "a change could not be written");
    }
    let (code, message) = (error.code, error.message);
    for item in items {
        let _ = item.answer.send(Err(Error::new(code, message.clone())));
    }
}
