//! Notes, decisions and tasks: what they say, and planning them. Their words are those of the backstage
//! event that says them.

use crate::command;
use crate::news::News;
use crate::{Contacts, one_of, text};
use kontor_model::{Error, Ms, Nid, Result};
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit};
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::crm_acts::CrmAct;
use kontor_store::contacts::notes::{NewTask, NoteRow, TaskRow};
use serde::Deserialize;

/// What can be noted.
pub const KINDS: [&str; 2] = ["note", "decision"];
/// Field of an event that the company's own user wrote for an employee: what was noted.
pub const NOTED: &str = "dev.kontor.noted";
/// Longest note or task, bytes: with its wrapping it fits into an event, as text and as HTML.
const LONGEST: usize = 10_000;

/// A note or a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What the archive has of it.
    pub row: NoteRow,
    /// What it says.
    pub text: String,
}

/// Something that is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What the archive has of it.
    pub row: TaskRow,
    /// What it says.
    pub text: String,
}

impl Note {
    /// Those that still say something.
    pub fn all(rows: Vec<NoteRow>) -> Vec<Self> {
        let read = |row: NoteRow| said_by(&row.content, false).map(|text| Self { text, row });
        rows.into_iter().filter_map(read).collect()
    }
}

impl Task {
    /// Those that still say something.
    pub fn all(rows: Vec<TaskRow>) -> Vec<Self> {
        let read = |row: TaskRow| said_by(&row.content, true).map(|text| Self { text, row });
        rows.into_iter().filter_map(read).collect()
    }
}

/// What the event of a note says, or that of a task.
pub(crate) fn said_by(content: &[u8], is_task: bool) -> Option<String> {
    if is_task { said(content, |rest| command::task(rest).text) } else { said(content, str::to_owned) }
}

/// What an event notes: a command says it after its word.
fn said(content: &[u8], of_command: impl Fn(&str) -> String) -> Option<String> {
    #[derive(Deserialize)]
    struct Content {
        body: Option<String>,
        #[serde(rename = "dev.kontor.noted")]
        noted: Option<String>,
        #[serde(rename = "m.relates_to")]
        relates_to: Option<Relation>,
    }
    #[derive(Deserialize)]
    struct Relation {
        #[serde(rename = "m.in_reply_to")]
        answers: Option<serde::de::IgnoredAny>,
    }
    let content = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let content: Content = serde_json::from_slice(content).ok()?;
    if let Some(noted) = content.noted {
        return Some(noted);
    }
    let body = content.body?;
    let answers = content.relates_to.is_some_and(|relation| relation.answers.is_some());
    let order = command::read(command::without_quotation(&body, answers))?;
    Some(of_command(order.rest)).filter(|text| !text.is_empty())
}

/// The words of a note or a task from outside.
///
/// # Errors
/// `InvalidParam` when there are none, or too many.
pub fn words(value: &str) -> Result<String> {
    let lines: Vec<String> = value
        .lines()
        .map(|line| line.chars().filter(|c| !c.is_control() || *c == '\t').collect::<String>())
        .collect();
    let value = lines.join("\n");
    let value = value.trim();
    if value.is_empty() || value.len() > LONGEST {
        return Err(Error::invalid_param(format!("text must have 1 to {LONGEST} bytes.")));
    }
    Ok(value.to_owned())
}

/// One of [`KINDS`].
///
/// # Errors
/// `InvalidParam` for another word.
pub fn kind(word: &str) -> Result<&'static str> {
    one_of(&text(word, "kind", 40)?, "kind", &KINDS)
}

impl Contacts {
    /// Adds to a change that an event of it is a note or a decision.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_note(
        &self,
        change: &mut Change,
        row: &ConversationRow,
        event: (Nid, &str),
        kind: &'static str,
        actor: Actor,
    ) -> Result<()> {
        change.add_note(event.0, &row.id, kind, (actor.user.unwrap_or_default(), self.now()));
        self.note_act(change, row, Action::ConversationNote, Some(event.1), actor).await
    }

    /// Adds to a change the audit row and the news of writing a note or a task down.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_noting(
        &self,
        change: &mut Change,
        row: &ConversationRow,
        task: bool,
        actor: Actor,
    ) -> Result<()> {
        let action = if task { Action::ConversationTask } else { Action::ConversationNote };
        self.note_act(change, row, action, None, actor).await
    }

    /// Adds to a change that an event of it says what is to be done.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_task(
        &self,
        change: &mut Change,
        row: &ConversationRow,
        event: (Nid, &str),
        to: (Option<Nid>, Option<Ms>),
        actor: Actor,
    ) -> Result<()> {
        change.add_task(NewTask {
            event: event.0,
            conversation: &row.id,
            author: actor.user.unwrap_or_default(),
            assignee: to.0,
            due: to.1,
        });
        self.note_act(change, row, Action::ConversationTask, Some(event.1), actor).await
    }

    /// Adds to a change that a task was done, or is to be done again. Submitting ends in `Conflict` when
    /// it is so already.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn plan_done(
        &self,
        change: &mut Change,
        row: &ConversationRow,
        task: &Task,
        done: bool,
        actor: Actor,
    ) -> Result<()> {
        let (by, now) = (actor.user.unwrap_or_default(), self.now());
        change.set_task_done(&row.id, task.row.number, done.then_some((now, by)));
        if done {
            change.tell_crms_act(CrmAct {
                conversation: &row.id,
                kind: "done",
                event: Some(task.row.event),
                by: Some(by),
                to: None,
                ts: now,
            });
        }
        self.note_act(change, row, Action::ConversationTask, Some(&task.row.event_id), actor).await
    }

    async fn note_act(
        &self,
        change: &mut Change,
        row: &ConversationRow,
        action: Action,
        event_id: Option<&str>,
        actor: Actor,
    ) -> Result<()> {
        let mut audit = Audit::done(action, actor, self.now()).on("conversation", row.id.as_str());
        audit.detail = event_id.map(|id| serde_json::json!({ "event_id": id }).to_string());
        change.audit(self.store.nid().await?, audit);
        let news = News {
            kind: "contact.updated",
            contact: &row.contact,
            conversation: Some(&row.id),
            room_id: Some(&row.room_id),
            ..News::default()
        };
        self.tell(change, &news, None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_say_what_their_events_say() {
        let read = |content: &str| said(content.as_bytes(), |rest| command::task(rest).text);
        for (content, text) in [
            (r#"{"body":"!notatka a b","msgtype":"m.text"}"#, Some("a b")),
            (r#"{"body":"!zadanie call @bob 2026-10-05"}"#, Some("call")),
            ("{\"body\":\"!note a\\nb\"}\n{\"unsigned\":1}", Some("a b")),
            (r#"{"body":"Anna: x","dev.kontor.noted":"x"}"#, Some("x")),
            (
                r#"{"body":"> <@a:x> hi\n\n!note x","m.relates_to":{"m.in_reply_to":{"event_id":"$e"}}}"#,
                Some("x"),
            ),
            ("{}", None),
            (r#"{"body":"!note"}"#, None),
            (r#"{"body":1}"#, None),
            ("", None),
        ] {
            assert_eq!(read(content).as_deref(), text, "{content}");
        }
        assert_eq!(words(" a\r\n\tb\u{7}\n").unwrap(), "a\n\tb");
        assert!(words(" \n ").is_err() && words(&"x".repeat(10_001)).is_err());
        assert!(kind("note").is_ok() && kind("x").is_err());
    }
}
