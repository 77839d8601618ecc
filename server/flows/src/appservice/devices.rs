//! What the devices of a service's users need: messages to them (MSC4203), whose devices changed, and
//! how their own keys stand (MSC3202).

use super::desk::{Desk, Look, joins};
use kontor_model::appservice::Service;
use kontor_model::{Error, Nid, Result};
use kontor_store::Stream;
use kontor_store::identity::{device_lists, services};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// By user, device and algorithm.
type Counts = BTreeMap<String, BTreeMap<String, BTreeMap<String, i64>>>;
/// By user and device.
type Unused = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// The part of a transaction that is about devices.
#[derive(Default, Serialize)]
pub(super) struct Devices {
    #[serde(rename = "de.sorunome.msc2409.to_device", skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message>,
    #[serde(rename = "org.matrix.msc3202.device_lists", skip_serializing_if = "Lists::is_empty")]
    lists: Lists,
    #[serde(
        rename = "org.matrix.msc3202.device_one_time_keys_count",
        skip_serializing_if = "Counts::is_empty"
    )]
    counts: Counts,
    /// The same by the name that the proposal had before.
    #[serde(
        rename = "org.matrix.msc3202.device_one_time_key_counts",
        skip_serializing_if = "Counts::is_empty"
    )]
    old_counts: Counts,
    #[serde(
        rename = "org.matrix.msc3202.device_unused_fallback_key_types",
        skip_serializing_if = "Unused::is_empty"
    )]
    unused: Unused,
}

#[derive(Serialize)]
struct Message {
    to_user_id: String,
    to_device_id: String,
    sender: String,
    #[serde(rename = "type")]
    kind: String,
    content: Box<RawValue>,
}

#[derive(Default, Serialize)]
struct Lists {
    changed: BTreeSet<String>,
    left: BTreeSet<String>,
}

impl Lists {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.left.is_empty()
    }
}

impl Devices {
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.lists.is_empty() && self.counts.is_empty() && self.unused.is_empty()
    }
}

impl Desk {
    /// The part of a transaction that is about devices, and which messages it takes along.
    pub(super) async fn devices(&self, service: &Service, look: &Look) -> Result<(Devices, Vec<(Nid, i64)>)> {
        let mut devices = Devices::default();
        let handed_over = match service.ephemeral {
            true => self.messages(service, look, &mut devices).await?,
            false => Vec::new(),
        };
        if service.devices {
            self.lists(service, look, &mut devices.lists).await?;
            self.keys(service, look, &mut devices).await?;
        }
        Ok((devices, handed_over))
    }

    /// Messages to devices of users that belong to the service alone. A user whom others act as too
    /// picks them up by `/sync`.
    async fn messages(
        &self,
        service: &Service,
        look: &Look,
        devices: &mut Devices,
    ) -> Result<Vec<(Nid, i64)>> {
        let of = || look.entries.iter().filter(|entry| entry.row.stream == Stream::ToDevice);
        let names = self.names(of().filter_map(|entry| entry.row.user)).await?;
        let own = |user: &Nid| names.get(user).is_some_and(|name| service.owns_user(name));
        let places: Vec<(Nid, i64)> = of()
            .filter_map(|entry| Some((entry.row.user?, entry.pos)))
            .filter(|(user, _)| own(user))
            .collect();
        for message in services::messages(&mut self.flows.store.reader(), &places).await? {
            devices.messages.push(Message {
                to_user_id: message.user_id,
                to_device_id: message.device_id,
                sender: message.sender,
                kind: message.kind,
                content: RawValue::from_string(message.content).map_err(Error::internal)?,
            });
        }
        Ok(places)
    }

    /// Whose devices changed, of those who share a room with the service; who began to share one, and
    /// who ceased to.
    async fn lists(&self, service: &Service, look: &Look, lists: &mut Lists) -> Result<()> {
        let of = || look.entries.iter().filter(|entry| entry.row.stream == Stream::DeviceList);
        let rooms = self.rooms_of(service, of().filter_map(|entry| entry.row.room)).await?;
        let shared = |room: Option<Nid>| room.is_some_and(|room| rooms.contains_key(&room));
        let (mut changed, mut own): (HashSet<Nid>, HashSet<Nid>) = (HashSet::new(), HashSet::new());
        for entry in of() {
            if let Some(user) = entry.row.user {
                if shared(entry.row.room) { &mut changed } else { &mut own }.insert(user);
            }
        }
        let mut gone = HashSet::new();
        let mut entered = HashSet::new();
        for told in &look.events {
            let (Some(user), Some(name)) = (told.user, &told.row.state_key) else { continue };
            match (service.has_user(name), joins(&told.row)) {
                (true, true) => drop(entered.insert(told.row.room)),
                (false, true) => drop(changed.insert(user)),
                (false, false) => drop(gone.insert((user, name.as_str()))),
                (true, false) => {}
            }
        }
        if !entered.is_empty() {
            let entered: Vec<Nid> = entered.into_iter().collect();
            let members = device_lists::members(&mut self.flows.store.reader(), &entered).await?;
            changed.extend(members.into_iter().map(|(_, user)| user));
        }
        let names = self.names(changed.iter().chain(&own).copied()).await?;
        let named = |users: &HashSet<Nid>| -> Vec<String> {
            users.iter().filter_map(|user| Some(names.get(user)?.to_string())).collect()
        };
        lists.changed.extend(named(&own).into_iter().filter(|name| service.has_user(name)));
        lists.changed.extend(named(&changed));
        for (user, name) in gone {
            if !self.shares_a_room(service, user).await? {
                lists.changed.remove(name);
                lists.left.insert(name.to_owned());
            }
        }
        Ok(())
    }

    /// How the keys of the service's own users stand whose keys or inboxes changed.
    async fn keys(&self, service: &Service, look: &Look, devices: &mut Devices) -> Result<()> {
        let of = |entry: &&kontor_store::log::Entry| {
            matches!(entry.row.stream, Stream::KeyCounts | Stream::ToDevice)
        };
        let users = look.entries.iter().filter(of).filter_map(|entry| entry.row.user);
        let names = self.names(users).await?;
        let own: Vec<Nid> =
            names.iter().filter(|(_, name)| service.has_user(name)).map(|(user, _)| *user).collect();
        for row in services::key_counts(&mut self.flows.store.reader(), &own).await? {
            match row.one_time {
                Some(count) => {
                    let algorithm = row.algorithm.unwrap_or_default();
                    let of_device =
                        devices.counts.entry(row.user_id).or_default().entry(row.device_id).or_default();
                    of_device.insert(algorithm, count);
                }
                None => {
                    let of_user = devices.unused.entry(row.user_id).or_default();
                    of_user.entry(row.device_id).or_default().extend(row.algorithm);
                }
            }
        }
        devices.old_counts = devices.counts.clone();
        Ok(())
    }
}
