//! Requests between which nothing happened: what they are answered is known without asking the
//! archive, and without looking at all rooms again.

use super::answer::{AccountData, Answer, ByRoom, Encryption, Extensions, List, Messages};
use super::request::{OfRooms, Request};
use super::told::Place;
use super::{Outcome, Start};
use crate::Flows;
use crate::encryption::{DeviceLists, KeyCounts};
use kontor_model::{Nid, Requester};
use kontor_store::Stream;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An answer without news, to a request for the same as before.
#[derive(Clone)]
pub(super) struct Quiet {
    /// What was asked for.
    pub digest: u64,
    /// Lengths of the lists.
    pub lists: Arc<BTreeMap<String, usize>>,
    /// How the device's keys stand, if that is wanted.
    pub keys: Option<Arc<KeyCounts>>,
    /// Where messages to the device go on, if those are wanted.
    pub messages: Option<String>,
}

impl Flows {
    /// The answer when nothing happened that concerns the reader since a request for the same was
    /// answered: then the archive need not be asked, nor all rooms be looked at again.
    pub(super) fn quiet(&self, requester: &Requester, request: &Request, start: &Start) -> Option<Outcome> {
        let quiet = start.lately.quiet.as_ref().filter(|quiet| quiet.digest == request.digest())?;
        let told = start.token?.at;
        if request.messages_since() != quiet.messages.as_deref() {
            return None;
        }
        let ephemeral = self.rooms.typing.counter();
        let until = self.store.log().newest();
        let news = self.store.log().between(told.pos, until)?;
        let known = self.sliding.directories.get(&requester.user)?;
        let rooms = &known.directory().entries;
        let concerns = |entry: &kontor_store::log::Entry| {
            entry.row.user == Some(requester.user)
                || entry.row.room.is_some_and(|room| rooms.contains_key(&room))
                || (entry.row.stream == Stream::DeviceList && quiet.keys.is_some())
        };
        let process = self.rooms.typing.process();
        let types = |room: &Nid| rooms.contains_key(room);
        if told.process != process
            || news.iter().any(concerns)
            || self.rooms.typing.changed_since(told.ephemeral).iter().any(types)
        {
            return None;
        }
        Some(Outcome {
            answer: quiet.answer(request),
            // The archive may be ahead of what this process heard of it.
            at: Place { pos: until.max(told.pos), ephemeral, process },
            next: None,
            members: Arc::clone(&start.lately.members),
            watched: known.directory().watched().collect(),
            settled: true,
        })
    }
}

impl Quiet {
    /// What to answer next time, should nothing happen.
    pub fn after(request: &Request, answer: &Answer) -> Option<Self> {
        let messages = answer.extensions.to_device.as_ref();
        if messages.is_some_and(|messages| !messages.events.is_empty()) {
            return None;
        }
        Some(Self {
            digest: request.digest(),
            lists: Arc::new(answer.lists.iter().map(|(name, list)| (name.clone(), list.count)).collect()),
            keys: answer.extensions.e2ee.as_ref().map(|e2ee| Arc::clone(&e2ee.keys)),
            messages: messages.map(|messages| messages.next_batch.clone()),
        })
    }

    fn answer(&self, request: &Request) -> Answer {
        let on = |extension: &Option<OfRooms>| extension.as_ref().is_some_and(|e| e.enabled == Some(true));
        let wanted = &request.extensions;
        let none = || ByRoom { rooms: BTreeMap::new() };
        let encryption = |keys: &Arc<KeyCounts>| Encryption {
            device_lists: DeviceLists::default(),
            keys: Arc::clone(keys),
            keys_changed: false,
        };
        let messages = self.messages.clone();
        let extensions = Extensions {
            to_device: messages.map(|next_batch| Messages { next_batch, events: Vec::new() }),
            e2ee: self.keys.as_ref().map(encryption),
            account_data: on(&wanted.account_data).then(AccountData::default),
            receipts: on(&wanted.receipts).then(none),
            typing: on(&wanted.typing).then(none),
        };
        let lists = self.lists.iter().map(|(name, count)| (name.clone(), List { count: *count }));
        Answer { lists: lists.collect(), extensions, ..Answer::default() }
    }
}
