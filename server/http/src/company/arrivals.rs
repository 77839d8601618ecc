//! Arrivals: what came by way of a channel without a conversation here (a call, a form, an import), and
//! what is suggested of contacts. For administrators: whoever tells of arrivals decides whose they are.

use super::api::{Api, Doc, Who};
use super::cards::{Page, cut};
use crate::error::Answer;
use crate::extract::{Body, Caller, Query, State};
use crate::respond;
use axum::http::Method;
use kontor_contacts::arrival::{Came, Resolved};
use kontor_model::{Code, Error, Result};
use kontor_store::contacts::{resolution, suggestions};
use serde::Deserialize;
use serde_json::{Value, json};

/// How often it is tried anew when others decide by the same keys at the same moment.
const TRIES: usize = 20;
/// Steps of one request for weighing.
const STEPS: usize = 20;

/// Parameters of lists.
const PAGES: &[(&str, &str)] =
    &[("from", "The \"next\" of an earlier answer."), ("limit", "How many, 1 to 500; 50 when absent.")];

/// Adds the routes.
pub fn routes(api: Api) -> Api {
    let doc = |method, path, summary| Doc::new(method, path, Who::Administrator, summary);
    let path = "/_kontor/contacts/v1/arrivals";
    let summary = "Tells of an arrival; answers whose it is. Told twice, it is resolved once.";
    let api = api.add(doc(Method::POST, path, summary).taking::<Came>().giving::<Resolved>(), arrive);
    let summary = "Lists arrivals in the order of their ids, with whose they are by now.";
    let api = api.add(doc(Method::GET, path, summary).asking(PAGES), list);
    let path = "/_kontor/contacts/v1/suggestions";
    let summary = "Lists contacts that are perhaps one, with the reasons in bits.";
    let api = api.add(doc(Method::GET, path, summary).asking(PAGES), suggested);
    let path = "/_kontor/contacts/v1/suggestions/weigh";
    let summary = "Weighs contacts that changed, or all; repeat while more is true.";
    api.add(doc(Method::POST, path, summary).taking::<Weigh>(), weigh)
}

fn administrator(caller: &Caller) -> Result<()> {
    match caller.requester.admin {
        true => Ok(()),
        false => Err(Error::forbidden("Only administrators may do this.")),
    }
}

/// `POST /_kontor/contacts/v1/arrivals`
async fn arrive(state: State, caller: Caller, Body(came): Body<Came>) -> Answer {
    administrator(&caller)?;
    let (id, read, ts) = state.contacts.read_arrival(&came)?;
    for _ in 0..TRIES {
        let (change, resolved) = state.contacts.plan_arrival(&id, &read, ts).await?;
        match state.store.submit(change).await {
            Ok(_) => return Ok(respond::ok(&resolved)),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
        // Told before, or somebody decided by the same at the same moment.
        if let Some(row) = resolution::arrival(&mut state.store.reader(), &id).await? {
            let resolved = Resolved {
                arrival_id: row.id,
                contact_id: row.contact,
                rule: row.rule,
                candidates: Vec::new(),
                merged: Vec::new(),
            };
            return Ok(respond::ok(&resolved));
        }
    }
    Err(Error::new(Code::Unavailable, "Many arrivals have the same number at this moment. Try again.").into())
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
            return Ok(respond::ok(&json!({ "weighed": weighed, "more": false })));
        }
        state.store.submit(change).await?;
        weighed += count;
    }
    Ok(respond::ok(&json!({ "weighed": weighed, "more": true })))
}
