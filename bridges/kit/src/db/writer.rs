//! The one task that writes: whatever queued up during a commit goes into the next one.

use super::dialect::Dialect;
use super::value::{Row, Value, arguments};
use super::{Rendered, unavailable};
use kontor_model::{Code, Error, Result};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection as _};
use tokio::sync::{mpsc, oneshot};

/// Changes that may wait; more wait outside.
const QUEUE: usize = 256;
/// Changes in one transaction.
const BATCH: usize = 64;

/// One statement of a change.
#[derive(Clone, Debug)]
struct Step {
    sql: &'static str,
    values: Vec<Value>,
}

/// Statements that are written together or not at all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    guarded: bool,
    steps: Vec<Step>,
}

/// The rows that each statement of a change gave back (`RETURNING`).
pub(crate) type Answers = Vec<Vec<Row>>;

impl Change {
    /// A change that is refused with `Conflict` unless its first statement, which ends in `RETURNING`,
    /// touches a row.
    pub fn guarded(sql: &'static str, values: Vec<Value>) -> Self {
        Self { guarded: true, steps: vec![Step { sql, values }] }
    }

    /// Adds a statement; gives its place in the answers.
    pub fn run(&mut self, sql: &'static str, values: Vec<Value>) -> usize {
        self.steps.push(Step { sql, values });
        self.steps.len() - 1
    }

    /// Adds the statements of another change, which has no guard.
    pub fn append(&mut self, mut other: Self) {
        self.steps.append(&mut other.steps);
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

struct Job {
    change: Change,
    done: oneshot::Sender<Result<Answers>>,
}

/// The way to the writer.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Job>);

impl Writer {
    /// Starts the task. It ends when the last way to it is dropped.
    pub fn start(pool: AnyPool, dialect: Dialect) -> Self {
        let (sender, mut jobs) = mpsc::channel::<Job>(QUEUE);
        tokio::spawn(async move {
            let rendered = Rendered::default();
            let mut batch = Vec::with_capacity(BATCH);
            while jobs.recv_many(&mut batch, BATCH).await > 0 {
                write(&pool, dialect, &rendered, std::mem::take(&mut batch)).await;
            }
        });
        Self(sender)
    }

    pub async fn write(&self, change: Change) -> Result<Answers> {
        let (done, answer) = oneshot::channel();
        let closed = |()| Error::new(Code::Unavailable, "The bridge is closing its database.");
        self.0.send(Job { change, done }).await.map_err(|_| closed(()))?;
        answer.await.map_err(|_| closed(()))?
    }
}

async fn write(pool: &AnyPool, dialect: Dialect, rendered: &Rendered, batch: Vec<Job>) {
    let changes: Vec<&Change> = batch.iter().map(|job| &job.change).collect();
    match transaction(pool, dialect, rendered, &changes).await {
        Ok(answers) => {
            for (job, answer) in batch.into_iter().zip(answers) {
                let _ = job.done.send(answer);
            }
        }
        // One of them is at fault, or the database is away: each for itself.
        Err(_) if batch.len() > 1 => {
            for job in batch {
                let answer = transaction(pool, dialect, rendered, &[&job.change]).await;
                let answer =
                    answer.and_then(|mut all| all.pop().unwrap_or_else(|| Err(Error::internal("lost"))));
                let _ = job.done.send(answer);
            }
        }
        Err(error) => {
            for job in batch {
                let _ = job.done.send(Err(Error::new(error.code, error.message.clone())
                    .because(error.cause.as_ref().map(ToString::to_string).unwrap_or_default())));
            }
        }
    }
}

/// Writes changes in one transaction; a change whose guard fails is left out of it.
async fn transaction(
    pool: &AnyPool,
    dialect: Dialect,
    rendered: &Rendered,
    changes: &[&Change],
) -> Result<Vec<Result<Answers>>> {
    let mut connection = pool.acquire().await.map_err(unavailable)?;
    let outcome = async {
        let mut tx = connection.begin_with(dialect.begin_write()).await.map_err(unavailable)?;
        let mut all = Vec::with_capacity(changes.len());
        for change in changes {
            all.push(steps(&mut tx, dialect, rendered, change).await?);
        }
        tx.commit().await.map_err(unavailable)?;
        Ok(all)
    }
    .await;
    if outcome.is_err() {
        // After a full disk or a lost line the connection's own idea of its transaction may be wrong.
        let _ = connection.close().await;
    }
    outcome
}

async fn steps(
    connection: &mut AnyConnection,
    dialect: Dialect,
    rendered: &Rendered,
    change: &Change,
) -> Result<Result<Answers>> {
    let mut answers = Vec::with_capacity(change.steps.len());
    for (index, step) in change.steps.iter().enumerate() {
        let sql = rendered.get(dialect, step.sql);
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments(&step.values)?);
        let rows = query.fetch_all(&mut *connection).await.map_err(unavailable)?;
        if index == 0 && change.guarded && rows.is_empty() {
            return Ok(Err(Error::new(Code::Conflict, "Somebody else changed it first.")));
        }
        answers.push(rows.into_iter().map(Row).collect());
    }
    Ok(Ok(answers))
}
