//! Looking contacts up, and making one by hand: search first, then create.

use super::api::{Api, Doc, Who};
use super::cards::{card, tagged};
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Body, Caller, Query, State};
use crate::respond;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use kontor_contacts::lookup::{Candidate, Created, NewContact};
use kontor_flows::conversation::reader;
use kontor_store::contacts::lookups;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, who, summary| Doc::new(method, path, who, summary);
    let summary =
        "Finds contacts while somebody types: beginnings of the words of a name, of a number, of an address.";
    let path = "/_kontor/contacts/v1/lookup";
    let query = &[("q", "What was typed so far, at least two letters or figures.")];
    let api = api.add(doc(Method::GET, path, Who::Employee, summary).asking(query), look_up);
    let summary =
        "Counts how often each employee made or changed a contact although others stood in the way.";
    let path = "/_kontor/contacts/v1/overrides";
    let query = &[("since", "From when on, milliseconds.")];
    api.add(doc(Method::GET, path, Who::Administrator, summary).asking(query), overrides)
}

/// A contact that was found.
pub(super) fn candidate(found: &Candidate) -> Map<String, Value> {
    let of = |kind: &str| {
        let values = found.keys.iter().filter(|(known, _)| known == kind);
        values.map(|(_, value)| value.clone()).collect::<Vec<String>>()
    };
    let mut told = card(&found.card);
    told.insert("by".to_owned(), found.by.into());
    told.insert("phones".to_owned(), json!(of("phone")));
    told.insert("emails".to_owned(), json!(of("email")));
    told
}

/// The refusal with those who stand in the way.
pub(super) fn in_the_way(candidates: &[Candidate], lookup: Option<&str>) -> ErrorResponse {
    let body = json!({
        "errcode": "DEV_KONTOR_CANDIDATES",
        "error": "Contacts like this are there already. Take one of them, or say in override_reason why not.",
        "lookup_id": lookup,
        "candidates": candidates.iter().map(candidate).collect::<Vec<_>>(),
    });
    ErrorResponse::with_body(StatusCode::CONFLICT, body)
}

#[derive(Deserialize)]
struct Typed {
    q: String,
}

/// `GET /_kontor/contacts/v1/lookup`
async fn look_up(state: State, caller: Caller, Query(typed): Query<Typed>) -> Answer {
    let (change, looked) = state.contacts.look_up(reader(&caller.requester)?, &typed.q).await?;
    // Nobody waits for it to be remembered: it is needed when a contact is made.
    drop(state.store.enqueue(change).await);
    let candidates: Vec<_> = looked.candidates.iter().map(candidate).collect();
    Ok(respond::ok(&json!({ "lookup_id": looked.id, "candidates": candidates })))
}

/// `POST /_kontor/contacts/v1/contacts`
pub(super) async fn create(state: State, caller: Caller, Body(new): Body<NewContact>) -> Answer {
    let reader = reader(&caller.requester)?;
    match state.contacts.plan_contact(reader, &new, caller.actor()).await? {
        Created::Candidates(looked) => Err(in_the_way(&looked.candidates, Some(&looked.id))),
        Created::Planned(change, id) => {
            state.store.submit(*change).await?;
            let made = state.contacts.card(reader, &id).await?;
            let response = (StatusCode::CREATED, axum::Json(card(&made))).into_response();
            Ok(tagged(response, made.contact.version))
        }
    }
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: i64,
}

/// `GET /_kontor/contacts/v1/overrides`
async fn overrides(state: State, caller: Caller, Query(asked): Query<Since>) -> Answer {
    super::arrivals::administrator(&caller)?;
    let counts = lookups::overrides(&mut state.store.reader(), asked.since).await?;
    let told = counts.iter().map(|(user, count)| json!({ "user_id": user, "count": count }));
    Ok(respond::ok(&json!({ "overrides": told.collect::<Vec<_>>() })))
}
