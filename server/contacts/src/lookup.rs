//! Looking contacts up while somebody types, and making one by hand: search first, then create.

use crate::arrival::REGION;
use crate::card::Card;
use crate::keys::name::{Likeness, Name, compare};
use crate::keys::skeleton::{bones, fold};
use crate::keys::{Key, Kind, Nature, emails, phones};
use crate::news::News;
use crate::{Contacts, one_of, text};
use kontor_model::{Error, Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::cards::{self, ContactRow, FieldRow};
use kontor_store::contacts::identities::ClaimRow;
use kontor_store::contacts::lookups::{self, LookupRow};
use kontor_store::contacts::queue::Reader;
use serde::Deserialize;
use std::collections::BTreeSet;

/// Contacts that a look-up shows.
const MOST: usize = 20;
/// Letters and figures of the shortest text that is looked up.
const SHORTEST: usize = 2;
/// Figures from which on a text is a number.
const FIGURES: usize = 3;
/// Longest text that is looked up, bytes.
const LONGEST: usize = 200;
/// How long a look-up counts.
pub const FRESH: Ms = 600_000;
/// Numbers and addresses of a new contact.
const MOST_KEYS: usize = 10;

/// A contact that was found, with why.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The contact and its fields.
    pub card: Card,
    /// Its numbers and addresses.
    pub keys: Vec<(String, String)>,
    /// key: it holds the number or address; name: it is called like that; weighed: much agrees.
    pub by: &'static str,
}

/// What was looked up.
#[derive(Clone, Debug)]
pub struct Looked {
    /// Names it when a contact is made; ten minutes long.
    pub id: String,
    /// What was found.
    pub candidates: Vec<Candidate>,
}

/// A contact that somebody makes by hand.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// What it is called.
    pub display_name: Option<String>,
    /// Telephone numbers.
    #[serde(default)]
    pub phones: Vec<String>,
    /// Mail addresses.
    #[serde(default)]
    pub emails: Vec<String>,
    /// person, unknown, line, bot; person when absent.
    pub kind: Option<String>,
    /// owner, team, all; all when absent.
    pub visibility: Option<String>,
    /// A look-up of the last ten minutes that showed everybody who is called alike.
    pub lookup_id: Option<String>,
    /// Why it is made although others hold its numbers or addresses.
    pub override_reason: Option<String>,
}

/// What became of a wish for a contact.
#[derive(Clone, Debug)]
pub enum Created {
    /// This is to be written; the contact's id.
    Planned(Box<Change>, String),
    /// These stand in the way.
    Candidates(Looked),
}

/// What is asked of the archive.
enum Asked {
    Key(Kind, String, bool),
    Words(String, String),
}

/// What a typed text may mean.
fn asked(typed: &str) -> Vec<Asked> {
    let folded = fold(typed);
    let figures: String = typed.chars().filter(char::is_ascii_digit).collect();
    let letters = folded.chars().filter(char::is_ascii_alphabetic).count();
    if folded.find('@').is_some_and(|at| at > 0) {
        return vec![Asked::Key(Kind::Email, folded.trim().to_owned(), false)];
    }
    if figures.len() >= FIGURES && figures.len() > letters {
        let mut asked: Vec<Asked> =
            phones(typed, REGION).into_iter().map(|key| Asked::Key(Kind::Phone, key.text, true)).collect();
        let bare = figures.trim_start_matches("00");
        let international = typed.trim_start().starts_with('+') || bare.len() != figures.len();
        asked.push(Asked::Key(Kind::Phone, format!("+{bare}"), false));
        if !international {
            asked.push(Asked::Key(Kind::Phone, format!("+{}{figures}", home()), false));
        }
        return asked;
    }
    let mut words: Vec<String> = folded
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '\'')
        .map(bones)
        .filter(|word| !word.is_empty())
        .collect();
    // The longest says most.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut words = words.into_iter();
    let mut found = Vec::new();
    if let Some(first) = words.next() {
        found.push(Asked::Words(first, words.next().unwrap_or_default()));
    }
    if letters >= SHORTEST && !folded.trim().contains(char::is_whitespace) {
        found.push(Asked::Key(Kind::Email, folded.trim().to_owned(), false));
    }
    found
}

/// The prefix of the country whose numbers are written without one.
fn home() -> u16 {
    phonenumber::metadata::DATABASE.by_id(REGION.as_ref()).map_or(48, |plan| plan.country_code())
}

impl Contacts {
    /// Looks up what somebody types: the beginnings of words of a name, of a number, of an address.
    ///
    /// # Errors
    /// `InvalidParam` for a text of less than two letters or figures.
    pub async fn look_up(&self, reader: Reader, typed: &str) -> Result<(Change, Looked)> {
        let typed = text(typed, "q", LONGEST)?;
        if typed.chars().filter(|c| c.is_alphanumeric()).count() < SHORTEST {
            return Err(Error::invalid_param(format!("q must have {SHORTEST} letters or figures.")));
        }
        let (mut found, mut source) = (Vec::new(), self.store.walk().await?);
        let limit = i64::try_from(MOST).unwrap_or(i64::MAX);
        for asked in asked(&typed) {
            let (ids, by) = match &asked {
                Asked::Key(kind, key, whole) => {
                    let key = (kind.word(), key.as_str());
                    (lookups::by_key(&mut source, reader, key, *whole, limit).await?, "key")
                }
                Asked::Words(first, second) => {
                    (lookups::by_words(&mut source, reader, (first, second), limit).await?, "name")
                }
            };
            found.extend(ids.into_iter().map(|id| (id, by)));
        }
        drop(source);
        let candidates = self.candidates(reader, found).await?;
        self.remember(reader.user, candidates)
    }

    /// The contacts of ids as far as the reader may see them, each once, in their order.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn candidates(
        &self,
        reader: Reader,
        found: Vec<(String, &'static str)>,
    ) -> Result<Vec<Candidate>> {
        let mut seen = BTreeSet::new();
        let mut found = found;
        found.retain(|(id, _)| seen.insert(id.clone()));
        found.truncate(MOST);
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
        let mut source = self.store.snapshot().await?;
        let rows = cards::by_ids(&mut source, reader, &ids).await?;
        let values = cards::fields(&mut source, &ids).await?;
        let claims = cards::keys(&mut source, &ids).await?;
        let mut cards = Card::all(rows, &values);
        let mut candidates = Vec::new();
        for (id, by) in found {
            let Some(at) = cards.iter().position(|card| card.contact.id == id) else { continue };
            let own = claims.iter().filter(|(contact, ..)| *contact == id);
            let keys = own.map(|(_, kind, value)| (kind.clone(), value.clone())).collect();
            candidates.push(Candidate { card: cards.swap_remove(at), keys, by });
        }
        Ok(candidates)
    }

    fn remember(&self, user: Nid, candidates: Vec<Candidate>) -> Result<(Change, Looked)> {
        let id = self.new_id();
        let shown: Vec<&str> = candidates.iter().map(|found| found.card.contact.id.as_str()).collect();
        let shown = serde_json::to_string(&shown).map_err(Error::internal)?;
        let mut change = Change::default();
        change.forget_lookups(self.now() - FRESH);
        change.add_lookup(&id, &LookupRow { user, shown, ts: self.now() });
        Ok((change, Looked { id, candidates }))
    }

    /// Contacts that hold one of some keys, or are called alike in two words; `but`: not this one.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn alike(
        &self,
        reader: Reader,
        name: Option<&str>,
        keys: &[Key],
        but: Option<&str>,
    ) -> Result<Vec<Candidate>> {
        let (mut found, mut source) = (Vec::new(), self.store.reader());
        let limit = i64::try_from(MOST).unwrap_or(i64::MAX);
        for key in keys.iter().filter(|key| key.nature != Nature::Nobody) {
            let key = (key.kind.word(), key.text.as_str());
            let ids = lookups::by_key(&mut source, reader, key, true, limit).await?;
            found.extend(ids.into_iter().map(|id| (id, "key")));
        }
        let wanted = Name::read(name.unwrap_or_default());
        let mut words: Vec<&str> = wanted.full_words().collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        if let (true, [first, second, ..]) = (wanted.speaks(), words.as_slice()) {
            let ids = lookups::by_words(&mut source, reader, (first, second), limit).await?;
            found.extend(ids.into_iter().map(|id| (id, "name")));
        }
        found.retain(|(id, _)| but != Some(id.as_str()));
        let mut candidates = self.candidates(reader, found).await?;
        candidates.retain(|found| {
            let called = found.card.display_name().unwrap_or_default();
            found.by == "key" || compare(&wanted, &Name::read(called)) == Likeness::Same
        });
        Ok(candidates)
    }

    /// Plans a contact that somebody makes by hand. Those who hold one of its numbers or addresses stand in
    /// the way unless a reason is given; those who are only called alike, unless they were looked at before.
    ///
    /// # Errors
    /// `InvalidParam` for what no contact can have.
    pub async fn plan_contact(&self, reader: Reader, new: &NewContact, actor: Actor) -> Result<Created> {
        let checked = check(new)?;
        let candidates = self.alike(reader, new.display_name.as_deref(), &checked.keys, None).await?;
        let reason = new.override_reason.as_deref().map(|reason| text(reason, "override_reason", 500));
        let reason = reason.transpose()?;
        let seen = match &new.lookup_id {
            Some(id) => self.seen(reader.user, id).await?,
            None => BTreeSet::new(),
        };
        let in_the_way = |found: &Candidate| found.by == "key" || !seen.contains(&found.card.contact.id);
        if reason.is_none() && candidates.iter().any(in_the_way) {
            let (change, looked) = self.remember(reader.user, candidates)?;
            self.store.enqueue(change).await.wait().await?;
            return Ok(Created::Candidates(looked));
        }
        let (now, id) = (self.now(), self.new_id());
        let mut change = Change::default();
        change.add_contact(&ContactRow {
            id: id.clone(),
            redirect_to: None,
            kind: checked.kind.to_owned(),
            stage: "lead".to_owned(),
            owner: Some(reader.user),
            owner_id: None,
            team: None,
            visibility: checked.visibility.to_owned(),
            language: None,
            version: 1,
            created_ts: now,
            updated_ts: now,
            own: None,
        });
        self.note_by_hand(&mut change, &id, &checked.fields, now);
        if let (Some(reason), false) = (&reason, candidates.is_empty()) {
            self.note_override(&mut change, &id, reason, &candidates, &actor).await?;
        }
        let audit = Audit::done(Action::ContactCreate, actor, now).on("contact", id.as_str());
        change.audit(self.store.nid().await?, audit);
        let news = News { kind: "contact.created", contact: &id, ..News::default() };
        self.tell(&mut change, &news, None).await?;
        Ok(Created::Planned(Box::new(change), id))
    }

    /// Adds why something was done although others stood in the way.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub(crate) async fn note_override(
        &self,
        change: &mut Change,
        contact: &str,
        reason: &str,
        others: &[Candidate],
        actor: &Actor,
    ) -> Result<()> {
        let now = self.now();
        change.add_override(contact, actor.user.unwrap_or_default(), reason, now);
        let mut audit = Audit::done(Action::ContactOverride, actor.clone(), now).on("contact", contact);
        let others: Vec<&str> = others.iter().map(|found| found.card.contact.id.as_str()).collect();
        audit.detail = Some(serde_json::json!({ "others": others }).to_string());
        change.audit(self.store.nid().await?, audit);
        Ok(())
    }

    /// Adds fields that an employee typed, and the claims and words that they make.
    pub(crate) fn note_by_hand(&self, change: &mut Change, id: &str, fields: &[(String, String)], now: Ms) {
        let (mut phone, mut email) = (false, false);
        for (field, value) in fields {
            // A card shows one number and one address; all of them are claims.
            let first = match field.as_str() {
                "phone" => !std::mem::replace(&mut phone, true),
                "email" => !std::mem::replace(&mut email, true),
                _ => true,
            };
            if first {
                change.set_contact_field(&FieldRow {
                    contact: id.to_owned(),
                    field: field.clone(),
                    source: "employee".to_owned(),
                    value: value.clone(),
                    trust: 3,
                    ts: now,
                });
            }
            match field.as_str() {
                "phone" | "email" => {
                    change.add_claim(id, &by_hand(field, value, now));
                    change.raise_to_lead(id, now);
                }
                "display_name" => {
                    change.add_contact_name(id, value);
                    change.add_contact_tokens(id, Name::read(value).full_words());
                }
                _ => {}
            }
        }
        change.weigh_contact(id, now);
    }

    /// The contacts that a look-up of the last ten minutes showed to somebody.
    async fn seen(&self, user: Nid, id: &str) -> Result<BTreeSet<String>> {
        let row = lookups::lookup(&mut self.store.reader(), id).await?;
        let fresh = row.filter(|row| row.user == user && row.ts >= self.now() - FRESH);
        let shown = fresh.map(|row| serde_json::from_str(&row.shown)).transpose();
        Ok(shown.map_err(Error::internal)?.unwrap_or_default())
    }
}

fn by_hand(kind: &str, value: &str, now: Ms) -> ClaimRow {
    ClaimRow {
        kind: kind.to_owned(),
        key: crate::claim::key(kind, value),
        value: value.to_owned(),
        trust: 0,
        source: "employee".to_owned(),
        event_id: None,
        since_ts: now,
        until_ts: None,
        conversation: None,
    }
}

/// A new contact, checked.
struct Checked {
    kind: &'static str,
    visibility: &'static str,
    /// What it shows, by field.
    fields: Vec<(String, String)>,
    keys: Vec<Key>,
}

fn check(new: &NewContact) -> Result<Checked> {
    if new.phones.len() + new.emails.len() > MOST_KEYS {
        return Err(Error::invalid_param(format!("A contact may have {MOST_KEYS} numbers and addresses.")));
    }
    let mut fields = Vec::new();
    if let Some(name) = &new.display_name {
        fields.push(("display_name".to_owned(), text(name, "display_name", 120)?));
    }
    let mut keys = Vec::new();
    for (kind, values) in [("phone", &new.phones), ("email", &new.emails)] {
        for value in values {
            let value = text(value, kind, LONGEST)?;
            let read = if kind == "phone" { phones(&value, REGION) } else { emails(&value) };
            if read.is_empty() {
                let said = format!("{kind} is no number or address that exists: {value}");
                return Err(Error::invalid_param(said));
            }
            keys.extend(read);
            fields.push((kind.to_owned(), value));
        }
    }
    if fields.is_empty() {
        return Err(Error::invalid_param("A contact needs a name, a number or an address."));
    }
    Ok(Checked {
        kind: one_of(new.kind.as_deref().unwrap_or("person"), "kind", &crate::card::KINDS)?,
        visibility: one_of(
            new.visibility.as_deref().unwrap_or("all"),
            "visibility",
            &crate::card::VISIBILITIES,
        )?,
        fields,
        keys,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(typed: &str) -> Vec<String> {
        let told = |asked: Asked| match asked {
            Asked::Key(_, key, whole) => format!("{key}{}", if whole { "" } else { "*" }),
            Asked::Words(first, second) => format!("{first} {second}"),
        };
        asked(typed).into_iter().map(told).collect()
    }

    #[test]
    fn what_is_typed_is_words_a_number_or_an_address() {
        assert_eq!(keys("Kow"), ["kov ", "kow*"]);
        assert_eq!(keys("Jan Kowal"), ["koval ian"]);
        assert_eq!(keys("Маттев"), ["matev ", "mattev*"]);
        assert_eq!(keys("jan@fir"), ["jan@fir*"]);
        assert_eq!(keys("512 34"), ["+51234*", "+4851234*"]);
        assert_eq!(keys("+48 512"), ["+48512*"]);
        assert_eq!(keys("512 342 152"), ["+48512342152", "+512342152*", "+48512342152*"]);
    }

    #[test]
    fn a_contact_needs_something_that_exists() {
        let new = |phone: &str| NewContact { phones: vec![phone.to_owned()], ..NewContact::default() };
        assert!(check(&new("512 342 152")).is_ok());
        assert!(check(&new("12")).is_err() && check(&NewContact::default()).is_err());
    }
}
