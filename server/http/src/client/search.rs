//! Finding messages by their words (client-server API, "Server Side Search").

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Query, State};
use crate::{respond, router};
use axum::Router;
use axum::routing::post;
use kontor_flows::search::{Around, GroupBy, Key, Order, Request};
use kontor_model::filter::EventFilter;
use kontor_model::{Error, Result};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Events around a result where the client asks for no number.
const DEFAULT_AROUND: u64 = 5;
/// Longest term, bytes.
const MAX_TERM: usize = 4_096;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    router::v3(routes, "/search", post(search))
}

#[derive(Deserialize)]
struct Params {
    next_batch: Option<String>,
}

#[derive(Deserialize)]
struct Search {
    search_categories: Categories,
}

#[derive(Deserialize)]
struct Categories {
    room_events: Option<Criteria>,
}

#[derive(Deserialize)]
struct Criteria {
    search_term: String,
    keys: Option<Vec<String>>,
    filter: Option<Box<RawValue>>,
    order_by: Option<String>,
    event_context: Option<EventContext>,
    #[serde(default)]
    include_state: Option<bool>,
    groupings: Option<Groupings>,
}

#[derive(Deserialize)]
struct EventContext {
    before_limit: Option<u64>,
    after_limit: Option<u64>,
    include_profile: Option<bool>,
}

#[derive(Deserialize)]
struct Groupings {
    #[serde(default)]
    group_by: Vec<GroupKey>,
}

#[derive(Deserialize)]
struct GroupKey {
    key: String,
}

fn unknown(what: &str) -> Error {
    Error::invalid_param(format!("The request holds a value of {what} that this server does not know."))
}

fn key(name: &str) -> Result<Key> {
    match name {
        "content.body" => Ok(Key::Body),
        "content.name" => Ok(Key::Name),
        "content.topic" => Ok(Key::Topic),
        _ => Err(unknown("keys")),
    }
}

fn group(key: &GroupKey) -> Result<GroupBy> {
    match key.key.as_str() {
        "room_id" => Ok(GroupBy::Room),
        "sender" => Ok(GroupBy::Sender),
        _ => Err(unknown("group_by")),
    }
}

fn request(criteria: Criteria, next_batch: Option<&str>) -> Result<Request> {
    if criteria.search_term.len() > MAX_TERM {
        return Err(Error::invalid_param("The search term is longer than 4096 bytes."));
    }
    // An empty list would find nothing; clients that send one mean all keys.
    let keys: Vec<Key> = criteria.keys.iter().flatten().map(|name| key(name)).collect::<Result<_>>()?;
    let order = match criteria.order_by.as_deref() {
        None | Some("rank") => Order::Rank,
        Some("recent") => Order::Recent,
        Some(_) => return Err(unknown("order_by")),
    };
    let filter = criteria.filter.map(|filter| EventFilter::parse(filter.get())).transpose()?;
    let around = criteria.event_context.map(|context| Around {
        before: context.before_limit.unwrap_or(DEFAULT_AROUND),
        after: context.after_limit.unwrap_or(DEFAULT_AROUND),
        profiles: context.include_profile.unwrap_or(false),
    });
    let mut groups: Vec<GroupBy> = Vec::new();
    for wanted in criteria.groupings.iter().flat_map(|groupings| &groupings.group_by) {
        let wanted = group(wanted)?;
        if !groups.contains(&wanted) {
            groups.push(wanted);
        }
    }
    Ok(Request {
        term: criteria.search_term,
        keys,
        filter: filter.unwrap_or_default(),
        order,
        around,
        groups,
        state: criteria.include_state.unwrap_or(false),
        from: next_batch.filter(|token| !token.is_empty()).map(str::parse).transpose()?,
    })
}

/// `POST /_matrix/client/v3/search`
async fn search(
    app: State,
    caller: Caller,
    Query(params): Query<Params>,
    Body(body): Body<Search>,
) -> Answer {
    let Some(criteria) = body.search_categories.room_events else {
        return Ok(respond::ok(&json!({ "search_categories": {} })));
    };
    let request = request(criteria, params.next_batch.as_deref())?;
    let found = app.flows.search(&caller.requester, &request).await?;
    Ok(respond::ok(&json!({ "search_categories": { "room_events": found } })))
}
