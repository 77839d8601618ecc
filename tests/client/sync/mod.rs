//! `/sync`: what it tells, what it leaves out, when it waits, and what its tokens are good for.

mod again;
mod alike;
mod ending;
mod ephemeral;
mod filters;
mod first;
mod gaps;
mod lazy;
mod model;
mod sections;
mod state_after;
mod tokens;
mod unread;
mod waiting;
