//! Who is online, in the memory of this process and nowhere else: each process knows those whose
//! clients talk to it.
//!
//! A stamp, which the caller counts, orders changes for `/sync`; nobody is woken for one.

use crate::{Identity, lock};
use kontor_model::{Error, Ms, Nid, Requester, Result};
use ruma::OwnedUserId;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Mutex;

/// People remembered, about 250 bytes each.
const MOST: usize = 10_000;
/// Without an act of theirs for so long, people are idle.
const IDLE: Ms = 5 * 60 * 1000;
/// Without a sync for so long, people are offline: longer than the longest wait of one.
const GONE: Ms = 3 * 60 * 1000;
/// How often it is looked who became idle or went.
const LOOK: Ms = 1_000;
/// Longest status message, bytes.
const LONGEST_MESSAGE: usize = 512;

/// Whether somebody can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// At work.
    Online,
    /// Idle.
    Unavailable,
    /// Not there, or not wanting to be seen.
    #[default]
    Offline,
}

/// What others see of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who it is.
    pub user_id: OwnedUserId,
    /// Whether they can be reached.
    pub status: Status,
    /// What they say about it.
    pub message: Option<String>,
    /// How long ago they did something, if that is known.
    pub active_ago: Option<Ms>,
}

impl Seen {
    /// The content of `m.presence`.
    pub fn content(&self) -> Map<String, Value> {
        let status = serde_json::to_value(self.status).unwrap_or_default();
        let mut content = Map::from_iter([("presence".to_owned(), status)]);
        if let Some(ago) = self.active_ago {
            content.insert("last_active_ago".to_owned(), ago.into());
        }
        if let Some(message) = &self.message {
            content.insert("status_msg".to_owned(), message.as_str().into());
        }
        if self.status == Status::Online {
            let now = self.active_ago.is_some_and(|ago| ago < IDLE);
            content.insert("currently_active".to_owned(), now.into());
        }
        content
    }
}

struct Person {
    user_id: OwnedUserId,
    /// What their client asked for last.
    wish: Status,
    message: Option<String>,
    active_ts: Option<Ms>,
    synced_ts: Ms,
    /// What others were told last, and the stamp of it.
    told: Status,
    stamp: u64,
}

impl Person {
    fn status(&self, now: Ms) -> Status {
        let idle = self.active_ts.is_none_or(|active| now - active >= IDLE);
        match self.wish {
            _ if now - self.synced_ts >= GONE => Status::Offline,
            Status::Online if idle => Status::Unavailable,
            wish => wish,
        }
    }

    fn seen(&self, now: Ms) -> Seen {
        Seen {
            user_id: self.user_id.clone(),
            status: self.status(now),
            message: self.message.clone(),
            active_ago: self.active_ts.map(|active| (now - active).max(0)),
        }
    }
}

#[derive(Default)]
struct Inner {
    people: HashMap<Nid, Person>,
    looked: Ms,
}

/// Who is online, as this process knows.
#[derive(Default)]
pub struct Presence(Mutex<Inner>);

/// Something by which somebody's presence may change.
#[derive(Clone, Debug)]
pub enum Sign {
    /// Their client syncs, and asks to be shown like this.
    Sync(Status),
    /// They did something.
    Act,
    /// They say how they want to be seen.
    Say(Status, Option<String>),
}

impl Presence {
    fn note(&self, requester: &Requester, sign: Sign, now: Ms, stamp: impl FnOnce() -> u64) {
        let mut inner = lock(&self.0);
        if inner.people.len() >= MOST && !inner.people.contains_key(&requester.user) {
            inner.people.retain(|_, person| person.status(now) != Status::Offline);
            if inner.people.len() >= MOST {
                return;
            }
        }
        let person = inner.people.entry(requester.user).or_insert_with(|| Person {
            user_id: requester.user_id.clone(),
            wish: Status::Offline,
            message: None,
            active_ts: None,
            synced_ts: now,
            told: Status::Offline,
            stamp: 0,
        });
        let mut changed = false;
        match sign {
            Sign::Sync(wish) => {
                // A client that polls in the background does not say that somebody is back.
                let back = wish == Status::Online && person.told == Status::Offline;
                if back && person.active_ts.is_none_or(|active| now - active >= IDLE) {
                    person.active_ts = Some(now);
                }
                person.synced_ts = now;
                person.wish = wish;
            }
            Sign::Act => {
                person.active_ts = Some(now);
                if person.wish == Status::Unavailable {
                    person.wish = Status::Online;
                }
            }
            Sign::Say(wish, message) => {
                changed = person.message != message;
                (person.wish, person.message, person.synced_ts) = (wish, message, now);
                if wish == Status::Online {
                    person.active_ts = Some(now);
                }
            }
        }
        let status = person.status(now);
        if changed || status != person.told {
            person.told = status;
            person.stamp = stamp();
        }
    }

    /// Those whose presence changed after a stamp; with `None` those who are not offline.
    fn since(&self, since: Option<u64>, now: Ms, mut stamp: impl FnMut() -> u64) -> Vec<(Nid, Seen)> {
        let mut inner = lock(&self.0);
        if now - inner.looked >= LOOK {
            inner.looked = now;
            for person in inner.people.values_mut() {
                let status = person.status(now);
                if status != person.told {
                    person.told = status;
                    person.stamp = stamp();
                }
            }
        }
        let news = |person: &Person| match since {
            Some(since) => person.stamp > since,
            None => person.told != Status::Offline,
        };
        let people = inner.people.iter().filter(|(_, person)| news(person));
        people.map(|(user, person)| (*user, person.seen(now))).collect()
    }

    fn of(&self, user: Nid, now: Ms) -> Option<Seen> {
        lock(&self.0).people.get(&user).map(|person| person.seen(now))
    }
}

impl Identity {
    /// Whether it is told who is online.
    pub fn tells_presence(&self) -> bool {
        self.options.presence
    }

    /// Notes a sign of somebody; `stamp` counts on.
    pub fn note_presence(&self, requester: &Requester, sign: Sign, stamp: impl FnOnce() -> u64) {
        if self.options.presence {
            self.presence.note(requester, sign, self.now(), stamp);
        }
    }

    /// Those whose presence changed after a stamp; with `None` those who are not offline.
    pub fn presence_since(&self, since: Option<u64>, stamp: impl FnMut() -> u64) -> Vec<(Nid, Seen)> {
        if self.options.presence { self.presence.since(since, self.now(), stamp) } else { Vec::new() }
    }

    /// What this process knows of somebody's presence.
    pub fn presence_of(&self, user: Nid) -> Option<Seen> {
        if self.options.presence { self.presence.of(user, self.now()) } else { None }
    }

    /// When any device of somebody was seen last, as far as it was written.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn last_seen(&self, user: Nid) -> Result<Option<Ms>> {
        let devices = kontor_store::identity::devices::of_user(&mut self.store.reader(), user).await?;
        Ok(devices.into_iter().filter_map(|device| device.seen_ts).max())
    }
}

/// Whether a text can be what somebody says about being there.
///
/// # Errors
/// `InvalidParam` when it is too long.
pub fn check_message(message: Option<&str>) -> Result<()> {
    if message.is_some_and(|message| message.len() > LONGEST_MESSAGE) {
        return Err(Error::invalid_param(format!(
            "The status message is longer than {LONGEST_MESSAGE} bytes."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> Requester {
        let user_id = OwnedUserId::try_from("@anna:x").unwrap();
        let device_id = "D".into();
        Requester {
            user_id,
            user: 7,
            device_id,
            session: 1,
            epoch: 0,
            admin: false,
            guest: false,
            suspended: false,
            service: None,
        }
    }

    fn statuses(presence: &Presence, since: u64, now: Ms) -> Vec<Status> {
        presence.since(Some(since), now, || since + 1).into_iter().map(|(_, seen)| seen.status).collect()
    }

    #[test]
    fn people_come_online_become_idle_and_go() {
        let presence = Presence::default();
        presence.note(&anna(), Sign::Sync(Status::Online), 10_000, || 1);
        assert_eq!(statuses(&presence, 0, 10_000), [Status::Online]);
        assert_eq!(statuses(&presence, 1, 10_001), []);
        for minute in 1..=5 {
            presence.note(&anna(), Sign::Sync(Status::Online), 10_000 + minute * 60_000, || 2);
        }
        assert_eq!(statuses(&presence, 1, 10_000 + IDLE), [Status::Unavailable]);
        presence.note(&anna(), Sign::Act, 10_000 + IDLE + 1, || 3);
        assert_eq!(statuses(&presence, 2, 10_000 + IDLE + 1_000), [Status::Online]);
        assert_eq!(statuses(&presence, 3, 10_000 + IDLE + GONE), [Status::Offline]);
        assert!(presence.since(None, 10_000 + IDLE + GONE, || 9).is_empty());
    }

    #[test]
    fn what_people_say_is_told_even_if_their_status_stays() {
        let presence = Presence::default();
        let say = |message: &str, stamp| {
            let sign = Sign::Say(Status::Unavailable, Some(message.to_owned()));
            presence.note(&anna(), sign, 10_000, move || stamp);
        };
        say("lunch", 1);
        say("lunch", 2);
        assert_eq!(presence.people_stamp(7), 1);
        say("meeting", 3);
        let seen = presence.of(7, 10_000).unwrap();
        assert_eq!((presence.people_stamp(7), seen.status), (3, Status::Unavailable));
        assert_eq!(seen.content()["status_msg"], "meeting");
    }

    #[test]
    fn a_client_that_hides_is_not_told_of() {
        let presence = Presence::default();
        presence.note(&anna(), Sign::Sync(Status::Offline), 10_000, || 1);
        presence.note(&anna(), Sign::Act, 10_001, || 2);
        assert!(presence.since(None, 10_002, || 3).is_empty());
        assert_eq!(statuses(&presence, 0, 12_000), []);
    }

    #[test]
    fn people_are_not_remembered_without_end() {
        let presence = Presence::default();
        for user in 0..i64::try_from(MOST).unwrap() + 100 {
            let who = Requester { user, ..anna() };
            presence.note(&who, Sign::Sync(Status::Online), 10_000, || 1);
        }
        assert_eq!(lock(&presence.0).people.len(), MOST);
        let late = Requester { user: -1, ..anna() };
        presence.note(&late, Sign::Sync(Status::Online), 10_000 + GONE, || 2);
        assert_eq!(lock(&presence.0).people.len(), 1, "those who went made room");
    }

    impl Presence {
        fn people_stamp(&self, user: Nid) -> u64 {
            lock(&self.0).people[&user].stamp
        }
    }
}
