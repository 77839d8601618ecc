//! Merging contacts, taking them apart again, and deciding what is suggested.

use super::api::{Api, Doc, Who};
use super::lookup::candidate;
use crate::app::App;
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Body, Caller, Path, State};
use crate::respond;
use axum::http::{Method, StatusCode};
use kontor_contacts::merge::{Plan, Planned, Undo, Wish};
use kontor_flows::conversation::reader;
use kontor_model::{Error, Nid, Result, ids};
use kontor_store::contacts::merges;
use serde::Deserialize;
use serde_json::json;

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Employee, summary);
    let path = "/_kontor/contacts/v1/contacts/{id}/merge";
    let summary = "Merges contacts into this one. Nothing is lost, and it can be undone.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Merge>(), merge);
    let path = "/_kontor/contacts/v1/contacts/{id}/merges";
    let summary = "Lists the merges of a contact and of those merged into it, the newest first.";
    let api = api.add(doc(Method::GET, path, summary), list);
    let path = "/_kontor/contacts/v1/merges/undo";
    let summary = "Undoes a merge, a batch of them, or the one by which a contact became another.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Undo>(), undo);
    let path = "/_kontor/contacts/v1/contacts/{id}/split";
    let summary =
        "Takes the addresses of conversations off a contact: whoever writes there is somebody else.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Split>(), split);
    let path = "/_kontor/contacts/v1/contacts/{id}/suggestions";
    let summary = "Lists who is perhaps the same person as this contact, the likeliest first, with reasons.";
    let api = api.add(doc(Method::GET, path, summary), suggested);
    let path = "/_kontor/contacts/v1/suggestions/accept";
    let summary = "Two contacts that are perhaps one are: the other is merged into the one.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Pair>(), accept);
    let path = "/_kontor/contacts/v1/suggestions/reject";
    let summary =
        "Two contacts are different people: they are never merged by themselves nor suggested again.";
    api.add(doc(Method::POST, path, summary).taking::<Pair>(), reject)
}

/// What is to be merged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    /// The contacts that are merged into this one.
    from: Vec<String>,
    /// Whose they are from now on, a user id; needed when two people own them.
    owner: Option<String>,
    /// A name for what is done together, to be undone together.
    batch: Option<String>,
    /// Whether it is done although somebody said that they are different people.
    #[serde(default)]
    despite_rejection: bool,
}

/// What is to be taken off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Split {
    /// Conversations of the contact.
    conversations: Vec<String>,
}

/// A suggestion.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    /// The contact that stays.
    one: String,
    /// The other.
    other: String,
    /// Whose they are from now on, a user id; needed when two people own them.
    owner: Option<String>,
}

async fn owner(state: &App, owner: Option<&str>) -> Result<Option<Nid>> {
    match owner {
        Some(owner) => Ok(Some(state.flows.employee(&ids::user_id(owner)?).await?)),
        None => Ok(None),
    }
}

async fn name(state: &App, user: Nid) -> Result<String> {
    let found = merges::user_id(&mut state.store.reader(), user).await?;
    found.ok_or_else(|| Error::not_found("There is no such account."))
}

/// Writes a plan; rooms are called by their new names.
async fn write(state: &App, plan: Plan) -> Answer {
    let (contact, batch) = (plan.touched.first().cloned(), plan.batch.clone());
    let merges: Vec<String> = plan.merges.iter().map(Nid::to_string).collect();
    state.flows.write_merges(plan).await?;
    Ok(respond::ok(&json!({ "contact_id": contact, "batch": batch, "merges": merges })))
}

async fn planned(state: &App, planned: Planned) -> Answer {
    let refused = |body| Err(ErrorResponse::with_body(StatusCode::CONFLICT, body));
    match planned {
        Planned::Done(plan) => write(state, *plan).await,
        Planned::TwoOwners(a, b) => refused(json!({
            "errcode": "DEV_KONTOR_TWO_OWNERS",
            "error": "Two people own these contacts. Say in owner whose they are from now on.",
            "owners": [name(state, a).await?, name(state, b).await?],
        })),
        Planned::Apart(a, b) => refused(json!({
            "errcode": "DEV_KONTOR_SET_APART",
            "error": "Somebody said that these are different people. Send despite_rejection if they are not.",
            "contacts": [a, b],
        })),
    }
}

/// `POST /_kontor/contacts/v1/contacts/{id}/merge`
async fn merge(state: State, caller: Caller, Path(id): Path<String>, Body(body): Body<Merge>) -> Answer {
    let batch = body.batch.as_deref().map(|batch| ids::storable_key(batch, "batch").map(|()| batch));
    let wish = Wish {
        into: &id,
        from: &body.from,
        owner: owner(&state, body.owner.as_deref()).await?,
        batch: batch.transpose()?,
        despite: body.despite_rejection,
    };
    let plan = state.contacts.plan_merge(reader(&caller.requester)?, wish, caller.actor()).await?;
    planned(&state, plan).await
}

/// `GET /_kontor/contacts/v1/contacts/{id}/merges`
async fn list(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    let rows = state.contacts.merges_of(reader(&caller.requester)?, &id).await?;
    let told = rows.iter().map(|row| {
        json!({
            "merge_id": row.nid.to_string(), "from": row.from, "into": row.into, "rule": row.rule,
            "by": row.actor, "batch": row.batch, "ts": row.ts, "undone_ts": row.undone,
        })
    });
    Ok(respond::ok(&json!({ "merges": told.collect::<Vec<_>>() })))
}

/// `GET /_kontor/contacts/v1/contacts/{id}/suggestions`
async fn suggested(state: State, caller: Caller, Path(id): Path<String>) -> Answer {
    let reader = reader(&caller.requester)?;
    let contact = state.contacts.now_of(reader, &id).await?;
    let found = state.contacts.suggested(reader, &contact).await?;
    let told = found.iter().map(|(found, reasons)| {
        let reasons = reasons.iter().map(|reason| json!({ "what": reason.what, "bits": reason.bits }));
        let mut told = candidate(found);
        told.insert("evidence".to_owned(), reasons.collect());
        told
    });
    Ok(respond::ok(&json!({ "contact_id": contact, "suggestions": told.collect::<Vec<_>>() })))
}

/// `POST /_kontor/contacts/v1/merges/undo`
async fn undo(state: State, caller: Caller, Body(body): Body<Undo>) -> Answer {
    let rows = state.contacts.merges_to_undo(&body).await?;
    let plan = state.contacts.plan_undo(reader(&caller.requester)?, rows, caller.actor()).await?;
    write(&state, plan).await
}

/// `POST /_kontor/contacts/v1/contacts/{id}/split`
async fn split(state: State, caller: Caller, Path(id): Path<String>, Body(body): Body<Split>) -> Answer {
    let reader = reader(&caller.requester)?;
    let split = state.contacts.plan_split(reader, &id, &body.conversations, caller.actor()).await?;
    state.flows.write_merges(split.plan).await?;
    Ok(respond::ok(&json!({ "contact_id": split.to })))
}

/// `POST /_kontor/contacts/v1/suggestions/accept`
async fn accept(state: State, caller: Caller, Body(pair): Body<Pair>) -> Answer {
    if let Some(arrival) = pair.one.strip_prefix("arrival:") {
        let reader = reader(&caller.requester)?;
        let change = state.contacts.plan_whose(reader, arrival, &pair.other, caller.actor()).await?;
        state.store.submit(change).await?;
        return Ok(respond::ok(&json!({ "contact_id": pair.other })));
    }
    let from = [pair.other];
    let owner = owner(&state, pair.owner.as_deref()).await?;
    let wish = Wish { into: &pair.one, from: &from, owner, batch: None, despite: false };
    let plan = state.contacts.plan_merge(reader(&caller.requester)?, wish, caller.actor()).await?;
    planned(&state, plan).await
}

/// `POST /_kontor/contacts/v1/suggestions/reject`
async fn reject(state: State, caller: Caller, Body(pair): Body<Pair>) -> Answer {
    let reader = reader(&caller.requester)?;
    let change = state.contacts.plan_apart(reader, &pair.one, &pair.other, caller.actor()).await?;
    state.store.submit(change).await?;
    Ok(respond::empty())
}
