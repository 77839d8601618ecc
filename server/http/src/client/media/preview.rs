//! Previews of links.

use crate::error::Answer;
use crate::extract::{Caller, Query, State};
use crate::respond;
use axum::http::{HeaderMap, header};
use kontor_model::{Code, Error};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(super) struct Params {
    url: Option<String>,
}

/// `GET /_matrix/client/v1/media/preview_url`, and `GET /_matrix/media/v3/preview_url`
///
/// `ts` is not looked at: the newest known preview is given, as the specification allows.
pub(super) async fn preview(
    state: State,
    caller: Caller,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Answer {
    let Some(previews) = &state.previews else {
        return Err(Error::new(Code::Unrecognized, "This server makes no previews of links.").into());
    };
    let url = params.url.ok_or_else(|| Error::new(Code::MissingParam, "Missing parameters: url"))?;
    let languages = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let shown = previews.of(&caller.requester, &url, languages).await?;
    let shown: &RawValue = serde_json::from_str(&shown).map_err(Error::internal)?;
    Ok(respond::ok(&shown))
}
