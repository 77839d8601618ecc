//! The threads of a room.

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, Path, Query, State};
use crate::respond;
use axum::Router;
use axum::routing::get;
use kontor_model::Error;
use kontor_rooms::VisibleEvent;
use ruma::OwnedRoomId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Threads where the client asks for no number.
const DEFAULT_LIMIT: usize = 20;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_matrix/client/v1/rooms/{room_id}/threads", get(threads))
}

#[derive(Deserialize)]
struct Params {
    include: Option<String>,
    from: Option<String>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Threads {
    chunk: Vec<VisibleEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

/// `GET /_matrix/client/v1/rooms/{roomId}/threads`
async fn threads(
    axum::extract::State(app): State,
    caller: Caller,
    Path(room_id): Path<OwnedRoomId>,
    Query(params): Query<Params>,
) -> Answer {
    let participated = match params.include.as_deref() {
        None | Some("" | "all") => false,
        Some("participated") => true,
        Some(_) => {
            let error = Error::invalid_param("The parameter include is \"all\" or \"participated\".");
            return Err(error.into());
        }
    };
    let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 {
        return Err(Error::invalid_param("The parameter limit is greater than zero.").into());
    }
    let from = params.from.as_deref().filter(|from| !from.is_empty()).map(str::parse).transpose()?;
    let page = app.flows.threads(&caller.requester, &room_id, from, limit, participated).await?;
    let next_batch = page.next.map(|next| next.to_string());
    Ok(respond::ok(&Threads { chunk: page.chunk, next_batch }))
}
