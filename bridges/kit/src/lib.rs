//! Everything that bridges have in common: the inbox that is committed before anything is acknowledged,
//! lanes, the outbox with its delivery ladder, media, dead letters, health, and the way to the homeserver.
//!
//! A network is a [`Channel`]: it reads and writes the provider's wire format and knows nothing else. It has
//! no storage, no retry loop, no Matrix and no clock of its own. Networks may not enter here, and only
//! `db` knows SQL, only `web` knows axum and status codes.

pub mod channel;
pub mod config;
pub mod context;
mod db;
mod engine;
mod files;
mod health;
pub mod html;
mod ids;
mod inbound;
mod json;
pub mod ladder;
mod lanes;
mod matrix;
mod outbound;
pub mod outward;
pub mod proof;
mod retry;
mod run;
mod seal;
pub mod steps;
#[cfg(test)]
mod testing;
mod text;
mod upkeep;
mod waiters;
mod web;

pub use channel::*;
pub use config::{Config, Machine};
pub use context::{Context, JournalEntry};
pub use ladder::{Failure, FailureKind, Rung, Standing};
pub use matrix::{Directory, HealthReport, Opened, Opening};
pub use outward::{Call, CallError, Outward, Response};
pub use retry::Buckets;
pub use run::run;
