//! Arrivals: what came by way of a channel without a conversation here (a call, a form, an import), and
//! what is suggested of contacts. For administrators: whoever tells of arrivals decides whose they are.

use super::api::{Api, Doc, Who};
use super::cards::{PAGES, Page, cut};
use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Query, State};
use crate::respond;
use axum::http::Method;
use kontor_contacts::arrival::{Came, Read, Resolved};
use kontor_model::{Code, Error, Ms, Result};
use kontor_store::contacts::{resolution, suggestions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How often it is tried anew when others decide by the same keys at the same moment.
const TRIES: usize = 20;
/// Steps of one request for weighing.
const STEPS: usize = 20;

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Administrator, summary);
    let path = "/_kontor/contacts/v1/arrivals";
    let summary =
        "Tells of arrivals, in their order; answers whose they are. Told twice, one is resolved once.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Told>().giving::<Answers>(), arrive);
    let summary = "Lists arrivals in the order of their ids, with whose they are by now.";
    let api = api.add(doc(Method::GET, path, summary).asking(PAGES), list);
    let path = "/_kontor/contacts/v1/arrivals/unattributed";
    let summary = "Lists arrivals that are nobody's yet, with the contacts that come into question.";
    let api = api.add(doc(Method::GET, path, summary).asking(PAGES), unattributed);
    let path = "/_kontor/contacts/v1/suggestions";
    let summary = "Lists contacts that are perhaps one, with the reasons in bits.";
    let api = api.add(doc(Method::GET, path, summary).asking(PAGES), suggested);
    let path = "/_kontor/contacts/v1/suggestions/weigh";
    let summary = "Weighs contacts that changed, or all; repeat while more is true.";
    api.add(doc(Method::POST, path, summary).taking::<Weigh>(), weigh)
}

pub(super) fn administrator(caller: &Caller) -> Result<()> {
    match caller.requester.admin {
        true => Ok(()),
        false => Err(Error::forbidden("Only administrators may do this.")),
    }
}

/// Arrivals of one request.
const MOST: usize = 500;

/// Arrivals that are told of together.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    /// In the order in which they came.
    arrivals: Vec<Came>,
    /// A name for what is done together: merges that follow can be undone together.
    #[serde(default)]
    batch: String,
}

/// What was made of them.
#[derive(Deserialize, Serialize)]
struct Answers {
    /// In the same order.
    arrivals: Vec<Resolved>,
}

/// `POST /_kontor/contacts/v1/arrivals`
async fn arrive(state: State, caller: Caller, Body(told): Body<Told>) -> Answer {
    administrator(&caller)?;
    if told.arrivals.is_empty() || told.arrivals.len() > MOST || told.batch.len() > 255 {
        let said = format!("arrivals must hold 1 to {MOST} of them, and batch at most 255 bytes.");
        return Err(Error::invalid_param(said).into());
    }
    kontor_model::ids::storable_key(&told.batch, "batch")?;
    // All of them are checked before one is written.
    let read = told.arrivals.iter().map(|came| state.contacts.read_arrival(came));
    let read: Vec<_> = read.collect::<Result<_>>()?;
    let mut arrivals = Vec::with_capacity(read.len());
    for (id, read, ts) in &read {
        arrivals.push(resolve(&state, id, read, *ts, &told.batch).await?);
    }
    Ok(respond::ok(&Answers { arrivals }))
}

async fn resolve(state: &App, id: &str, read: &Read, ts: Ms, batch: &str) -> Result<Resolved> {
    for _ in 0..TRIES {
        let planned = state.contacts.plan_arrival(id, read, ts, batch).await;
        let outcome = match planned {
            Ok((change, resolved)) => state.store.submit(change).await.map(|_| resolved),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(resolved) => return Ok(resolved),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
        // Told before, or somebody decided by the same at the same moment.
        if let Some(row) = resolution::arrival(&mut state.store.reader(), id).await? {
            return Ok(Resolved {
                arrival_id: row.id,
                contact_id: row.contact,
                rule: row.rule,
                candidates: Vec::new(),
                merged: Vec::new(),
            });
        }
    }
    Err(Error::new(Code::Unavailable, "Many arrivals have the same number at this moment. Try again."))
}

/// `GET /_kontor/contacts/v1/arrivals`
async fn list(state: State, caller: Caller, Query(page): Query<Page>) -> Answer {
    administrator(&caller)?;
    let limit = page.limit()?;
    let after = page.from.as_deref().unwrap_or_default();
    let mut rows = resolution::arrivals(&mut state.store.reader(), after, limit + 1).await?;
    let more = cut(&mut rows, limit);
    let next = rows.last().filter(|_| more).map(|row| row.id.clone());
    let arrivals = rows.iter().map(|row| {
        json!({
            "arrival_id": row.id, "contact_id": row.contact, "place": row.place, "external_id": row.external_id,
            "rule": row.rule, "ts": row.ts,
        })
    });
    Ok(respond::ok(&json!({ "arrivals": arrivals.collect::<Vec<_>>(), "next": next })))
}

/// `GET /_kontor/contacts/v1/arrivals/unattributed`
async fn unattributed(state: State, caller: Caller, Query(page): Query<Page>) -> Answer {
    administrator(&caller)?;
    let limit = page.limit()?;
    let after = page.from.as_deref().unwrap_or_default();
    let mut rows = resolution::unattributed(&mut state.store.reader(), after, limit + 1).await?;
    let more = cut(&mut rows, limit);
    let next = rows.last().filter(|_| more).map(|(row, _)| row.id.clone());
    let arrivals = rows.iter().map(|(row, candidates)| {
        json!({
            "arrival_id": row.id, "place": row.place, "external_id": row.external_id, "ts": row.ts,
            "candidates": candidates,
        })
    });
    Ok(respond::ok(&json!({ "arrivals": arrivals.collect::<Vec<_>>(), "next": next })))
}

/// `GET /_kontor/contacts/v1/suggestions`
async fn suggested(state: State, caller: Caller, Query(page): Query<Page>) -> Answer {
    administrator(&caller)?;
    let limit = page.limit()?;
    let from = page.from.as_deref().unwrap_or_default();
    let after = from.split_once(' ').unwrap_or((from, ""));
    let mut rows = suggestions::page(&mut state.store.reader(), after, limit + 1).await?;
    let more = cut(&mut rows, limit);
    let next = rows.last().filter(|_| more).map(|row| format!("{} {}", row.one, row.other));
    let told = rows.iter().map(|row| {
        let evidence: Value = serde_json::from_str(&row.evidence).unwrap_or_default();
        let weight = f64::from(i32::try_from(row.weight).unwrap_or_default()) / 100.0;
        json!({ "one": row.now.0, "other": row.now.1, "bits": weight, "evidence": evidence, "since_ts": row.ts })
    });
    Ok(respond::ok(&json!({ "suggestions": told.collect::<Vec<_>>(), "next": next })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Weigh {
    /// Whether contacts that did not change are weighed anew too.
    #[serde(default)]
    all: bool,
}

/// `POST /_kontor/contacts/v1/suggestions/weigh`
async fn weigh(state: State, caller: Caller, Body(body): Body<Weigh>) -> Answer {
    administrator(&caller)?;
    if body.all {
        state.store.submit(state.contacts.plan_weighing()).await?;
    }
    let mut weighed = 0;
    for _ in 0..STEPS {
        let (change, count) = state.contacts.weigh_some().await?;
        if count == 0 {
            state.flows.tell_suggestions().await?;
            return Ok(respond::ok(&json!({ "weighed": weighed, "more": false })));
        }
        state.store.submit(change).await?;
        weighed += count;
    }
    Ok(respond::ok(&json!({ "weighed": weighed, "more": true })))
}
