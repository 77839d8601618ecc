//! Department media.

/// Entry.
pub struct Media {}
