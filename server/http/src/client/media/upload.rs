//! Taking files in: streamed, so that the size of a file does not matter to the server's memory.

use super::session::refuse_ended;
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Caller, Path, Query, State};
use crate::respond;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use kontor_media::{About, Received};
use kontor_model::{Code, Error, Result};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A client that sends nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// An upload that took longer than this may have outlived its session.
const QUICK: Duration = Duration::from_secs(1);

/// What is still read of a body that was refused, so that clients which read the answer only after
/// sending get to see it.
const DRAIN_BYTES: usize = 16 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
pub(super) struct Params {
    filename: Option<String>,
}

/// `POST /_matrix/media/v3/upload`
pub(super) async fn upload(
    state: State,
    caller: Caller,
    Query(params): Query<Params>,
    request: Request,
) -> Answer {
    let app = &state.0;
    let about = about(request.headers(), params);
    let received = receive(&state, &caller, request).await?;
    let uploaded = app.media.upload(received, about, &caller.requester, caller.actor()).await?;
    // The rest of `uploaded` keeps the content from the sweep until this is done.
    app.store.submit(uploaded.change).await?;
    Ok(respond::ok(&json!({ "content_uri": uploaded.uri })))
}

/// `POST /_matrix/media/v1/create`
pub(super) async fn create(state: State, caller: Caller) -> Answer {
    let app = &state.0;
    let promise = app.media.promise(&caller.requester).await?;
    match app.store.submit(promise.change).await {
        Ok(_) => {
            let answer = json!({ "content_uri": promise.uri, "unused_expires_at": promise.expires });
            Ok(respond::ok(&answer))
        }
        Err(error) if error.is_conflict() => Err(app.media.too_many_promises().into()),
        Err(error) => Err(error.into()),
    }
}

/// `PUT /_matrix/media/v3/upload/{serverName}/{mediaId}`
pub(super) async fn upload_promised(
    state: State,
    caller: Caller,
    Path((server, media_id)): Path<(String, String)>,
    Query(params): Query<Params>,
    request: Request,
) -> Answer {
    let app = &state.0;
    let promised = match app.media.promised(&server, &media_id, &caller.requester).await {
        Ok(promised) => promised,
        Err(error) => return Err(refuse(error, request).await),
    };
    let about = about(request.headers(), params);
    let received = receive(&state, &caller, request).await?;
    let uploaded = app.media.fulfil(&promised, received, about, caller.actor()).await?;
    match app.store.submit(uploaded.change).await {
        Ok(_) => Ok(respond::empty()),
        Err(error) if error.is_conflict() => {
            // Why: somebody was faster, or the promise lapsed.
            app.media.promised(&server, &media_id, &caller.requester).await?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

fn about(headers: &HeaderMap, params: Params) -> About {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    About { content_type: content_type.map(str::to_owned), file_name: params.filename }
}

async fn receive(state: &State, caller: &Caller, request: Request) -> Result<Received, ErrorResponse> {
    let app = &state.0;
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let announced = length.and_then(|length| length.parse().ok());
    let mut incoming = match app.media.receive(&caller.requester, announced) {
        Ok(incoming) => incoming,
        Err(error) => return Err(refuse(error, request).await),
    };
    let began = Instant::now();
    let mut body = request.into_body();
    while let Some(piece) = next(&mut body).await? {
        if let Err(error) = incoming.write(&piece).await {
            drain(body).await;
            return Err(error.into());
        }
    }
    let received = incoming.finish().await?;
    if began.elapsed() > QUICK {
        refuse_ended(app, &caller.requester).await?;
    }
    Ok(received)
}

/// The next piece of a body.
async fn next(body: &mut Body) -> Result<Option<bytes::Bytes>> {
    loop {
        match timeout(SILENCE, body.frame()).await {
            Ok(None) => return Ok(None),
            // Trailing fields are no content.
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(piece) => return Ok(Some(piece)),
                Err(_) => continue,
            },
            Ok(Some(Err(cause))) => return Err(ended_early().because(cause)),
            Err(cause) => return Err(ended_early().because(cause)),
        }
    }
}

fn ended_early() -> Error {
    Error::new(Code::InvalidParam, "The upload ended early. Send the file again.")
}

/// Refuses a request whose body was not read yet.
async fn refuse(error: Error, request: Request) -> ErrorResponse {
    // Who asks first whether to send (`Expect: 100-continue`) has not begun to.
    if !request.headers().contains_key(header::EXPECT) {
        drain(request.into_body()).await;
    }
    error.into()
}

async fn drain(mut body: Body) {
    let read_some = async {
        let mut left = DRAIN_BYTES;
        while let Ok(Some(piece)) = next(&mut body).await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = timeout(DRAIN_TIME, read_some).await;
}
