//! What every handler can reach.

use kontor_contacts::Contacts;
use kontor_flows::Flows;
use kontor_identity::Identity;
use kontor_media::Media;
use kontor_model::{Clock, Random, Secret};
use kontor_rooms::Rooms;
use kontor_store::Store;
use ruma::OwnedServerName;
use std::sync::Arc;

/// The house, as the front door sees it. Made once by the binary.
pub struct App {
    /// The archive.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Department of rooms.
    pub rooms: Arc<Rooms>,
    /// Department of accounts.
    pub identity: Arc<Identity>,
    /// Department of contacts.
    pub contacts: Arc<Contacts>,
    /// Department of files.
    pub media: Arc<Media>,
    /// Procedures across departments.
    pub flows: Arc<Flows>,
    /// Previews of links, where the operator wants them.
    pub previews: Option<Arc<kontor_flows::preview::Previews>>,
    /// Configuration of the front door itself.
    pub settings: Settings,
    /// Request budgets per caller.
    pub limits: crate::middleware::Limits,
    /// Answers of `/sync` that were given a moment ago.
    pub again: crate::again::Again,
}

/// Configuration of the front door.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's name, the part after the colon of its user ids.
    pub server_name: OwnedServerName,
    /// Base URL that clients use, without a trailing slash.
    pub public_base_url: String,
    /// Whether request budgets are enforced.
    pub rate_limits: bool,
    /// Largest body of requests that are not uploads, bytes.
    pub body_limit: usize,
    /// Version of rooms that are created without naming one.
    pub default_room_version: String,
    /// Whether the room directory can be read without logging in.
    pub public_rooms_without_login: bool,
    /// Whether whoever leaves a room has forgotten it at once.
    pub forget_on_leave: bool,
    /// Whom to ask for help.
    pub support: Support,
    /// Servers for calls.
    pub calls: Calls,
    /// Matrix clients that may show a card in a frame, by their addresses.
    pub card_clients: Vec<String>,
}

/// Whom to ask for help (client-server API, "GET /.well-known/matrix/support").
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Support {
    /// People.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
    /// A page for the server's users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub support_page: Option<String>,
}

/// Somebody who can be asked.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Contact {
    /// What for, such as `m.role.admin`.
    pub role: String,
    /// A Matrix address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix_id: Option<String>,
    /// An e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_address: Option<String>,
}

/// Servers for calls that people are told of.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// Where the authorisation services of LiveKit servers are reached, the preferred one first.
    pub livekit: Vec<String>,
    /// Addresses of TURN servers.
    pub turn_uris: Vec<String>,
    /// How they are used.
    pub turn_credentials: Option<TurnCredentials>,
    /// How long credentials hold, seconds.
    pub turn_lifetime: u32,
    /// Whether guests are given credentials.
    pub turn_for_guests: bool,
}

/// How TURN servers are used.
#[derive(Clone, Debug)]
pub enum TurnCredentials {
    /// By a secret that they share, from which everybody is given a password for a limited time.
    Shared(Secret<String>),
    /// By a user name and a password that everybody is told.
    Fixed(String, Secret<String>),
}
