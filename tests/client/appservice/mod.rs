//! Claims about application services: what they may do, and what they are told.

mod acting;
mod extras;
mod files;
mod names;
mod outages;
mod queries;
mod setup;
mod support;
mod told;
