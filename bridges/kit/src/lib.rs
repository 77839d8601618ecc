//! Everything that bridges have in common: the inbox that is committed before anything is acknowledged,
//! lanes, the outbox with its delivery ladder, media, dead letters, health, and the way to the homeserver.
//!
//! A network is a [`Channel`]: it reads and writes the provider's wire format and knows nothing else. It has
//! no storage, no retry loop, no Matrix and no clock of its own. Networks may not enter here, and only
//! `db` knows SQL, only `web` knows axum and status codes.

pub mod channel;
pub mod context;
mod db;
mod files;
mod ids;
pub mod ladder;
mod matrix;
pub mod outward;
mod seal;
#[cfg(test)]
mod testing;
mod waiters;

pub use channel::*;
pub use context::{Context, JournalEntry};
pub use ladder::{Failure, FailureKind, Rung, Standing};
pub use matrix::{Directory, HealthReport, Opened, Opening};
