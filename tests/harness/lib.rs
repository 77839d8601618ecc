//! Everything a test needs to talk to a real homeserver: starting and ending the `kontor`
//! binary, a private PostgreSQL, and a tiny Matrix client. What does not belong here: claims
//! about Kontor. Those are tests, in the folders beside this one.
//!
//! Two ways in:
//! - [`both_databases!`] lists claims that take a [`Homeserver`]: one long-lived server per
//!   database, shared by all tests of the process; every test makes its own users and rooms.
//! - [`on_each_database!`] lists claims that take a [`Db`] and start servers of their own with
//!   [`Server::start`]: whatever restarts, kills or reconfigures.
//!
//! With `KONTOR_TEST_URL` and `KONTOR_TEST_SHARED_SECRET` set, the first kind runs against that
//! homeserver instead (any implementation), which checks the claims themselves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "this is test code: failing loudly is its purpose"
)]

mod bridge;
mod claims;
mod client;
mod config;
pub mod conformance;
mod homeserver;
mod http;
mod mail;
mod postgres;
mod recorder;
mod response;
mod scratch;
mod server;
mod shared;
mod wait;

pub use bridge::{Bridge, SECRET};
pub use claims::{full_tier, run_claim, run_shared_claim, skip};
pub use client::{Client, enc, timeline};
pub use config::{Db, Setting};
pub use homeserver::Homeserver;
pub use mail::{Letter, MailServer, settings_for as mail_settings};
pub use postgres::{Cluster, StopMode};
pub use recorder::Recorder;
pub use response::Response;
pub use scratch::Scratch;
pub use server::{Server, binary, free_port, free_ports, program};
pub use shared::other_homeserver;
pub use wait::{DEADLINE, eventually, wait_until};

#[doc(hidden)]
pub use serde_json;
