//! Rows of the department of contacts.

pub mod cards;
pub mod channels;
pub mod companies;
pub mod conversations;
pub mod crm;
pub mod facts;
pub mod identities;
pub mod imports;
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
pub mod suggestions;
pub mod tags;
pub mod versions;
pub mod webhooks;
pub mod widgets;

#[cfg(test)]
mod tests;
