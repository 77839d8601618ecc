//! The language of the house: identifiers, events, room-version rules, positions, errors, clock.
//!
//! Everything here is plain data and pure functions. No IO, no SQL, no async runtime, no reading of
//! a clock and no source of randomness may enter: both are passed in as [`Clock`] and [`Random`].

pub mod appservice;
pub mod clock;
pub mod draft;
pub mod error;
pub mod filter;
pub mod fold;
pub mod glob;
pub mod guard;
pub mod ids;
pub mod json;
pub mod language;
pub mod path;
pub mod pdu;
pub mod position;
pub mod random;
pub mod requester;
pub mod room_version;
pub mod secret;

pub use clock::Clock;
pub use draft::Draft;
pub use error::{Code, Error, Result};
pub use guard::Guard;
pub use language::Language;
pub use pdu::{Pdu, SignedPdu};
pub use position::{Pos, SyncToken};
pub use random::Random;
pub use requester::Requester;
pub use room_version::RoomVersion;
pub use secret::Secret;

/// Numeric id of a row; Matrix ids are turned into these once, at the edge.
pub type Nid = i64;

/// Milliseconds since the Unix epoch.
pub type Ms = i64;
