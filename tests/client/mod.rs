//! Claims about the client-server API. Each takes a [`harness::Homeserver`] that it shares with
//! others: users and rooms are its own.

mod accounts;
mod backup;
mod discovery;
mod calls;
mod delayed;
mod directory;
mod encryption;
mod errors;
mod history;
mod invitations;
mod mail;
mod media;
mod reports;
mod relations;
mod rooms;
mod moderation;
mod notices;
mod presence;
mod previews;
mod push;
mod search;
mod sliding;
mod support;
mod sync;
mod talking;
mod upgrade;
mod website;
