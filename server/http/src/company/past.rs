//! What happened with a contact: its timeline, its files, and searching in it.

use super::api::{Api, Doc, Who};
use super::cards::{PAGES, Page};
use super::facts::fact;
use crate::error::Answer;
use crate::extract::{Caller, Path, Query, State};
use crate::respond;
use axum::http::Method;
use kontor_flows::conversation::{Happened, Kinds, Passed, Place, What, place};
use serde::Deserialize;
use serde_json::{Value, json};

/// Parameters of the timeline.
const TIMELINE: &[(&str, &str)] = &[
    ("from", "The \"next\" of an earlier answer."),
    ("limit", "How many, 1 to 500; 50 when absent."),
    (
        "kinds",
        "Only these, with commas: message, note, decision, task; order, payment, shipment, invoice, deal; \
         task_done, merge, merge_undone, assignment.",
    ),
];

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |path, summary| Doc::new(Method::GET, path, Who::Employee, summary);
    let path = "/_kontor/contacts/v1/contacts/{id}/timeline";
    let summary = "What happened with a contact over all channels, the newest first: what was said with it and about it, \
                   as far as the caller reads the rooms, purchases, tasks done, merges and assignments. A page may hold \
                   fewer than were asked for.";
    let api = api.add(doc(path, summary).asking(TIMELINE), timeline);
    let path = "/_kontor/contacts/v1/contacts/{id}/files";
    let summary = "Files that were sent to a contact, by it, or about it, the newest first.";
    let api = api.add(doc(path, summary).asking(PAGES), files);
    let path = "/_kontor/contacts/v1/contacts/{id}/search";
    let summary = "Messages with some words in the conversations of a contact, the newest first.";
    let query = &[("q", "Words; all of them must be in a message."), ("limit", "At most so many.")];
    api.add(doc(path, summary).asking(query), search)
}

fn told(item: &Passed) -> Value {
    json!({
        "conversation_id": item.conversation,
        "channel": item.channel,
        "side": if item.backstage { "backstage" } else { "customer" },
        "room_id": item.room_id,
        "event": item.event,
    })
}

/// `GET /_kontor/contacts/v1/contacts/{id}/timeline`
async fn timeline(
    state: State,
    caller: Caller,
    Path(id): Path<String>,
    Query(page): Query<Page>,
    Query(wish): Query<Wish>,
) -> Answer {
    let limit = usize::try_from(page.limit()?).unwrap_or_default();
    let (kinds, from) = (Kinds::read(wish.kinds.as_deref())?, Place::read(page.from.as_deref())?);
    let (items, next) = state.flows.contact_timeline(&caller.requester, &id, &kinds, from, limit).await?;
    let items: Vec<Value> = items.iter().map(told_of).collect();
    Ok(respond::ok(&json!({ "items": items, "next": next.map(Place::text) })))
}

#[derive(Deserialize)]
struct Wish {
    kinds: Option<String>,
}

/// Something that happened, with its kind and its moment.
fn told_of(happened: &Happened) -> Value {
    let mut item = match &happened.what {
        What::Said(passed) => told(passed),
        What::Fact(row) => json!({ "fact": fact(row) }),
        What::Done(task) => json!({
            "conversation_id": task.row.conversation,
            "task": {
                "number": task.row.number, "text": task.text, "assignee": task.row.assignee, "by": task.row.done_by,
            },
        }),
        What::Merged(row) => json!({
            "merge": { "from": row.from, "into": row.into, "rule": row.rule, "by": row.by },
        }),
        What::Unmerged(row) => {
            json!({ "merge": { "from": row.from, "into": row.into, "by": row.undone_by } })
        }
        What::Assigned(row) => {
            let detail: Value = serde_json::from_str(&row.detail).unwrap_or_default();
            let (from, to) = (detail.get("from"), detail.get("to"));
            json!({
                "conversation_id": row.conversation, "assignment": { "from": from, "to": to, "by": row.by },
            })
        }
    };
    if let Some(fields) = item.as_object_mut() {
        fields.insert("kind".to_owned(), happened.kind.as_str().into());
        fields.insert("ts".to_owned(), happened.ts.into());
    }
    item
}

/// `GET /_kontor/contacts/v1/contacts/{id}/files`
async fn files(state: State, caller: Caller, Path(id): Path<String>, Query(page): Query<Page>) -> Answer {
    let limit = usize::try_from(page.limit()?).unwrap_or_default();
    let before = page.from.as_deref().map(place).transpose()?;
    let past = state.flows.contact_files(&caller.requester, &id, before, limit).await?;
    let items: Vec<Value> = past.items.iter().map(told).collect();
    let next = past.next.map(|next| next.to_string());
    Ok(respond::ok(&json!({ "items": items, "next": next })))
}

#[derive(Deserialize)]
struct Words {
    q: String,
}

/// `GET /_kontor/contacts/v1/contacts/{id}/search`
async fn search(
    state: State,
    caller: Caller,
    Path(id): Path<String>,
    Query(words): Query<Words>,
    Query(page): Query<Page>,
) -> Answer {
    let limit = usize::try_from(page.limit()?).unwrap_or_default();
    let found = state.flows.contact_search(&caller.requester, &id, &words.q, limit).await?;
    Ok(respond::ok(&json!({ "items": found.iter().map(told).collect::<Vec<_>>() })))
}
