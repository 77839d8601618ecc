//! The mouth to the outside world: every connection that the server itself opens begins here, and
//! what all listeners owe to those who connect.
//!
//! It knows how to speak (HTTP, and whom to trust on the way), where it may not go ([`IpRange`]s),
//! and that a sender is heard out ([`Unread`]); what is said, and what an answer means, is its
//! callers' business. Departments and flows do not name this crate: they state what they need as
//! small traits, and the binary's adapters fulfil them with what is here. Rules of Matrix, SQL and
//! listeners may not enter.

pub mod authorities;
pub mod outbound;
pub mod ranges;
mod resolver;
pub mod smtp;
pub mod unread;

pub use authorities::Authorities;
pub use outbound::{Answer, Ask, Outbound, Unheard};
pub use ranges::{Denied, IpRange};
pub use unread::Unread;
