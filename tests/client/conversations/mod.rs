//! Claims about conversations with customers: their rooms, the backstage rule, commands, what is kept,
//! the queue, the company API, whose arrivals are, and webhooks.

mod api;
mod backstage;
mod commands;
mod gaps;
mod kept;
mod lookup;
mod merging;
mod opening;
mod page;
mod queue;
mod replay;
mod resolution;
pub(crate) mod size;
pub(crate) mod support;
mod webhooks;
