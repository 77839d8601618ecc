//! One write transaction: guards, rooms, positions, statements, rows, commit.

use super::{Committed, conflict};
use crate::change::{Change, Guard};
use crate::db::unavailable;
use crate::dialect::Dialect;
use crate::table::{CHUNKS, OnConflict, Table, insert_sql};
use crate::value::{Value, arguments};
use kontor_model::{Code, Error, Nid, Pos};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Executor, Row, Transaction};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// How often is asked, each half a second, what became of a transaction.
const ASKS: usize = 40;

/// What became of one change of a committed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Committed(Committed),
    Conflict,
}

/// Why a batch was not committed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The database refused it; trying the same again is useless.
    Refused(Error),
    /// The database was not there; it certainly was not written.
    Lost(Error),
}

type Outcome<T> = Result<T, Failure>;

impl From<sqlx::Error> for Failure {
    fn from(cause: sqlx::Error) -> Self {
        let lost = match &cause {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Protocol(_) => true,
            // PostgreSQL: connection exceptions and shutdown, serialisation and deadlock.
            // SQLite: 5 = busy.
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                code.starts_with("08")
                    || code.starts_with("57P")
                    || code.starts_with("40")
                    || code == "5"
                    || code == "517"
            }),
            _ => false,
        };
        if lost {
            return Self::Lost(unavailable(cause));
        }
        Self::Refused(match &cause {
            sqlx::Error::Database(error) if error.is_unique_violation() => conflict().because(cause),
            // SQLite 13 = disk full, 778 and the like = I/O error; PostgreSQL 53100 = disk full.
            sqlx::Error::Database(error)
                if error.code().is_some_and(|code| code == "13" || code == "53100" || code == "778") =>
            {
                Error::new(Code::Unavailable, "The server's disk is full. Tell your administrator.")
                    .because(cause)
            }
            _ => Error::internal(cause),
        })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Statement texts that are built here, built once, for one process.
pub(super) struct Statements {
    process: Nid,
    /// Transactions so far.
    written: i64,
    inserts: HashMap<(Table, usize), Arc<str>>,
    rooms: HashMap<usize, Arc<str>>,
    log: HashMap<usize, Arc<str>>,
    rendered: HashMap<&'static str, Arc<str>>,
}

impl Statements {
    /// None yet.
    pub fn of(process: Nid) -> Self {
        Self {
            process,
            written: 0,
            inserts: HashMap::new(),
            rooms: HashMap::new(),
            log: HashMap::new(),
            rendered: HashMap::new(),
        }
    }

    /// What no other transaction of any process is marked with.
    fn mark(&mut self) -> i64 {
        self.written = (self.written + 1) % (1 << 24);
        (self.process << 24) | self.written
    }

    fn rendered(&mut self, dialect: Dialect, sql: &'static str) -> Arc<str> {
        Arc::clone(self.rendered.entry(sql).or_insert_with(|| dialect.render(sql).into()))
    }
}

/// A savepoint may be rolled back for a failed guard alone, but not a room's step with it: the
/// chain of steps is one statement for all changes of the batch.
pub(super) fn needs_own_transaction(change: &Change) -> bool {
    change.room.is_some() && !change.guards.is_empty()
}

/// Writes the changes in one transaction. Verdicts are in the order of the changes.
pub(super) async fn write<'a>(
    pool: &AnyPool,
    dialect: Dialect,
    statements: &mut Statements,
    changes: impl Iterator<Item = &'a Change>,
) -> Outcome<Vec<Verdict>> {
    let changes: Vec<_> = changes.collect();
    let mut connection = pool.acquire().await?;
    let outcome = write_on(&mut connection, pool, dialect, statements, &changes).await;
    if matches!(&outcome, Err(Failure::Refused(error)) if !error.is_conflict()) {
        // On a full disk SQLite ends the transaction by itself. The driver's own rollback then
        // fails and it takes the connection to be inside a transaction for ever.
        let _ = connection.close().await;
    }
    outcome
}

async fn write_on(
    connection: &mut AnyConnection,
    pool: &AnyPool,
    dialect: Dialect,
    statements: &mut Statements,
    changes: &[&Change],
) -> Outcome<Vec<Verdict>> {
    let mut tx = connection.begin_with(dialect.begin_write()).await?;
    if let Some(lock) = dialect.write_lock() {
        tx.execute(AssertSqlSafe(lock)).await?;
    }
    let mut alive = vec![true; changes.len()];
    for (change, alive) in changes.iter().zip(&mut alive) {
        if !change.guards.is_empty() {
            *alive = guards(&mut tx, dialect, statements, &change.guards, changes.len() > 1).await?;
        }
    }
    rooms(&mut tx, dialect, statements, changes, &mut alive).await?;
    if changes.iter().zip(&alive).any(|(change, alive)| !alive && needs_own_transaction(change)) {
        // It is alone here, and what its guards wrote goes with its step.
        return Err(Failure::Refused(conflict()));
    }
    let survivors = || changes.iter().zip(&alive).filter(|(_, alive)| **alive).map(|(change, _)| *change);
    let tells = survivors().any(|change| !change.log.is_empty());
    let newest = newest(&mut tx, dialect, tells).await?;
    let mark = dialect.was_committed().map(|_| statements.mark());
    let firsts = positions(&mut tx, statements, newest, mark, survivors()).await?;
    for (change, first) in survivors().zip(&firsts) {
        for Guard { sql, values } in &change.statements {
            let sql = statements.rendered(dialect, sql);
            run(&mut tx, sql, placed(values, *first)).await?;
        }
    }
    inserts(&mut tx, statements, survivors().zip(firsts.iter().copied())).await?;
    let place = mark.filter(|_| tells).map(|mark| (newest + 1, mark));
    commit(tx, pool, dialect, place).await?;
    let last = newest + survivors().map(|change| change.log.len() as i64).sum::<i64>();
    let mut firsts = firsts.into_iter();
    let verdict = |(change, alive): (&&Change, &bool)| {
        let first = if *alive { firsts.next() } else { None };
        first.map_or(Verdict::Conflict, |first| {
            let count = change.log.len() as i64;
            let last = if count > 0 { first + count - 1 } else { last };
            Verdict::Committed(Committed { first: Pos(first), last: Pos(last) })
        })
    };
    Ok(changes.iter().zip(&alive).map(verdict).collect())
}

/// Commits; when the answer is lost, asks the database what became of it, by the place and the mark of the
/// transaction's first row of the log.
async fn commit(
    tx: Transaction<'_, sqlx::Any>,
    pool: &AnyPool,
    dialect: Dialect,
    place: Option<(i64, i64)>,
) -> Outcome<()> {
    let Err(failure) = tx.commit().await.map_err(Failure::from) else { return Ok(()) };
    let (Failure::Lost(error), Some(sql)) = (&failure, dialect.was_committed()) else {
        return Err(failure);
    };
    tracing::warn!(error.cause = ?error, "the connection was lost during a commit; asking what became of it");
    let asks = if place.is_some() { ASKS } else { 0 };
    let (first, mark) = place.unwrap_or_default();
    for _ in 0..asks {
        let asked = sqlx::query(sql).bind(first).bind(mark).fetch_one(pool).await;
        match asked.and_then(|row| row.try_get::<i64, _>(0)) {
            Ok(1) => return Ok(()),
            Ok(_) => return Err(failure),
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(500)).await,
        }
    }
    // Nobody may be told "not written" when it may have been: those who wait look it up later.
    Err(Failure::Refused(Error::new(
        Code::Unavailable,
        "The database does not answer. Send the same request again in a moment.",
    )))
}

async fn run(connection: &mut AnyConnection, sql: Arc<str>, values: Vec<Value>) -> Outcome<u64> {
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments(&values)?);
    Ok(query.execute(connection).await?.rows_affected())
}

/// Runs the guards of one change; a failed one undoes those before it.
async fn guards(
    tx: &mut Transaction<'_, sqlx::Any>,
    dialect: Dialect,
    statements: &mut Statements,
    guards: &[Guard],
    shared: bool,
) -> Outcome<bool> {
    if shared {
        tx.execute("SAVEPOINT guards").await?;
    }
    for guard in guards {
        let sql = statements.rendered(dialect, guard.sql);
        if run(tx, sql, guard.values.clone()).await? == 0 {
            if !shared {
                return Err(Failure::Refused(conflict()));
            }
            tx.execute("ROLLBACK TO SAVEPOINT guards").await?;
            tx.execute("RELEASE SAVEPOINT guards").await?;
            return Ok(false);
        }
    }
    if shared {
        tx.execute("RELEASE SAVEPOINT guards").await?;
    }
    Ok(true)
}

/// Rooms move from the revision that was expected, unless it is another process's turn.
fn rooms_sql(dialect: Dialect, rows: usize) -> String {
    let row = |n: usize| {
        let numbers: Vec<_> = (1..=7).map(|column| format!("${}", n * 7 + column)).collect();
        format!("({})", numbers.join(", "))
    };
    let values: Vec<_> = (0..rows).map(row).collect();
    dialect.render(&format!(
        "UPDATE room SET revision = v.column3, depth = v.column4, extremities = v.column5, \
         linear = v.column6, snapshot_nid = v.column7 FROM (VALUES {}) AS v \
         WHERE room.room_nid = v.column1 AND room.revision = v.column2 \
         AND (room.turn_until <= NOW_MS OR room.turn_holder = ${}) RETURNING room.room_nid",
        values.join(", "),
        rows * 7 + 1
    ))
}

/// Moves every room of the batch by its whole chain of steps in one statement; changes whose room
/// moved meanwhile, and those that stand on them, are dropped.
async fn rooms(
    tx: &mut Transaction<'_, sqlx::Any>,
    dialect: Dialect,
    statements: &mut Statements,
    changes: &[&Change],
    alive: &mut [bool],
) -> Outcome<()> {
    // room -> (revision before the chain, index of the chain's last change)
    let mut chains: BTreeMap<Nid, (i64, usize)> = BTreeMap::new();
    for (index, change) in changes.iter().enumerate() {
        let Some(step) = &change.room else { continue };
        let Some(alive) = alive.get_mut(index).filter(|alive| **alive) else { continue };
        match chains.get_mut(&step.room) {
            None => {
                chains.insert(step.room, (step.from, index));
            }
            Some((_, last)) => {
                let reached = changes.get(*last).and_then(|change| change.room.as_ref()).map(|s| s.to);
                if reached == Some(step.from) { *last = index } else { *alive = false }
            }
        }
    }
    let mut moved = HashSet::new();
    let chains: Vec<_> = chains.into_iter().collect();
    for part in chunks(&chains) {
        let sql = statements.rooms.entry(part.len()).or_insert_with(|| rooms_sql(dialect, part.len()).into());
        let mut values = Vec::with_capacity(part.len() * 7 + 1);
        for (room, (from, last)) in part {
            let Some(step) = changes.get(*last).and_then(|change| change.room.as_ref()) else { continue };
            values.extend([
                Value::from(*room),
                (*from).into(),
                step.to.into(),
                step.depth.into(),
                step.extremities.as_str().into(),
                step.linear.into(),
                step.snapshot.into(),
            ]);
        }
        values.push(statements.process.into());
        let query = sqlx::query_with(AssertSqlSafe(Arc::clone(sql)), arguments(&values)?);
        for row in query.fetch_all(&mut **tx).await? {
            moved.insert(row.try_get::<i64, _>(0)?);
        }
    }
    for (change, alive) in changes.iter().zip(alive) {
        if change.room.as_ref().is_some_and(|step| !moved.contains(&step.room)) {
            *alive = false;
        }
    }
    Ok(())
}

async fn newest(tx: &mut Transaction<'_, sqlx::Any>, dialect: Dialect, tells: bool) -> Outcome<i64> {
    Ok(tx.fetch_one(dialect.newest_position(tells)).await?.try_get(0)?)
}

fn log_sql(rows: usize) -> String {
    let row = |n: usize| {
        let numbers: Vec<_> = (1..=5).map(|column| format!("${}", n * 5 + column)).collect();
        format!("({})", numbers.join(", "))
    };
    let values: Vec<_> = (0..rows).map(row).collect();
    format!(
        "INSERT INTO stream_log (position, stream, room_nid, user_nid, mark) VALUES {}",
        values.join(", ")
    )
}

/// Takes the positions; the first row gets the mark. Returns the first one of each change.
async fn positions<'a>(
    tx: &mut Transaction<'_, sqlx::Any>,
    statements: &mut Statements,
    newest: i64,
    mark: Option<i64>,
    changes: impl Iterator<Item = &'a Change>,
) -> Outcome<Vec<i64>> {
    let mut next = newest + 1;
    let mut rows = Vec::new();
    let mut firsts = Vec::new();
    for change in changes {
        firsts.push(next);
        for row in &change.log {
            rows.push((next, *row));
            next += 1;
        }
    }
    for part in chunks(&rows) {
        let sql = statements.log.entry(part.len()).or_insert_with(|| log_sql(part.len()).into());
        let values: Vec<Value> = part
            .iter()
            .flat_map(|(pos, row)| {
                let mark = mark.filter(|_| *pos == newest + 1);
                [Value::from(*pos), (row.stream as i64).into(), row.room.into(), row.user.into(), mark.into()]
            })
            .collect();
        run(tx, Arc::clone(sql), values).await?;
    }
    Ok(firsts)
}

/// Puts positions in the place of their promises.
fn placed(values: &[Value], first: i64) -> Vec<Value> {
    let place = |value: &Value| match value {
        Value::Pos(index) => Value::from(first + *index as i64),
        other => other.clone(),
    };
    values.iter().map(place).collect()
}

/// One statement per table and chunk, in the order of [`Table`].
async fn inserts<'a>(
    tx: &mut Transaction<'_, sqlx::Any>,
    statements: &mut Statements,
    changes: impl Iterator<Item = (&'a Change, i64)>,
) -> Outcome<()> {
    let mut tables: BTreeMap<Table, Vec<Vec<Value>>> = BTreeMap::new();
    for (change, first) in changes {
        for (table, values) in &change.rows {
            tables.entry(*table).or_default().push(placed(values, first));
        }
        if let Some(step) = &change.room
            && let Some(ord) = placed(std::slice::from_ref(&step.last_ord), first).pop()
        {
            tables.entry(Table::RoomPlace).or_default().push(vec![step.room.into(), ord]);
        }
    }
    for (table, mut rows) in tables {
        if matches!(table.spec().on_conflict, OnConflict::Replace | OnConflict::Forward) {
            one_of_each_key(table, &mut rows);
        }
        for part in chunks(&rows) {
            let key = (table, part.len());
            let sql = statements.inserts.entry(key).or_insert_with(|| insert_sql(table, part.len()).into());
            run(tx, Arc::clone(sql), part.iter().flatten().cloned().collect()).await?;
        }
    }
    Ok(())
}

/// One statement may not touch a key twice: the last row of a key wins, in the place of the first;
/// where rows only move forward, the furthest one.
fn one_of_each_key(table: Table, rows: &mut Vec<Vec<Value>>) {
    let spec = table.spec();
    let key = spec.key;
    let ord = spec.columns.iter().position(|name| *name == "ord");
    let ord = ord.filter(|_| spec.on_conflict == OnConflict::Forward);
    let place_in = |row: &[Value]| match ord.and_then(|column| row.get(column)) {
        Some(Value::Int(place)) => *place,
        _ => None,
    };
    let mut place: HashMap<Vec<Value>, usize> = HashMap::new();
    let mut kept: Vec<Vec<Value>> = Vec::with_capacity(rows.len());
    for row in rows.drain(..) {
        let key: Vec<_> = row.iter().take(key).cloned().collect();
        match place.get(&key).and_then(|index| kept.get_mut(*index)) {
            Some(slot) if place_in(slot) > place_in(&row) => {}
            Some(slot) => *slot = row,
            None => {
                place.insert(key, kept.len());
                kept.push(row);
            }
        }
    }
    *rows = kept;
}

/// Cuts a list into the fixed sizes of [`CHUNKS`].
fn chunks<T>(list: &[T]) -> Vec<&[T]> {
    let mut rest = list;
    let mut parts = Vec::new();
    for size in CHUNKS {
        while rest.len() >= size {
            let (part, tail) = rest.split_at(size);
            parts.push(part);
            rest = tail;
        }
    }
    parts
}
