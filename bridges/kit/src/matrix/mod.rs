//! The way to the homeserver: an application service's own calls, and the company's.
//!
//! What is said there and when is decided elsewhere.

mod client;
mod directory;

pub(crate) use client::{As, HomeError, Homeserver};
pub(crate) use directory::CompanyApi;
pub use directory::{Directory, HealthReport, Opened, Opening};
