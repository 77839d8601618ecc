//! The event pipeline, driven with signed events of invented servers; no database, no network.

mod forks;
mod history;
mod gaps;
mod house;
mod receiving;
mod redactions;
mod resolution;
mod rules;
mod stored;
mod vectors;
mod versions;
mod world;
