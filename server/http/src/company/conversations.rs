//! Conversations, for employees and their programs: lists and queues, taking them, setting their status,
//! and what was hidden in them. What the caller may not see is not there.

use super::api::{Api, Doc, Who};
use super::cards::{Page, by};
use crate::error::Answer;
use crate::extract::{Body, Caller, Path, Query, State};
use crate::respond;
use axum::http::Method;
use kontor_flows::conversation::reader;
use kontor_model::{Error, Ms, Result, ids};
use kontor_store::contacts::conversations::ConversationRow;
use kontor_store::contacts::queue::{self, Place, Wanted};
use serde::Deserialize;
use serde_json::{Value, json};

/// Parameters of the list.
const LIST: &[(&str, &str)] = &[
    ("status", "open, pending, snoozed or closed."),
    ("assignee", "A user id."),
    ("unassigned", "true: only what nobody has."),
    ("waiting", "true: only those whose customer waits, the longest wait first."),
    ("channel", "Of this channel."),
    ("contact", "Of this contact."),
    ("from", "The \"next\" of an earlier answer."),
    ("limit", "How many, 1 to 500; 50 when absent."),
];

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Employee, summary);
    let path = "/_kontor/contacts/v1/conversations";
    let summary = "Lists the conversations that the caller may see, in the order in which they were opened. A page may hold fewer than were asked for, even none; the list ends where there is no \"next\".";
    let api = api.add(doc(Method::GET, path, summary).asking(LIST), list);
    let path = "/_kontor/contacts/v1/conversations/{id}";
    let api = api.add(doc(Method::GET, path, "Gives a conversation."), get);
    let path = "/_kontor/contacts/v1/conversations/{id}/assign";
    let summary = "Gives a conversation to an employee, who comes into its rooms, or to nobody.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Assignment>(), assign);
    let path = "/_kontor/contacts/v1/conversations/{id}/claim";
    let api = api.add(doc(Method::POST, path, "Takes a conversation that nobody has."), claim);
    let path = "/_kontor/contacts/v1/conversations/{id}/status";
    let api = api.add(doc(Method::POST, path, "Sets the status.").taking::<Status>(), status);
    let path = "/_kontor/contacts/v1/conversations/{id}/versions";
    let summary = "Gives all that an event ever said, redacted or edited; reading is written down.";
    let parameters = &[("event_id", "Which event.")];
    api.add(doc(Method::GET, path, summary).asking(parameters), versions)
}

/// A conversation as it is told.
pub(super) fn shown(row: &ConversationRow) -> Value {
    let mut told = json!({
        "conversation_id": row.id,
        "contact_id": row.contact,
        "channel": row.channel,
        "room_id": row.room_id,
        "backstage_room_id": row.backstage_id,
        "status": row.status,
        "snoozed_until": row.snoozed_until,
        "assignee": row.assignee_id,
        "unassigned_since": row.unassigned_since,
        "exclusive": row.exclusive,
        "waits_since": row.waits_since,
        "last_answered": row.last_answered,
        "opened_ts": row.opened,
        "language": row.language,
        "version": row.version,
    });
    if let Some(fields) = told.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    told
}

#[derive(Deserialize)]
struct Question {
    status: Option<String>,
    assignee: Option<String>,
    #[serde(default)]
    unassigned: bool,
    #[serde(default)]
    waiting: bool,
    channel: Option<String>,
    contact: Option<String>,
}

/// `GET /_kontor/contacts/v1/conversations`
async fn list(
    state: State,
    caller: Caller,
    Query(question): Query<Question>,
    Query(page): Query<Page>,
) -> Answer {
    let who = reader(&caller.requester)?;
    let limit = page.limit()?;
    let assignee = match &question.assignee {
        None => None,
        // Somebody without a name has nothing.
        Some(user) => Some(state.store.known_name(ids::user_id(user)?.as_str()).await?.unwrap_or(-1)),
    };
    // What the archive could not even be asked for is nothing that there is.
    for word in [&question.status, &question.channel, &question.contact, &page.from].into_iter().flatten() {
        ids::storable_key(word, "parameter")?;
    }
    let Question { status, unassigned, waiting, channel, contact, .. } = question;
    let wanted = Wanted { status, assignee, unassigned, channel, contact, waiting };
    let from = page.from.as_deref().unwrap_or_default();
    let after = match waiting {
        true => waiting_after(from)?,
        false => Place { id: from.to_owned(), since: 0 },
    };
    let listed = queue::page(&mut state.store.reader(), who, &wanted, &after, limit).await?;
    let next = listed.next.map(|place| match waiting {
        true => format!("{}_{}", place.since, place.id),
        false => place.id,
    });
    let conversations: Vec<Value> = listed.rows.iter().map(shown).collect();
    Ok(respond::ok(&json!({ "conversations": conversations, "next": next })))
}

fn waiting_after(from: &str) -> Result<Place> {
    if from.is_empty() {
        return Ok(Place::default());
    }
    let forged = || Error::invalid_param("The parameter \"from\" must be the \"next\" of an earlier answer.");
    let (since, id) = from.split_once('_').ok_or_else(forged)?;
    Ok(Place { since: since.parse().map_err(|_| forged())?, id: id.to_owned() })
}

/// `GET /_kontor/contacts/v1/conversations/{id}`
async fn get(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    Ok(respond::ok(&shown(&state.flows.conversation(&by(&state, &caller), &id).await?)))
}

#[derive(Deserialize)]
struct Assignment {
    user_id: Option<String>,
}

/// `POST /_kontor/contacts/v1/conversations/{id}/assign`
async fn assign(
    state: State,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<Assignment>,
) -> Answer {
    let to = body.user_id.as_deref().map(ids::user_id).transpose()?;
    let row = state.flows.assign(&by(&state, &caller), &id, to.as_ref()).await?;
    Ok(respond::ok(&shown(&row)))
}

/// `POST /_kontor/contacts/v1/conversations/{id}/claim`
async fn claim(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    Ok(respond::ok(&shown(&state.flows.claim(&by(&state, &caller), &id).await?)))
}

#[derive(Deserialize)]
struct Status {
    status: String,
    snoozed_until: Option<Ms>,
}

/// `POST /_kontor/contacts/v1/conversations/{id}/status`
async fn status(state: State, caller: Caller, Path(id): Path<String>, Body(body): Body<Status>) -> Answer {
    let done = state.flows.set_status(&by(&state, &caller), &id, &body.status, body.snoozed_until).await?;
    Ok(respond::ok(&shown(&done)))
}

#[derive(Deserialize)]
struct Which {
    event_id: String,
}

/// `GET /_kontor/contacts/v1/conversations/{id}/versions`
async fn versions(
    state: State,
    caller: Caller,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Answer {
    let versions = state.flows.versions(&by(&state, &caller), &id, &which.event_id).await?;
    Ok(respond::ok(&json!({ "versions": versions })))
}
