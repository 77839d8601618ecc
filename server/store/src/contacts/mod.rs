//! Rows of the department of contacts.

pub mod cards;
pub mod channel_state;
pub mod channels;
pub mod companies;
pub mod conversations;
pub mod crm;
pub mod crm_acts;
pub mod facts;
pub mod identities;
pub mod imports;
pub mod link_codes;
pub mod links;
pub mod lookups;
pub mod merges;
pub mod moves;
pub mod notes;
pub mod proposals;
pub mod quality;
pub mod queue;
pub mod resolution;
pub mod sources;
pub mod splits;
pub mod stages;
pub mod suggestions;
pub mod tags;
pub mod timeline;
pub mod versions;
pub mod visitors;
pub mod webhooks;
pub mod widgets;
pub mod windows;

#[cfg(test)]
mod tests;
