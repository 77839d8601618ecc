//! Claims about conversations with customers: their rooms, the backstage rule, commands, what is kept,
//! the queue, the company API, whose arrivals are, and webhooks.

mod api;
mod backstage;
mod channels;
mod commands;
mod crm;
mod files;
mod gaps;
mod kept;
mod lookup;
mod merging;
mod mixed;
mod opening;
mod page;
mod past;
mod quality;
mod queue;
mod replay;
mod resolution;
mod same;
pub(crate) mod size;
mod splitting;
mod stage;
mod story;
mod strangers;
mod suggesting;
pub(crate) mod support;

mod webhooks;
