//! Rows of the department of contacts.

pub mod cards;
pub mod channel_state;
pub mod channels;
pub mod conversations;
pub mod identities;
pub mod links;
pub mod lookups;
pub mod merges;
pub mod moves;
pub mod notes;
pub mod queue;
pub mod resolution;
pub mod suggestions;
pub mod versions;
pub mod webhooks;
pub mod widgets;
pub mod windows;

#[cfg(test)]
mod tests;
