//! Finding people by their names (client-server API, "User Directory").
//!
//! All people of the house are remembered with their folded names; the log says who changed, so that
//! a question asks the archive for those alone.

use crate::Flows;
use kontor_model::{Nid, Pos, Requester, Result, fold};
use kontor_store::Stream;
use kontor_store::identity::directory::{self, DirectoryRow};
use serde::Serialize;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// People of one answer at most.
const MAX_LIMIT: usize = 100;
/// Found people whose rooms are looked at together.
const AT_ONCE: usize = 200;
/// Found people whose rooms are looked at in one answer at most.
const LOOKED_AT: usize = 2_000;
/// Changed people who are read singly; if there are more, all are read.
const SINGLY: usize = 500;

/// The people of the house, as they were at a position of the log.
#[derive(Default)]
pub struct People(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// `None` before the first question.
    at: Option<Pos>,
    people: Arc<HashMap<Nid, Arc<Person>>>,
}

#[derive(Debug)]
struct Person {
    user: Nid,
    user_id: String,
    /// Folded words of the names, each after a space.
    words: String,
    displayname: Option<Value>,
    avatar_url: Option<Value>,
}

/// Somebody who was found.
#[derive(Clone, Debug, Serialize)]
pub struct FoundPerson {
    /// Matrix id.
    pub user_id: String,
    /// Display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Value>,
    /// Avatar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<Value>,
}

/// Who was found, best matches first.
#[derive(Clone, Debug, Serialize)]
pub struct FoundPeople {
    /// The people.
    pub results: Vec<FoundPerson>,
    /// Whether there are more.
    pub limited: bool,
}

fn folded_words(text: &str) -> String {
    fold::words(text).fold(String::new(), |words, word| words + " " + &word.folded)
}

impl Person {
    fn new(row: DirectoryRow) -> Self {
        let text = |json: Option<String>| {
            let value = json.and_then(|json| serde_json::from_str::<Value>(&json).ok());
            value.filter(|value| value.as_str().is_some_and(|text| !text.is_empty()))
        };
        let (displayname, avatar_url) = (text(row.displayname), text(row.avatar_url));
        let name = displayname.as_ref().and_then(Value::as_str).unwrap_or_default();
        let words = folded_words(name) + &folded_words(localpart(&row.user_id));
        Self { user: row.user, user_id: row.user_id, words, displayname, avatar_url }
    }

    /// How well somebody matches, better ones larger; `None` if not at all.
    fn rank(&self, term: &Term) -> Option<u8> {
        let id = self.user_id.trim_start_matches('@');
        if !term.id.is_empty() && id.starts_with(&term.id) {
            return Some(if id == term.id || localpart(&self.user_id) == term.id { 4 } else { 3 });
        }
        if term.words.is_empty() || !term.words.iter().all(|word| self.words.contains(word)) {
            return None;
        }
        Some(if self.words.starts_with(&term.whole) { 2 } else { 1 })
    }

    fn told(&self) -> FoundPerson {
        FoundPerson {
            user_id: self.user_id.clone(),
            display_name: self.displayname.clone(),
            avatar_url: self.avatar_url.clone(),
        }
    }
}

fn localpart(user_id: &str) -> &str {
    user_id.trim_start_matches('@').split(':').next().unwrap_or_default()
}

/// What somebody typed to find a person.
#[derive(Debug)]
struct Term {
    /// The beginning of a user id, without `@`.
    id: String,
    /// Beginnings of words, each after a space.
    words: Vec<String>,
    /// The same in one.
    whole: String,
}

impl Term {
    fn parse(text: &str) -> Self {
        let text = text.trim();
        let id = text.trim_start_matches('@').to_lowercase();
        // A user id names one person; its parts are not words to look for.
        let words = if text.starts_with('@') { "" } else { text };
        let words: Vec<String> = fold::words(words).map(|word| format!(" {}", word.folded)).collect();
        Self { id, whole: words.concat(), words }
    }
}

impl Flows {
    /// Finds people whose display name or user id begins with, or holds words that begin with, what
    /// was typed.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn find_people(&self, requester: &Requester, term: &str, limit: usize) -> Result<FoundPeople> {
        let limit = limit.min(MAX_LIMIT);
        let people = self.known_people().await?;
        let term = Term::parse(term);
        let mut found: Vec<(u8, &Arc<Person>)> =
            people.values().filter_map(|person| Some((person.rank(&term)?, person))).collect();
        found.sort_unstable_by_key(|(rank, person)| {
            (Reverse(*rank), person.displayname.is_none(), &person.words, &person.user_id)
        });
        let mut results: Vec<FoundPerson> = Vec::new();
        for part in found.get(..found.len().min(LOOKED_AT)).unwrap_or(&found).chunks(AT_ONCE) {
            let visible = self.visible(requester.user, part).await?;
            results.extend(visible.into_iter().map(Person::told));
            if results.len() > limit {
                break;
            }
        }
        let limited = results.len() > limit;
        results.truncate(limit);
        Ok(FoundPeople { results, limited })
    }

    /// Those of some people whom the user may find.
    async fn visible<'p>(&self, user: Nid, people: &[(u8, &'p Arc<Person>)]) -> Result<Vec<&'p Person>> {
        let all = || people.iter().map(|(_, person)| &***person);
        if self.settings.directory_shows_everybody {
            return Ok(all().collect());
        }
        let nids: Vec<Nid> = all().map(|person| person.user).collect();
        let known = directory::known_by(&mut self.store.reader(), user, &nids).await?;
        Ok(all().filter(|person| known.contains(&person.user)).collect())
    }

    /// Everybody, as of now.
    async fn known_people(&self) -> Result<Arc<HashMap<Nid, Arc<Person>>>> {
        let mut known = self.people.0.lock().await;
        let newest = self.store.log().newest();
        let changes = known.at.and_then(|at| self.store.log().between(at, newest));
        let changed = changes.map(|changes| {
            let people =
                changes.iter().filter(|entry| matches!(entry.row.stream, Stream::Profile | Stream::Kill));
            let mut users: Vec<Nid> = people.filter_map(|entry| entry.row.user).collect();
            users.sort_unstable();
            users.dedup();
            users
        });
        match changed.filter(|users| users.len() <= SINGLY) {
            Some(users) if users.is_empty() => {}
            Some(users) => {
                let rows = directory::of(&mut self.store.reader(), &users).await?;
                let people = Arc::make_mut(&mut known.people);
                people.retain(|user, _| users.binary_search(user).is_err());
                people.extend(rows.into_iter().map(|row| (row.user, Arc::new(Person::new(row)))));
            }
            None => {
                let rows = directory::all(&mut self.store.reader()).await?;
                let people = rows.into_iter().map(|row| (row.user, Arc::new(Person::new(row))));
                known.people = Arc::new(people.collect());
            }
        }
        known.at = Some(newest);
        Ok(Arc::clone(&known.people))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn person(user_id: &str, name: Option<&str>) -> Person {
        let displayname = name.map(|name| Value::from(name).to_string());
        Person::new(DirectoryRow { user: 1, user_id: user_id.into(), displayname, avatar_url: None })
    }

    #[test]
    fn people_are_found_by_names_and_ids() {
        let zaneta = person("@z.nowak:firma.example", Some("Żaneta Nowak-Łęcka"));
        for (term, rank) in [
            ("żaneta", Some(2)),
            ("zaneta now", Some(2)),
            ("LECKA", Some(1)),
            ("now zan", Some(1)),
            ("@z.now", Some(3)),
            ("@z.nowak:firma.example", Some(4)),
            ("z.nowak:firma", Some(3)),
            ("Z.NOWAK", Some(4)),
            ("z.nowak", Some(4)),
            ("neta", None),
            ("firma", None),
            ("@zaneta", None),
            ("nowak jan", None),
            ("", None),
            ("@", None),
            ("!?", None),
        ] {
            assert_eq!(zaneta.rank(&Term::parse(term)), rank, "{term}");
        }
        assert_eq!(person("@jan:x", None).rank(&Term::parse("ja")), Some(3));
    }

    #[tokio::test]
    async fn what_is_remembered_follows_the_log() {
        let town = crate::testing::Town::of(1).await;
        let flows = &town.processes[0];
        let anna = town.person("anna").await;
        let find = async |term: &str| {
            let found = flows.find_people(&anna, term, 10).await.unwrap();
            found.results.into_iter().map(|person| person.user_id).collect::<Vec<_>>()
        };
        assert_eq!(find("anna").await, ["@anna:x"]);
        assert_eq!(find("boris").await, Vec::<String>::new());
        let boris = town.person("boris").await;
        assert_eq!(find("boris").await, ["@boris:x"]);
        let mut change = kontor_store::Change::default();
        change.set_profile_field(boris.user, "displayname", "\"Борис Ґудзь\"");
        town.store.submit(change).await.unwrap();
        assert_eq!(find("гудз").await, ["@boris:x"]);
        let mut change = kontor_store::Change::default();
        change.set_account_state(boris.user, "active", "locked");
        town.store.submit(change).await.unwrap();
        assert_eq!(find("boris").await, Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn any_term_is_a_question(term in any::<String>(), name in any::<String>()) {
            let person = person("@a:x", Some(&name));
            let _ = person.rank(&Term::parse(&term));
            if fold::words(&name).next().is_some() && !name.trim().starts_with('@') {
                prop_assert!(person.rank(&Term::parse(&name)).is_some());
            }
        }
    }
}
