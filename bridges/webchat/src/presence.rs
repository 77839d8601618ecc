//! What is true for a moment in a conversation: who is typing, what was seen, what was fetched. In memory,
//! bounded; what is lost here is found again or does not matter.

use kontor_model::Ms;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Conversations that are remembered at most.
const MOST: usize = 20_000;
/// How long a typing mark stands without being renewed, milliseconds.
const TYPING: Ms = 30_000;

#[derive(Clone, Debug, Default)]
struct Moment {
    typing_until: Ms,
    name: Option<String>,
    read: Option<String>,
    /// The newest message of an employee that was given to a page, and its id.
    given: Option<(i64, String)>,
    /// Up to which number it was told that the page has them.
    told: i64,
}

/// What is true right now, for a page that asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Whether an employee is typing.
    pub typing: bool,
    /// Who.
    pub name: Option<String>,
    /// The newest message of the visitor that an employee saw.
    pub read: Option<String>,
}

/// Whether there is something to tell about what a page has fetched.
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    /// No.
    Told,
    /// That it has this message and all before it.
    Tell(i64, String),
    /// Nobody remembers; the journal knows.
    Unknown,
}

/// All conversations of the moment.
#[derive(Default)]
pub struct Presence(Mutex<HashMap<String, Moment>>);

impl Presence {
    fn with<T>(&self, lane: &str, now: Ms, act: impl FnOnce(&mut Moment) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(lane) {
            all.retain(|_, moment| moment.typing_until > now);
            if all.len() >= MOST {
                all.clear();
            }
        }
        act(all.entry(lane.to_owned()).or_default())
    }

    /// An employee is typing, or stopped.
    pub fn typing(&self, lane: &str, on: bool, name: Option<String>, now: Ms) {
        self.with(lane, now, |moment| {
            moment.typing_until = if on { now + TYPING } else { 0 };
            moment.name = name;
        });
    }

    /// An employee saw a message of the visitor.
    pub fn read(&self, lane: &str, remote: &str, now: Ms) {
        self.with(lane, now, |moment| moment.read = Some(remote.to_owned()));
    }

    /// What is true right now.
    pub fn now(&self, lane: &str, now: Ms) -> Now {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(moment) = all.get(lane) else { return Now::default() };
        let typing = moment.typing_until > now;
        let name = moment.name.clone().filter(|_| typing);
        Now { typing, name, read: moment.read.clone() }
    }

    /// A page was given an employee's message.
    pub fn given(&self, lane: &str, seq: i64, id: String, now: Ms) {
        self.with(lane, now, |moment| {
            if moment.given.as_ref().is_none_or(|(given, _)| *given < seq) {
                moment.given = Some((seq, id));
            }
        });
    }

    /// A page has everything up to `since`: what is there to tell?
    pub fn fetched(&self, lane: &str, since: i64, now: Ms) -> Fetched {
        self.with(lane, now, |moment| match &moment.given {
            Some((seq, id)) if *seq <= since && *seq > moment.told => Fetched::Tell(*seq, id.clone()),
            None if moment.told == 0 => Fetched::Unknown,
            _ => Fetched::Told,
        })
    }

    /// It was told that pages have everything up to here.
    pub fn told(&self, lane: &str, seq: i64, now: Ms) {
        // Also when there was nothing: it need not be looked for again.
        self.with(lane, now, |moment| moment.told = moment.told.max(seq).max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_ends_by_itself() {
        let presence = Presence::default();
        presence.typing("a", true, Some("Anna".to_owned()), 1000);
        assert!(presence.now("a", 1000 + TYPING - 1).typing);
        assert_eq!(presence.now("a", 1000 + TYPING), Now::default());
        presence.typing("a", true, None, 2000);
        presence.typing("a", false, None, 2001);
        assert!(!presence.now("a", 2002).typing && !presence.now("b", 2002).typing);
    }

    #[test]
    fn what_a_page_has_is_told_once() {
        let presence = Presence::default();
        assert_eq!(presence.fetched("a", 3, 0), Fetched::Unknown);
        presence.told("a", 0, 0);
        assert_eq!(presence.fetched("a", 3, 0), Fetched::Told);
        presence.given("a", 5, "m5".to_owned(), 0);
        assert_eq!(presence.fetched("a", 4, 0), Fetched::Told);
        assert_eq!(presence.fetched("a", 5, 0), Fetched::Tell(5, "m5".to_owned()));
        presence.told("a", 5, 0);
        assert_eq!(presence.fetched("a", 9, 0), Fetched::Told);
    }

    #[test]
    fn the_memory_is_bounded() {
        let presence = Presence::default();
        for index in 0..MOST + 10 {
            presence.typing(&index.to_string(), true, None, 0);
        }
        assert!(presence.0.lock().unwrap().len() <= MOST);
    }
}
