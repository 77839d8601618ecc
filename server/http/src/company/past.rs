//! What happened with a contact: its timeline, its files, and searching in it.

use super::api::{Api, Doc, Who};
use super::cards::{PAGES, Page};
use crate::error::Answer;
use crate::extract::{Caller, Path, Query, State};
use crate::respond;
use axum::http::Method;
use kontor_flows::conversation::{Passed, place};
use serde::Deserialize;
use serde_json::{Value, json};

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |path, summary| Doc::new(Method::GET, path, Who::Employee, summary);
    let path = "/_kontor/contacts/v1/contacts/{id}/timeline";
    let summary = "What was said with a contact and about it over all channels, the newest first, as far as the \
                   caller reads the rooms. A page may hold fewer than were asked for.";
    let api = api.add(doc(path, summary).asking(PAGES), timeline);
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
async fn timeline(state: State, caller: Caller, Path(id): Path<String>, Query(page): Query<Page>) -> Answer {
    past(&state, &caller, &id, &page, false).await
}

/// `GET /_kontor/contacts/v1/contacts/{id}/files`
async fn files(state: State, caller: Caller, Path(id): Path<String>, Query(page): Query<Page>) -> Answer {
    past(&state, &caller, &id, &page, true).await
}

async fn past(state: &State, caller: &Caller, id: &str, page: &Page, files: bool) -> Answer {
    let limit = usize::try_from(page.limit()?).unwrap_or_default();
    let before = page.from.as_deref().map(place).transpose()?;
    let past = state.flows.contact_past(&caller.requester, id, files, before, limit).await?;
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
