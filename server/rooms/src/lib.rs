//! Department rooms.

/// Entry.
pub struct Rooms {}
