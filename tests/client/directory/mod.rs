//! Finding people, and the rooms that one is in with them.

mod mutual;
mod people;
