//! Rows and queries of rooms: hot state, events, state, memberships, visibility.

pub mod alias;
pub mod cache;
pub mod card;
pub mod chain_reads;
pub mod company;
pub mod delayed;
pub mod events;
pub mod face;
pub mod head;
pub mod members;
pub mod moments;
pub mod mutual;
pub mod notified;
pub mod plain;
pub mod pushed;
pub mod receipts;
pub mod received;
pub mod redaction;
pub mod relations;
pub mod report;
pub mod roster;
pub mod served;
pub mod snapshots;
pub mod state;
pub mod unread;
