//! Finding people, and the rooms that one is in with them.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Body, Caller, Query, State};
use crate::{respond, router};
use axum::Router;
use axum::routing::{get, post};
use kontor_model::{Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// People of one answer where the client asks for no number.
const DEFAULT_LIMIT: u64 = 10;
/// Longest term, bytes.
const MAX_TERM: usize = 1_024;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = router::v3(routes, "/user_directory/search", post(search));
    routes
        .route("/_matrix/client/v1/mutual_rooms", get(mutual_rooms))
        .route("/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms", get(older_mutual_rooms))
}

#[derive(Deserialize)]
struct Search {
    search_term: String,
    limit: Option<u64>,
}

/// `POST /_matrix/client/v3/user_directory/search`
async fn search(app: State, caller: Caller, Body(body): Body<Search>) -> Answer {
    if body.search_term.len() > MAX_TERM {
        return Err(Error::invalid_param("The search term is longer than 1024 bytes.").into());
    }
    let limit = usize::try_from(body.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(usize::MAX);
    Ok(respond::ok(&app.flows.find_people(&caller.requester, &body.search_term, limit).await?))
}

#[derive(Deserialize)]
struct Mutual {
    user_id: String,
    from: Option<String>,
    /// What `from` was called before it was in the specification.
    batch_token: Option<String>,
}

async fn told(app: &App, caller: &Caller, asked: &Mutual, next_batch: &str) -> Result<Value> {
    let from = asked.from.as_ref().or(asked.batch_token.as_ref());
    let rooms = app.flows.mutual_rooms(&caller.requester, &asked.user_id, from.map(String::as_str)).await?;
    let mut told = json!({ "joined": rooms.joined, "count": rooms.count });
    if let (Some(told), Some(next)) = (told.as_object_mut(), rooms.next_batch) {
        told.insert(next_batch.to_owned(), next.into());
    }
    Ok(told)
}

/// `GET /_matrix/client/v1/mutual_rooms`
async fn mutual_rooms(app: State, caller: Caller, Query(asked): Query<Mutual>) -> Answer {
    Ok(respond::ok(&told(&app, &caller, &asked, "next_batch").await?))
}

/// `GET /_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms`
async fn older_mutual_rooms(app: State, caller: Caller, Query(asked): Query<Mutual>) -> Answer {
    Ok(respond::ok(&told(&app, &caller, &asked, "next_batch_token").await?))
}
