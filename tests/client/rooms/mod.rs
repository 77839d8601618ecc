//! Rooms: how they are made, who gets in and out, their state, what is sent into them.

mod aliases;
mod create;
mod joining;
mod members;
mod memberships;
mod redaction;
mod sending;
mod state;
mod versions;
