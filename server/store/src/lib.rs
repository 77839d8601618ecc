//! The archive in the basement: the only server crate that knows SQL.
//!
//! It keeps one order of everything that a client can see ([`log`]), writes through one task per
//! process with group commit ([`writer`]), and reads in snapshots ([`Snapshot`]). Departments hand
//! it [`Change`]s: plain data, no IO. What may not enter: rules of Matrix or of the company; this
//! crate stores what it is given and tells what it has.
//!
//! One folder per department holds its rows and its queries ([`rooms`], [`identity`], [`contacts`], [`media`]).

pub mod audit;
pub mod change;
pub mod check;
pub mod contacts;
mod db;
mod dialect;
mod direct;
pub mod follower;
pub mod identity;
mod lease;
pub mod log;
pub mod media;
mod meta;
mod migrate;
mod names;
pub mod outbox;
mod readers;
pub mod rooms;
#[cfg(test)]
mod schema_page;
pub mod search;
pub mod sliding;
mod table;
#[cfg(test)]
mod testing;
mod value;
mod writer;

pub use change::{Change, Guard, RoomStep, Stream};
pub use db::{Options, Reader, Snapshot, Source, Store};
pub use table::Table;
pub use value::{Row, Value};
pub use writer::{Committed, Receipt};
