//! Claims about the client-server API. Each takes a [`harness::Homeserver`] that it shares with
//! others: users and rooms are its own.

mod accounts;
mod appservice;
mod backup;
mod calls;
mod conversations;
mod delayed;
mod directory;
mod discovery;
mod encryption;
mod errors;
mod facts;
mod history;
mod idempotency;
mod invitations;
mod mail;
mod media;
mod moderation;
mod notices;
mod presence;
mod previews;
mod push;
mod relations;
mod reports;
mod rooms;
mod search;
mod sliding;
mod support;
mod sync;
mod talking;
mod upgrade;
pub(crate) mod website;
