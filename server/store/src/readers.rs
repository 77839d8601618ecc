//! Connections for reading, kept at hand. What is asked on them is not known here.
//!
//! sqlx's pool asks a connection whether it lives each time that it comes back, which costs as much as most of our
//! statements do. Here a connection whose statement went well waits for the next one; any other goes back to the
//! pool, which looks at it.

use crate::db::unavailable;
use kontor_model::Result;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, SqlSafeStr, Transaction};
use std::sync::{Arc, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections for reading.
#[derive(Clone)]
pub(crate) struct Readers {
    pool: AnyPool,
    /// Those that wait, the last used last.
    idle: Arc<Mutex<Vec<PoolConnection<Any>>>>,
    free: Arc<Semaphore>,
}

/// A connection that is read with. Dropped, it goes back to the pool.
pub(crate) struct Lent {
    readers: Readers,
    connection: PoolConnection<Any>,
    place: OwnedSemaphorePermit,
}

/// A transaction that is read in. Dropped, it ends, and its connection goes back to the pool.
pub(crate) struct Moment {
    transaction: Transaction<'static, Any>,
    _place: OwnedSemaphorePermit,
}

impl Readers {
    /// Hands out the connections of a pool, at most `count` at once.
    pub fn new(pool: AnyPool, count: usize) -> Self {
        Self { pool, idle: Arc::default(), free: Arc::new(Semaphore::new(count)) }
    }

    /// The pool that they come from.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// A connection; waits while all are in use.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn take(&self) -> Result<Lent> {
        let place = Arc::clone(&self.free).acquire_owned().await;
        let place = place.map_err(|_| unavailable(sqlx::Error::PoolClosed))?;
        let waiting = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let connection = match waiting {
            Some(connection) => connection,
            None => self.pool.acquire().await.map_err(unavailable)?,
        };
        Ok(Lent { readers: self.clone(), connection, place })
    }

    /// Waits until all came back, and closes them.
    pub async fn close(&self) {
        self.free.close();
        self.let_go();
        self.pool.close().await;
    }

    /// Gives those that wait back to the pool.
    pub fn let_go(&self) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.clear();
        }
    }
}

impl Lent {
    /// The connection.
    pub fn connection(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }

    /// Begins a transaction by a statement.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn begin(self, statement: &'static str) -> Result<Moment> {
        let Self { connection, place, .. } = self;
        let transaction =
            Transaction::begin(connection, Some(statement.into_sql_str())).await.map_err(unavailable)?;
        Ok(Moment { transaction, _place: place })
    }

    /// The connection did all it was asked: the next reader may have it as it is.
    pub fn keep(self) {
        let Self { readers, connection, .. } = self;
        if let Ok(mut idle) = readers.idle.lock()
            && !readers.free.is_closed()
        {
            idle.push(connection);
        }
    }
}

impl Moment {
    /// The connection.
    pub fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }
}
