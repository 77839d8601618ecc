//! Department flows.

/// Entry.
pub struct Flows {}
