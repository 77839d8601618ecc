//! Which rooms are whose: pure bookkeeping of when users of application services were in a room.
//!
//! An event is of interest when a user of the service was joined at its place (application service
//! API, "Registration"), not when one is joined at the time of looking: a service that was away hears
//! what happened while its users were there.

use kontor_model::Nid;
use kontor_model::appservice::Service;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// When the users of one service were in a room.
#[derive(Debug, Default)]
pub(super) struct Stay {
    /// By user: from which place on they were joined, or were not.
    users: HashMap<Nid, BTreeMap<i64, bool>>,
    /// How many are joined now.
    joined: usize,
    /// Place of the newest change.
    newest: i64,
}

impl Stay {
    /// Notes a change; one that is known already changes nothing.
    pub fn note(&mut self, user: Nid, ord: i64, joined: bool) {
        let turns = self.users.entry(user).or_default();
        let before = turns.last_key_value().is_some_and(|(_, joined)| *joined);
        turns.insert(ord, joined);
        let after = turns.last_key_value().is_some_and(|(_, joined)| *joined);
        match (before, after) {
            (false, true) => self.joined += 1,
            (true, false) => self.joined = self.joined.saturating_sub(1),
            _ => {}
        }
        self.newest = self.newest.max(ord);
    }

    /// Whether any of them is joined once everything up to a place happened.
    pub fn at(&self, ord: i64) -> bool {
        if ord >= self.newest {
            return self.joined > 0;
        }
        let joined =
            |turns: &BTreeMap<i64, bool>| turns.range(..=ord).next_back().is_some_and(|(_, joined)| *joined);
        self.users.values().any(joined)
    }

    /// Whether any of them is joined now.
    pub fn now(&self) -> bool {
        self.joined > 0
    }

    /// How many users it knows of.
    pub fn size(&self) -> usize {
        self.users.len()
    }
}

/// What a room has to do with application services.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// Matrix id.
    pub room_id: Arc<str>,
    /// Services that watch it for its id or an alias.
    pub watchers: Vec<Arc<str>>,
    /// Whether no service hears anything of it, whoever is there: what is said backstage stays there.
    pub closed: bool,
    /// By service, when its users were there.
    pub stays: HashMap<Arc<str>, Stay>,
}

impl Ties {
    /// Of a room of this id with these aliases, nobody there yet.
    pub fn new(room_id: &str, aliases: &[String], services: &[Arc<Service>]) -> Self {
        let watches = |service: &&Arc<Service>| {
            service.rooms.has(room_id) || aliases.iter().any(|alias| service.aliases.has(alias))
        };
        let watchers = services.iter().filter(watches).map(|service| Arc::clone(&service.id)).collect();
        Self { room_id: room_id.into(), watchers, closed: false, stays: HashMap::new() }
    }

    /// Of a room of which no service hears anything.
    pub fn closed(room_id: &str) -> Self {
        Self { room_id: room_id.into(), closed: true, ..Self::default() }
    }

    /// Notes that a user joined or went, if it is a service's.
    pub fn note(&mut self, services: &[Arc<Service>], user: (Nid, &str), ord: i64, joined: bool) {
        if self.closed {
            return;
        }
        for service in services.iter().filter(|service| service.has_user(user.1)) {
            self.stays.entry(Arc::clone(&service.id)).or_default().note(user.0, ord, joined);
        }
    }

    /// Whether what happens at a place is of interest to a service because of the room.
    pub fn concerns(&self, service: &str, ord: i64) -> bool {
        self.watched(service) || self.stays.get(service).is_some_and(|stay| stay.at(ord))
    }

    /// Whether what happens now is.
    pub fn concerns_now(&self, service: &str) -> bool {
        self.watched(service) || self.stays.get(service).is_some_and(Stay::now)
    }

    /// Whether a place is of interest to any service.
    pub fn concerns_any(&self, ord: i64) -> bool {
        !self.watchers.is_empty() || self.stays.values().any(|stay| stay.at(ord))
    }

    fn watched(&self, service: &str) -> bool {
        self.watchers.iter().any(|watcher| **watcher == *service)
    }

    /// How much it remembers.
    pub fn size(&self) -> usize {
        1 + self.stays.values().map(Stay::size).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ruma::ServerName;

    fn service(id: &str, namespaces: &str) -> Arc<Service> {
        let text = format!(
            r#"{{"id":"{id}","url":null,"as_token":"a","hs_token":"h","sender_localpart":"{id}bot",
                 "namespaces":{namespaces}}}"#
        );
        let server = <&ServerName>::try_from("x").unwrap();
        Arc::new(Service::new(&serde_json::from_str(&text).unwrap(), server, true).unwrap())
    }

    #[test]
    fn a_room_is_a_services_while_one_of_its_users_is_there() {
        let services = [
            service("irc", r#"{"users":[{"regex":"@irc_.*"}]}"#),
            service("eye", r##"{"aliases":[{"regex":"#open_.*"}],"rooms":[{"regex":"!watched"}]}"##),
        ];
        let mut ties = Ties::new("!a", &[], &services);
        for (user, ord, joined) in [((1, "@irc_a:x"), 10, true), ((2, "@anna:x"), 11, true)] {
            ties.note(&services, user, ord, joined);
        }
        ties.note(&services, (1, "@irc_a:x"), 20, false);
        ties.note(&services, (3, "@ircbot:x"), 30, true);
        for (ord, concerns) in
            [(9, false), (10, true), (19, true), (20, false), (29, false), (30, true), (99, true)]
        {
            assert_eq!(ties.concerns("irc", ord), concerns, "{ord}");
            assert!(!ties.concerns("eye", ord));
        }
        assert!(ties.concerns_now("irc") && !ties.concerns_now("eye"));
        assert!(Ties::new("!watched", &[], &services).concerns("eye", 1));
        assert!(Ties::new("!b", &["#open_house:x".into()], &services).concerns_any(1));
        let mut closed = Ties::closed("!watched");
        closed.note(&services, (1, "@irc_a:x"), 10, true);
        assert!(!closed.concerns_any(20) && !closed.concerns_now("irc") && !closed.concerns_now("eye"));
    }

    proptest! {
        /// The count of those who are joined agrees with a look at everybody, in whatever order and
        /// however often changes are told.
        #[test]
        fn counting_agrees_with_looking(mut steps in prop::collection::vec((1..4_i64, any::<bool>()), 0..30), seed in any::<u64>()) {
            let mut numbered: Vec<(i64, i64, bool)> =
                steps.drain(..).enumerate().map(|(ord, (user, joined))| (user, ord as i64 + 1, joined)).collect();
            let in_order = numbered.clone();
            let shift = seed as usize % numbered.len().max(1);
            numbered.rotate_left(shift);
            let mut stay = Stay::default();
            for (user, ord, joined) in numbered.iter().chain(&in_order) {
                stay.note(*user, *ord, *joined);
            }
            for ord in 0..35 {
                let mut now: HashMap<i64, bool> = HashMap::new();
                for (user, _, joined) in in_order.iter().filter(|(_, at, _)| *at <= ord) {
                    now.insert(*user, *joined);
                }
                prop_assert_eq!(stay.at(ord), now.values().any(|joined| *joined));
            }
        }
    }
}
