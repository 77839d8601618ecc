//! Everything of a card in one reading, and telling it in words.

use crate::Contacts;
use crate::card::{Card, chosen};
use crate::consent;
use crate::names;
use crate::notes::{Note, Task};
use crate::told::Told;
use crate::ulid::is_ulid;
use crate::when::length;
use crate::words;
use kontor_model::{Error, Language, Ms, Result};
use kontor_store::contacts::cards;
use kontor_store::contacts::channels;
use kontor_store::contacts::companies::{self, PersonRow};
use kontor_store::contacts::conversations::{self, ConversationRow};
use kontor_store::contacts::facts::{self, FactRow, SumRow};
use kontor_store::contacts::identities::{self, ClaimRow, ConsentRow, IdentityRow};
use kontor_store::contacts::notes;
use kontor_store::contacts::queue::Reader;
use kontor_store::contacts::sources::{self, SourceRow};
use kontor_store::contacts::tags;
use kontor_store::contacts::windows::{self, WindowRow};
use std::collections::BTreeMap;

/// Notes and tasks that a card shows.
const MOST: i64 = 50;
/// Notes that an answer tells.
const TOLD_NOTES: usize = 5;
/// Tasks that an answer tells.
const TOLD_TASKS: usize = 20;
/// Letters of a note or a task that an answer tells.
const TOLD_LETTERS: usize = 300;
/// Facts of one kind that a card shows.
const FACTS: i64 = 20;
/// Other conversations that an answer tells.
const TOLD_CONVERSATIONS: usize = 5;

/// A card with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct CardView {
    /// The contact and its fields.
    pub card: Card,
    /// What is said about the contact.
    pub claims: Vec<ClaimRow>,
    /// How the contact is reached.
    pub identities: Vec<IdentityRow>,
    /// What the contact agreed to and took back.
    pub consents: Vec<ConsentRow>,
    /// What it agrees to by now, by purpose: given, withdrawn.
    pub agreed: BTreeMap<String, String>,
    /// The contact's conversations, oldest first.
    pub conversations: Vec<ConversationRow>,
    /// Notes and decisions, newest first.
    pub notes: Vec<Note>,
    /// What is to be done, then what was done.
    pub tasks: Vec<Task>,
    /// What channels are called.
    pub channels: BTreeMap<String, String>,
    /// Of each kind of facts the newest, newest first.
    pub facts: Vec<FactRow>,
    /// All facts, added up.
    pub sums: Vec<SumRow>,
    /// Systems that tell of facts.
    pub sources: Vec<SourceRow>,
    /// Words by which contacts are sorted.
    pub tags: Vec<String>,
    /// What the contact is in which companies.
    pub companies: Vec<PersonRow>,
    /// Until when answers are taken, where that ends.
    pub windows: Vec<WindowRow>,
}

impl Contacts {
    /// A card with everything of it, in one reading.
    ///
    /// # Errors
    /// `NotFound` for what the reader may not see.
    pub async fn view(&self, reader: Reader, id: &str) -> Result<CardView> {
        let unknown = || Error::not_found("There is no such contact.");
        if !is_ulid(id) {
            return Err(unknown());
        }
        let mut source = self.store.snapshot().await?;
        let contact = cards::by_id(&mut source, reader, id).await?.ok_or_else(unknown)?;
        let values = cards::fields(&mut source, &[id]).await?;
        let channels = channels::all(&mut source).await?;
        let acts = identities::consents(&mut source, id).await?;
        let mut claims = identities::claims(&mut source, id).await?;
        // Of what several say that are one contact by now, the one that is believed most.
        claims.dedup_by(|a, b| (&a.kind, &a.key) == (&b.kind, &b.key));
        let sources = sources::all(&mut source).await?;
        // Where no shop is known, there is nothing to be looked for.
        let (facts, sums) = match sources.is_empty() {
            true => Default::default(),
            false => {
                let facts = facts::of_contacts(&mut source, reader, &[id], FACTS).await?;
                (facts, facts::sums(&mut source, &[id]).await?)
            }
        };
        let conversations = conversations::of_contact(&mut source, id).await?;
        let ids: Vec<&str> = conversations.iter().map(|row| row.id.as_str()).collect();
        let windows = windows::of(&mut source, &ids).await?;
        Ok(CardView {
            facts,
            sums,
            sources,
            tags: tags::of_contact(&mut source, id).await?,
            companies: companies::of_contact(&mut source, id).await?,
            card: Card { contact, fields: chosen(values) },
            claims,
            identities: identities::of_contact(&mut source, id).await?,
            agreed: consent::agreed(&acts),
            consents: acts.into_iter().map(|act| act.consent).collect(),
            conversations,
            windows,
            notes: Note::all(notes::notes(&mut source, id, MOST).await?),
            tasks: Task::all(notes::tasks(&mut source, id, MOST).await?),
            channels: channels.into_iter().map(|channel| (channel.id, channel.name)).collect(),
        })
    }
}

/// For whom and when a card is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// The language.
    pub language: Language,
    /// The company's clock.
    pub calendar: &'a crate::when::Calendar,
    /// The present moment.
    pub now: Ms,
}

impl Telling<'_> {
    /// A moment of the past, with how long ago it is.
    pub fn since(&self, ts: Ms) -> String {
        format!("{} ({})", self.calendar.shown(ts), length(self.now - ts, self.language))
    }

    /// How a conversation stands.
    pub fn status(&self, row: &ConversationRow) -> String {
        let (language, words) = (self.language, words::of(self.language));
        let status = words::status(language, &row.status);
        match row.snoozed_until {
            Some(until) => format!("{status} {} {}", words.until, self.calendar.shown(until)),
            None => status.to_owned(),
        }
    }

    /// A task with its number, who is to do it and until when.
    pub fn task(&self, task: &Task) -> String {
        let words = words::of(self.language);
        let mut text = format!("{}. {}", task.row.number, short(&task.text));
        if let Some(who) = &task.row.assignee {
            text.push_str(&format!(" · {who}"));
        }
        if let Some(due) = task.row.due {
            text.push_str(&format!(" · {} {}", words.until, self.calendar.shown(due)));
            if due < self.now {
                text.push_str(&format!(" ({})", words.overdue));
            }
        }
        text
    }

    /// A note with its author.
    pub fn note(&self, note: &Note) -> String {
        let words = words::of(self.language);
        let kind = if note.row.kind == "decision" { format!("{}: ", words.decision) } else { String::new() };
        format!("{kind}{} · {}, {}", short(&note.text), note.row.author, self.calendar.shown(note.row.ts))
    }
}

impl CardView {
    /// What the contact is called.
    pub fn name(&self, language: Language) -> String {
        let nameless = || names::nameless(language, &self.card.contact.id);
        self.card.display_name().map_or_else(nameless, str::to_owned)
    }

    /// What a channel is called.
    pub fn channel<'a>(&'a self, id: &'a str) -> &'a str {
        self.channels.get(id).map_or(id, String::as_str)
    }

    /// What is yet to be done in one of the conversations, or in all of them.
    pub fn open_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|task| task.row.done.is_none())
    }

    /// The card in words, seen from one of the contact's conversations.
    pub fn told(&self, by: Telling<'_>, here: &ConversationRow, link: &str) -> Told {
        let (language, words) = (by.language, words::of(by.language));
        let contact = &self.card.contact;
        let told = Told::default().title(format!(
            "{} · {} · {}",
            self.name(language),
            self.channel(&here.channel),
            words::stage(language, &contact.stage)
        ));
        let mut told = told.name_some(words.owner, contact.owner_id.clone());
        for (field, value) in self.card.fields.iter().filter(|(field, _)| *field != "display_name") {
            let trust = words::trust(language, value.trust);
            let value = words::value(field, &value.value);
            told = told.name(&words::field(language, field), format!("{value} ({trust})"));
        }
        let told = told.name(words.status, by.status(here));
        let assignee = here.assignee_id.clone().unwrap_or_else(|| words.nobody.to_owned());
        let told = told.name(words.assignee, assignee);
        let told = told.name_some(words.waits, here.waits_since.map(|ts| by.since(ts)));
        let answered = here.last_answered.map_or_else(|| words.never.to_owned(), |ts| by.since(ts));
        let told = told.name(words.answered, answered);
        let told = told.name_some(words.window, self.window(by, here));
        let told = told.join(self.told_worth(by)).join(self.told_facts(by));
        let told = told.join(self.told_claims(by)).join(self.told_tasks(by)).join(self.told_notes(by));
        told.join(self.told_others(by, here)).lead(words.card, link)
    }

    /// Until when answers are taken in a conversation, in words; nothing where that never ends.
    pub fn window(&self, by: Telling<'_>, here: &ConversationRow) -> Option<String> {
        let row = self.windows.iter().find(|row| row.conversation == here.id && row.last > 0)?;
        let (until, words) = (row.until(), words::of(by.language));
        let shown = by.calendar.shown(until);
        Some(match until > by.now {
            true => format!("{} {shown} ({})", words.until, length(until - by.now, by.language)),
            false => format!("{} {shown}", words.closed_since),
        })
    }

    fn told_claims(&self, by: Telling<'_>) -> Told {
        let language = by.language;
        // What the fields show already is not told again.
        let shown = |claim: &&ClaimRow| self.card.fields.values().any(|field| field.value == claim.value);
        let rest: Vec<&ClaimRow> = self.claims.iter().filter(|claim| !shown(claim)).collect();
        if rest.is_empty() {
            return Told::default();
        }
        let told = Told::default().title(words::of(language).claims);
        rest.into_iter().take(TOLD_TASKS).fold(told, |told, claim| {
            let (field, trust) = (words::field(language, &claim.kind), words::trust(language, claim.trust));
            let until =
                claim.until_ts.map(|ts| format!(", {} {}", words::of(language).until, by.calendar.shown(ts)));
            told.item(format!("{field}: {} ({trust}{})", claim.value, until.unwrap_or_default()))
        })
    }

    /// What is to be done, in words; nothing when there is nothing.
    pub fn told_tasks(&self, by: Telling<'_>) -> Told {
        if self.open_tasks().next().is_none() {
            return Told::default();
        }
        let told = Told::default().title(words::of(by.language).tasks);
        self.open_tasks().take(TOLD_TASKS).fold(told, |told, task| told.item(by.task(task)))
    }

    fn told_notes(&self, by: Telling<'_>) -> Told {
        if self.notes.is_empty() {
            return Told::default();
        }
        let told = Told::default().title(words::of(by.language).notes);
        self.notes.iter().take(TOLD_NOTES).fold(told, |told, note| told.item(by.note(note)))
    }

    fn told_others(&self, by: Telling<'_>, here: &ConversationRow) -> Told {
        let others: Vec<&ConversationRow> =
            self.conversations.iter().rev().filter(|row| row.id != here.id).collect();
        if others.is_empty() {
            return Told::default();
        }
        let words = words::of(by.language);
        let told = Told::default().title(words.others);
        others.into_iter().take(TOLD_CONVERSATIONS).fold(told, |told, row| {
            let said = format!("{} · {}", self.channel(&row.channel), by.status(row));
            told.linked(said, words.show, room_link(&row.room_id))
        })
    }
}

/// As much of a text as an answer tells.
fn short(text: &str) -> String {
    let mut rest = text.chars();
    let mut short: String = rest.by_ref().take(TOLD_LETTERS).collect();
    if rest.next().is_some() {
        short.push('…');
    }
    short
}

/// A link that Matrix clients open as a room.
pub fn room_link(room_id: &str) -> String {
    format!("https://matrix.to/#/{room_id}")
}

/// A link that Matrix clients open as an event.
pub fn event_link(room_id: &str, event_id: &str) -> String {
    format!("https://matrix.to/#/{room_id}/{event_id}")
}
