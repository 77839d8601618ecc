//! Claims about conversations with customers: their rooms, the backstage rule, commands, what is kept,
//! the queue, the company API and webhooks.

mod api;
mod backstage;
mod commands;
mod gaps;
mod kept;
mod opening;
mod page;
mod queue;
mod size;
mod support;
mod webhooks;
