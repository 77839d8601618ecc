//! Rows and queries of rooms: hot state, events, state, memberships, visibility.

pub mod events;
pub mod head;
pub mod members;
pub mod receipts;
pub mod state;
pub mod unread;
