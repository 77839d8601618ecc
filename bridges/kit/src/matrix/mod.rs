//! The way to the homeserver: an application service's own calls, and the company's.
//!
//! What is said there and when is decided elsewhere.

mod client;
mod directory;

pub(crate) use client::{HomeError, Homeserver};
pub use directory::{Directory, HealthReport, Opened, Opening};
