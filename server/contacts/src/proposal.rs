//! Contacts that are perhaps the same person as one, as those who talk with it are shown them: who they are,
//! why, and which of two stays when they are merged.

use crate::Contacts;
use crate::card::{Card, STAGES};
use crate::lookup::Candidate;
use crate::told::Told;
use crate::words;
use kontor_model::{Language, Result};
use kontor_store::Change;
use kontor_store::contacts::proposals::{self, ProposalRow};
use kontor_store::contacts::queue::Reader;
use serde::Deserialize;

/// Contacts that are shown at a time.
const SHOWN: usize = 5;
/// Suggestions that are looked at for them: some may not be for the reader.
const LOOK: i64 = 20;
/// Reasons that are told.
const REASONS: usize = 4;
/// Numbers and addresses that are told.
const KEYS: usize = 3;

/// Why two contacts may be one.
#[derive(Clone, Debug, Deserialize)]
pub struct Reason {
    /// What agrees or differs.
    pub what: String,
    /// For it when positive, against it when negative.
    pub bits: f64,
}

/// The reasons as the archive has them.
pub fn reasons(evidence: &str) -> Vec<Reason> {
    serde_json::from_str(evidence).unwrap_or_default()
}

/// A contact, and why it may be the same person.
pub type Found = (Candidate, Vec<Reason>);

/// A contact that is shown.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// The number by which it is named.
    pub number: i64,
    /// Who it is.
    pub found: Candidate,
    /// Why.
    pub reasons: Vec<Reason>,
}

impl Proposed {
    /// The contact.
    pub fn contact(&self) -> &str {
        &self.found.card.contact.id
    }

    /// Who it is, on one line.
    pub fn line(&self, language: Language) -> String {
        let card = &self.found.card;
        let nameless = crate::names::nameless(language, &card.contact.id);
        let mut parts = vec![card.display_name().unwrap_or(&nameless).to_owned()];
        parts.extend(self.found.keys.iter().take(KEYS).map(|(_, value)| value.clone()));
        parts.push(words::stage(language, &card.contact.stage).to_owned());
        parts.join(" · ")
    }

    /// Why, on one line; the weightiest first.
    pub fn why(&self, language: Language) -> String {
        let told = self.reasons.iter().take(REASONS).map(|reason| {
            let bits = format!("{:+.1}", reason.bits);
            let bits = if language == Language::English { bits } else { bits.replace('.', ",") };
            format!("{bits} {}", words::reason(language, &reason.what))
        });
        told.collect::<Vec<_>>().join("; ")
    }
}

/// Which of two stays when they are merged: the nearer one, and of equally near ones the older.
pub fn stays<'a>(a: &'a Card, b: &'a Card) -> &'a Card {
    let place = |card: &Card| STAGES.iter().position(|stage| *stage == card.contact.stage);
    let rank = |card: &'a Card| (place(card), std::cmp::Reverse(card.contact.id.as_str()));
    if rank(a) >= rank(b) { a } else { b }
}

/// The answer that lists contacts.
pub fn listed(shown: &[Proposed], title: &str, language: Language) -> Told {
    let words = words::of(language);
    let list = shown.iter().fold(Told::default().title(title), |told, one| {
        let why = one.why(language);
        let why = if why.is_empty() { why } else { format!(" ({why})") };
        told.item(format!("{}: {}{why}", one.number, one.line(language)))
    });
    let number = shown.first().map_or(1, |one| one.number).to_string();
    list.say(words.merge_how.replace("{n}", &number))
}

/// The message that shows one contact, to which people react.
pub fn alone(one: &Proposed, language: Language) -> Told {
    let words = words::of(language);
    Told::default()
        .title(words.perhaps)
        .say(one.line(language))
        .say(one.why(language))
        .say(words.react_how.replace("{n}", &one.number.to_string()))
}

impl Contacts {
    /// Contacts that are perhaps the same person as `contact`, as far as the reader may see them, each with why;
    /// the likeliest first.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn suggested(&self, reader: Reader, contact: &str) -> Result<Vec<Found>> {
        let suggested = proposals::suggested(&mut self.store.reader(), contact, LOOK).await?;
        let ids = suggested.iter().map(|row| (row.other.clone(), "weighed")).collect();
        let found = self.candidates(reader, ids).await?.into_iter().map(|found| {
            let row = suggested.iter().find(|row| row.other == found.card.contact.id);
            (found, row.map(|row| reasons(&row.evidence)).unwrap_or_default())
        });
        Ok(found.collect())
    }

    /// Gives contacts their numbers in a conversation; new ones are added to `change`.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn numbered(
        &self,
        change: &mut Change,
        conversation: &str,
        found: Vec<Found>,
    ) -> Result<Vec<Proposed>> {
        let known = proposals::of_conversations(&mut self.store.reader(), &[conversation]).await?;
        let mut next = known.last().map_or(1, |row| row.number + 1);
        let number = |(found, reasons): Found| {
            let id = &found.card.contact.id;
            let before = known.iter().find(|row| row.other == *id).map(|row| row.number);
            let number = before.unwrap_or_else(|| {
                change.propose(conversation, next, id, None);
                next += 1;
                next - 1
            });
            Proposed { number, found, reasons }
        };
        Ok(found.into_iter().take(SHOWN).map(number).collect())
    }

    /// The contact that a number names in a conversation.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn proposal(&self, conversation: &str, number: i64) -> Result<Option<ProposalRow>> {
        let known = proposals::of_conversations(&mut self.store.reader(), &[conversation]).await?;
        Ok(known.into_iter().find(|row| row.number == number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata::card;

    #[test]
    fn the_nearer_contact_stays_and_of_equally_near_ones_the_older() {
        let (old, new) = (card("01A", "visitor", "A"), card("01B", "visitor", "B"));
        let customer = card("01C", "customer", "C");
        assert_eq!(stays(&old, &new).contact.id, "01A");
        assert_eq!(stays(&new, &old).contact.id, "01A");
        assert_eq!(stays(&old, &customer).contact.id, "01C");
    }

    #[test]
    fn reasons_are_told_in_words() {
        let found = Candidate {
            card: card("01A", "customer", "Jan Kowalski"),
            keys: vec![("phone".to_owned(), "512 342 152".to_owned())],
            by: "weighed",
        };
        let evidence = r#"[{"what":"name_same","bits":7.5},{"what":"second_id","bits":-4.0}]"#;
        let one = Proposed { number: 2, found, reasons: reasons(evidence) };
        assert_eq!(one.line(Language::English), "Jan Kowalski · 512 342 152 · customer");
        assert_eq!(
            one.why(Language::English),
            "+7.5 a word of the name is the same; -4.0 both have an id where people have one"
        );
        assert!(one.why(Language::Polish).starts_with("+7,5 "));
        let told = alone(&one, Language::Polish).plain();
        assert!(told.contains("✅") && told.contains("!scal 2 nie"), "{told}");
    }
}
