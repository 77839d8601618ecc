//! Notes, decisions and tasks, for employees and their programs.

use super::api::{Api, Doc, Who};
use super::cards::{Page, by};
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, Query, State};
use crate::respond;
use axum::http::{Method, StatusCode};
use kontor_contacts::notes::{self, Note, Task};
use kontor_flows::conversation::Noted;
use kontor_model::{Error, Ms, ids};
use serde::Deserialize;
use serde_json::{Value, json};

/// Parameters of the list.
const LIST: &[(&str, &str)] = &[
    ("assignee", "Whose, a user id; the caller's when absent."),
    ("limit", "How many, 1 to 500; 50 when absent."),
];

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Employee, summary);
    let path = "/_kontor/contacts/v1/conversations/{id}/notes";
    let summary = "Writes a note or a decision down; it is said backstage as well.";
    let api = api.add(doc(Method::POST, path, summary).taking::<NewNote>(), write);
    let path = "/_kontor/contacts/v1/conversations/{id}/tasks";
    let summary = "Writes something to be done down; it is said backstage as well.";
    let api = api.add(doc(Method::POST, path, summary).taking::<NewTask>(), give);
    let path = "/_kontor/contacts/v1/conversations/{id}/tasks/{number}";
    let summary = "Says that a task was done, or is to be done again.";
    let api = api.add(doc(Method::PATCH, path, summary).taking::<Done>(), done);
    let path = "/_kontor/contacts/v1/tasks";
    let summary = "Lists what somebody is yet to do, by when it is due.";
    api.add(doc(Method::GET, path, summary).asking(LIST), list)
}

/// A note as it is told.
pub(super) fn note(note: &Note) -> Value {
    let row = &note.row;
    json!({
        "event_id": row.event_id, "conversation_id": row.conversation, "kind": row.kind, "author": row.author,
        "ts": row.ts, "text": note.text,
    })
}

/// A task as it is told.
pub(super) fn task(task: &Task) -> Value {
    let row = &task.row;
    let mut told = json!({
        "event_id": row.event_id, "conversation_id": row.conversation, "contact_id": row.contact,
        "number": row.number, "author": row.author, "ts": row.ts, "text": task.text, "assignee": row.assignee,
        "due": row.due, "done_ts": row.done, "done_by": row.done_by,
    });
    if let Some(fields) = told.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    told
}

#[derive(Deserialize)]
struct NewNote {
    /// note or decision; note when absent.
    kind: Option<String>,
    text: String,
}

fn made(body: &Value) -> Answer {
    let mut response = respond::ok(body);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// `POST /_kontor/contacts/v1/conversations/{id}/notes`
async fn write(state: State, caller: Caller, Path(id): Path<String>, Body(body): Body<NewNote>) -> Answer {
    let kind = notes::kind(body.kind.as_deref().unwrap_or("note"))?;
    let noted = Noted::Note(kind);
    let event_id = state.flows.write_note(&by(&state, &caller), &id, &noted, &body.text).await?;
    made(&json!({ "event_id": event_id }))
}

#[derive(Deserialize)]
struct NewTask {
    text: String,
    assignee: Option<String>,
    due: Option<Ms>,
}

/// `POST /_kontor/contacts/v1/conversations/{id}/tasks`
async fn give(state: State, caller: Caller, Path(id): Path<String>, Body(body): Body<NewTask>) -> Answer {
    let assignee = body.assignee.as_deref().map(ids::user_id).transpose()?;
    let noted = Noted::Task(assignee, body.due);
    let event_id = state.flows.write_note(&by(&state, &caller), &id, &noted, &body.text).await?;
    made(&json!({ "event_id": event_id }))
}

#[derive(Deserialize)]
struct Done {
    done: bool,
}

/// `PATCH /_kontor/contacts/v1/conversations/{id}/tasks/{number}`
async fn done(
    state: State,
    caller: Caller,
    Path((id, number)): Path<(String, i64)>,
    Body(body): Body<Done>,
) -> Answer {
    match state.flows.set_done(&by(&state, &caller), &id, number, body.done).await {
        // It is so already, which is what was wanted.
        Err(error) if error.is_conflict() => {}
        outcome => outcome?,
    }
    Ok(respond::empty())
}

#[derive(Deserialize)]
struct Whose {
    assignee: Option<String>,
}

/// `GET /_kontor/contacts/v1/tasks`
async fn list(state: State, caller: Caller, Query(whose): Query<Whose>, Query(page): Query<Page>) -> Answer {
    let assignee = match &whose.assignee {
        None => caller.requester.user,
        // Somebody without a name has nothing to do.
        Some(user) => state.store.known_name(ids::user_id(user)?.as_str()).await?.unwrap_or(-1),
    };
    if page.from.is_some() {
        return Err(Error::invalid_param("This list has no pages; ask for a larger limit.").into());
    }
    let tasks = state.flows.open_tasks(&by(&state, &caller), assignee, page.limit()?).await?;
    Ok(respond::ok(&json!({ "tasks": tasks.iter().map(task).collect::<Vec<_>>() })))
}
