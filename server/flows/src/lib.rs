//! Procedures across departments: posting into rooms, making rooms, sync.
//!
//! A flow asks departments, joins the changes that they return with the audit row of the act, and
//! submits them as one transaction. Rules of a single department may not enter, nor SQL, nor
//! status codes.

mod aggregate;
pub mod alias;
pub mod appservice;
pub mod caller;
mod carry;
pub mod conversation;
pub mod create_room;
pub mod crm;
pub mod delayed;
pub mod departure;
pub mod discovery;
pub mod encryption;
pub mod history;
pub(crate) mod invite_rules;
pub mod mail;
pub mod membership;
pub mod mutual_rooms;
pub mod notices;
pub mod notifications;
pub mod notify;
pub mod open_conversation;
pub mod peek;
mod people;
pub mod post;
mod presence;
pub mod preview;
pub mod profile_change;
pub mod push;
pub mod redact;
pub mod relations;
pub mod report;
pub mod room_state;
pub mod search;
pub mod send;
pub mod sliding;
pub mod state;
pub mod sync;
mod turn;
pub mod upgrade;
pub mod user_directory;

use kontor_contacts::Contacts;
use kontor_identity::Identity;
use kontor_model::{Clock, Random};
use kontor_rooms::{Judge, Rooms};
use kontor_store::Store;
use ruma::OwnedServerName;
use std::sync::Arc;

/// What flows need to know of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This server's name.
    pub server_name: OwnedServerName,
    /// Base URL that clients use, without a trailing slash.
    pub public_base_url: String,
    /// Version of rooms that are created without naming one.
    pub default_room_version: String,
    /// Whether only a member of a room may give it an alias.
    pub alias_needs_membership: bool,
    /// Whether only administrators may show a room in the room directory.
    pub only_admins_publish: bool,
    /// Whether the user directory shows everybody to everybody, not only those whom one knows of by
    /// their rooms.
    pub directory_shows_everybody: bool,
    /// Whether whoever leaves a room has forgotten it at once.
    pub forget_on_leave: bool,
    /// Whether backstage rooms get a widget that shows the customer's card.
    pub card_widget: bool,
}

/// The procedures. One per process.
pub struct Flows {
    /// The archive.
    pub store: Store,
    /// Department of rooms.
    pub rooms: Arc<Rooms>,
    /// Department of accounts.
    pub identity: Arc<Identity>,
    /// Department of contacts.
    pub contacts: Arc<Contacts>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Configuration.
    pub settings: Settings,
    /// Tells which events are news for the members of a room.
    pub judge: Arc<dyn Judge>,
    /// The way out for letters.
    pub mail: mail::Mail,
    /// Where the sweep over notifications stands.
    pub swept: notifications::Sweep,
    /// Events that are sent later.
    pub delayed: delayed::Delayed,
    /// What transaction ids did lately.
    pub repeats: post::Repeats,
    /// When rooms were made.
    pub moments: create_room::Moments,
    /// How application services are reached.
    pub services: appservice::Ways,
    /// What is remembered of sliding sync.
    pub sliding: sliding::Memory,
    /// The people of the house, for the user directory.
    pub people: user_directory::People,
    /// What sessions were told last.
    pub memos: sync::memo::Memos,
    /// What sessions' devices were told last.
    pub inboxes: encryption::Inboxes,
    /// Set when the server stops: long polls end.
    pub stop: tokio::sync::watch::Sender<bool>,
}

impl Flows {
    /// Ends long polls: the server stops.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Returns when the server stops.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

#[cfg(test)]
mod testing;
