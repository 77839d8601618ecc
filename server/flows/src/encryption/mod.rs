//! End-to-end encryption where rooms and devices meet: what a session is told of devices (its own
//! keys, messages for it, other people's device lists), and telling rooms that somebody's devices
//! changed. `/sync` and sliding sync read through the same doors.
//!
//! What keys must look like is the department of accounts' business and may not enter.

mod changed;
mod inbox;
mod lists;

pub use inbox::{Inboxes, KeyCounts, News, ToDevice, Wanted};
pub use lists::DeviceLists;

/// Messages to a device that one answer tells at most, as the specification recommends.
pub const MESSAGES: i64 = 100;
