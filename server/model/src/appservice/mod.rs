//! Application services: programs that speak for users of another network (application service
//! API). Here is what one is and which names are its own: plain data and matching, nothing that
//! reads files, asks anybody or remembers who is registered.

mod definition;
mod namespace;

pub use definition::{Definition, Namespaces};
pub use namespace::{Names, Pattern};

use crate::{Secret, ids};
use ruma::{OwnedServerName, OwnedUserId, RoomAliasId, ServerName};
use std::sync::Arc;

/// Longest id, bytes: it names rows in the archive.
const LONGEST_ID: usize = 128;
/// Longest token, bytes.
const LONGEST_TOKEN: usize = 1_024;
/// Protocols that one may speak for.
const MOST_PROTOCOLS: usize = 100;

/// A registered application service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its unique name.
    pub id: Arc<str>,
    /// Where it is told of events, without a trailing slash; `None` = it wants to hear nothing.
    pub url: Option<String>,
    /// With which the server proves itself to it.
    pub hs_token: Secret<String>,
    /// The user that it is when it names no other.
    pub sender: OwnedUserId,
    /// Whether its users are held to request budgets; its own user never is.
    pub rate_limited: bool,
    /// Whether it is told of receipts, typing, presence and messages to devices.
    pub ephemeral: bool,
    /// Whether it is told of device lists and key counts (MSC3202).
    pub devices: bool,
    /// Networks that it answers look-ups for.
    pub protocols: Vec<String>,
    /// Its users; of this server only.
    pub users: Names,
    /// Its aliases.
    pub aliases: Names,
    /// Rooms that it watches, by id.
    pub rooms: Names,
    /// Whether it stands in a file of the operator's; else it was set up while the server ran.
    pub from_file: bool,
    /// This server's name: users of others are nobody's here.
    server_name: OwnedServerName,
}

impl Service {
    /// Makes a service of its definition.
    ///
    /// # Errors
    /// Everything that is wrong with it, a sentence each.
    pub fn new(
        definition: &Definition,
        server_name: &ServerName,
        from_file: bool,
    ) -> Result<Self, Vec<String>> {
        let mut wrong = definition.faults();
        let mut names = |what: &str, patterns: &[Pattern]| match Names::new(patterns) {
            Ok(names) => names,
            Err(faults) => {
                wrong.extend(faults.into_iter().map(|fault| format!("namespaces.{what}: {fault}")));
                Names::default()
            }
        };
        let namespaces = &definition.namespaces;
        let (users, aliases) = (names("users", &namespaces.users), names("aliases", &namespaces.aliases));
        let rooms = names("rooms", &namespaces.rooms);
        let sender = ids::new_user_id(&definition.sender_localpart, server_name);
        let sender = match sender {
            Ok(sender) if wrong.is_empty() => sender,
            Ok(_) => return Err(wrong),
            Err(_) => {
                wrong.push(format!(
                    "sender_localpart: \"{}\" cannot be the name of a user; take small letters, digits and . _ - = / +",
                    definition.sender_localpart
                ));
                return Err(wrong);
            }
        };
        Ok(Self {
            id: definition.id.as_str().into(),
            url: definition.url.as_deref().map(|url| url.trim_end_matches('/').to_owned()),
            hs_token: definition.hs_token.clone(),
            sender,
            rate_limited: definition.rate_limited.unwrap_or(false),
            ephemeral: definition.receive_ephemeral.unwrap_or(false),
            devices: definition.device_lists.unwrap_or(false),
            protocols: definition.protocols.clone(),
            users,
            aliases,
            rooms,
            from_file,
            server_name: server_name.to_owned(),
        })
    }

    /// Whether a user is one of its own: of this server and in its namespaces, or itself.
    pub fn has_user(&self, user_id: &str) -> bool {
        user_id == self.sender.as_str() || (self.is_local(user_id) && self.users.has(user_id))
    }

    /// Whether a user is its own and nobody else's.
    pub fn owns_user(&self, user_id: &str) -> bool {
        user_id == self.sender.as_str() || (self.is_local(user_id) && self.users.owns(user_id))
    }

    /// Whether an alias is in its namespaces.
    pub fn has_alias(&self, alias: &RoomAliasId) -> bool {
        self.aliases.has(alias.as_str())
    }

    /// Whether an alias is its own and nobody else's.
    pub fn owns_alias(&self, alias: &RoomAliasId) -> bool {
        self.aliases.owns(alias.as_str())
    }

    fn is_local(&self, user_id: &str) -> bool {
        user_id.split_once(':').is_some_and(|(_, server)| server == self.server_name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(text: &str) -> Definition {
        serde_json::from_str(text).unwrap()
    }

    fn bridge(namespaces: &str) -> Result<Service, Vec<String>> {
        let text = format!(
            r#"{{"id":"irc","url":"http://127.0.0.1:1/","as_token":"a","hs_token":"h",
                 "sender_localpart":"ircbot","namespaces":{namespaces}}}"#
        );
        Service::new(&definition(&text), <&ServerName>::try_from("x.example").unwrap(), true)
    }

    #[test]
    fn users_of_other_servers_are_nobodys() {
        let service = bridge(r#"{"users":[{"exclusive":true,"regex":"@_irc_.*"}]}"#).unwrap();
        assert!(service.owns_user("@_irc_anna:x.example") && service.has_user("@_irc_anna:x.example"));
        assert!(!service.has_user("@_irc_anna:y.example"));
        assert!(!service.has_user("@anna:x.example"));
        assert!(service.owns_user("@ircbot:x.example"), "its own user needs no namespace");
        assert_eq!(service.url.as_deref(), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let wrong = bridge(r#"{"users":[{"exclusive":true,"regex":"@(?!bot).*"}],"rooms":[{"regex":"("}]}"#);
        let wrong = wrong.unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(wrong[0].starts_with("namespaces.users: ") && wrong[1].starts_with("namespaces.rooms: "));
        let huge = format!(r#"{{"users":[{{"exclusive":true,"regex":"{}"}}]}}"#, "(a{500}){500}");
        assert!(bridge(&huge).is_err(), "a pattern may not eat the memory");
    }

    #[test]
    fn names_that_are_no_names_are_refused() {
        let text = r#"{"id":"","url":"ftp://x","as_token":"","hs_token":"h","sender_localpart":"A B",
                       "namespaces":{}}"#;
        let server = <&ServerName>::try_from("x.example").unwrap();
        let wrong = Service::new(&definition(text), server, true).unwrap_err();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
    }
}
