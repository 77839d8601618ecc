//! Notes and tasks that employees write on a card's page or by the company API: the company's own user says
//! them backstage for them, so that everybody there reads them, and that event is what they are.

use super::reader;
use crate::Flows;
use crate::caller::Caller;
use crate::post::{Post, first};
use kontor_contacts::notes::{self, NOTED, Task};
use kontor_contacts::told::Told;
use kontor_contacts::words;
use kontor_model::{Draft, Error, Language, Ms, Nid, Result};
use kontor_rooms::Chain;
use kontor_store::Change;
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::notes as archive;
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId};
use serde_json::json;

/// What somebody writes down.
#[derive(Clone, Debug)]
pub enum Noted {
    /// A note or a decision: its kind.
    Note(&'static str),
    /// Something to be done: by whom, and until when.
    Task(Option<OwnedUserId>, Option<Ms>),
}

impl Flows {
    /// A task of a conversation, if it is there.
    pub(super) async fn task_of(&self, conversation: &str, number: i64) -> Result<Option<Task>> {
        let row = archive::one(&mut self.store.reader(), conversation, number).await?;
        Ok(Task::all(row.into_iter().collect()).into_iter().next())
    }

    /// Writes something down about a conversation; gives the event that says it.
    ///
    /// # Errors
    /// `NotFound` for what the caller may not see, or somebody who is no employee; `InvalidParam` for no
    /// words, too many, or a moment of the past.
    pub async fn write_note(
        &self,
        by: &Caller<'_>,
        id: &str,
        noted: &Noted,
        text: &str,
    ) -> Result<OwnedEventId> {
        let row = self.conversation(by, id).await?;
        let text = notes::words(text)?;
        let to = match noted {
            Noted::Note(_) => (None, None),
            Noted::Task(whom, due) => (self.doer(whom.as_ref()).await?, self.due(*due)?),
        };
        let company = self.company().await?.user_id;
        let content = json!({
            "msgtype": "m.notice",
            "body": self.said_for(by, &row, noted, &text),
            "m.mentions": {},
            NOTED: text,
        });
        let raw = serde_json::value::to_raw_value(&content).map_err(Error::internal)?;
        let content = kontor_model::json::event_content(&raw)?;
        let draft = Draft::message("m.room.message", content, company, by.now);
        let room_id = OwnedRoomId::try_from(row.backstage_id.as_str()).map_err(Error::internal)?;
        // What the act does besides is planned before, and put in when the event has its number.
        let rest = self.plan_rest(by, &row, noted).await?;
        let rows = |chain: &mut Chain| {
            let event = chain.events().first().map(|event| event.nid).unwrap_or_default();
            let user = by.requester.user;
            match noted {
                Noted::Note(kind) => chain.change().add_note(event, &row.id, kind, (user, by.now)),
                Noted::Task(..) => chain.change().add_task(archive::NewTask {
                    event,
                    conversation: &row.id,
                    author: user,
                    assignee: to.0,
                    due: to.1,
                }),
            }
            chain.change().join(rest.clone());
            Ok(())
        };
        let post = Post { drafts: vec![draft], rows: Some(&rows), ..Post::default() };
        first(self.post(&room_id, post).await?)
    }

    /// Audit row and news of the act.
    async fn plan_rest(&self, by: &Caller<'_>, row: &ConversationRow, noted: &Noted) -> Result<Change> {
        let mut change = Change::default();
        let task = matches!(noted, Noted::Task(..));
        self.contacts.plan_noting(&mut change, row, task, by.actor.clone()).await?;
        Ok(change)
    }

    async fn doer(&self, whom: Option<&OwnedUserId>) -> Result<Option<Nid>> {
        match whom {
            None => Ok(None),
            Some(user_id) => self.employee(user_id).await.map(Some),
        }
    }

    fn due(&self, due: Option<Ms>) -> Result<Option<Ms>> {
        match due {
            Some(due) if due <= self.clock.now() => {
                Err(Error::invalid_param("due must be a moment of the future, in milliseconds."))
            }
            due => Ok(due),
        }
    }

    fn said_for(&self, by: &Caller<'_>, row: &ConversationRow, noted: &Noted, text: &str) -> String {
        let language = row.language.as_deref().and_then(Language::of).unwrap_or_default();
        let words = words::of(language);
        let title = match noted {
            Noted::Note("decision") => words.decision,
            Noted::Note(_) => words.note,
            Noted::Task(..) => words.task,
        };
        let (whom, due) = match noted {
            Noted::Task(whom, due) => (whom.as_ref().map(ToString::to_string), *due),
            Noted::Note(_) => (None, None),
        };
        let due = due.map(|due| format!("{} {}", words.until, self.contacts.calendar.shown(due)));
        let parts = [Some(text.to_owned()), whom, due].into_iter().flatten().collect::<Vec<_>>().join(" · ");
        Told::sentence(format!("{} · {title}: {parts}", by.requester.user_id)).plain()
    }

    /// Says that a task was done, or is to be done again.
    ///
    /// # Errors
    /// `NotFound` for what the caller may not see; `Conflict` when it is so already.
    pub async fn set_done(&self, by: &Caller<'_>, id: &str, number: i64, done: bool) -> Result<()> {
        let row = self.conversation(by, id).await?;
        let task = self.task_of(id, number).await?;
        let task = task.ok_or_else(|| Error::not_found("There is no such task."))?;
        let mut change = Change::default();
        self.contacts.plan_done(&mut change, &row, &task, done, by.actor.clone()).await?;
        self.submit_act(change).await
    }

    /// What somebody is yet to do, as far as the caller sees it.
    ///
    /// # Errors
    /// `Forbidden` for those who are no employees.
    pub async fn open_tasks(&self, by: &Caller<'_>, assignee: Nid, limit: i64) -> Result<Vec<Task>> {
        let who = reader(by.requester)?;
        let rows = archive::open_of(&mut self.store.reader(), who, assignee, limit).await?;
        Ok(Task::all(rows))
    }
}
