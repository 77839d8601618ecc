//! Files: upload, download, thumbnails ("Content repository"). What HTTP makes of them is here:
//! streams, ranges, fields of the answer. What a file is and who may have it is the department's.

mod answer;
pub mod disposition;
mod download;
mod preview;
pub mod ranges;
mod session;
mod upload;

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Caller, State};
use crate::respond;
use axum::Router;
use axum::routing::{get, post, put};
use serde_json::json;
use std::sync::Arc;

/// Versions under which the older addresses are known.
const OLD: [&str; 3] = ["v3", "r0", "v1"];

/// Adds the routes.
pub(crate) fn routes(mut routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let new = "/_matrix/client/v1/media";
    routes = routes
        .route(&format!("{new}/config"), get(config))
        .route(&format!("{new}/preview_url"), get(preview::preview))
        .route(&format!("{new}/download/{{server}}/{{media_id}}"), get(download::download))
        .route(&format!("{new}/download/{{server}}/{{media_id}}/{{name}}"), get(download::download_named))
        .route(&format!("{new}/thumbnail/{{server}}/{{media_id}}"), get(download::thumbnail))
        .route("/_matrix/media/v1/create", post(upload::create))
        .route("/_matrix/media/v3/upload/{server}/{media_id}", put(upload::upload_promised));
    for version in OLD {
        let old = format!("/_matrix/media/{version}");
        let file = format!("{old}/download/{{server}}/{{media_id}}");
        routes = routes
            .route(&format!("{old}/upload"), post(upload::upload))
            .route(&format!("{old}/config"), get(config))
            .route(&format!("{old}/preview_url"), get(preview::preview))
            .route(&file, get(download::legacy_download))
            .route(&format!("{file}/{{name}}"), get(download::legacy_download_named))
            .route(&format!("{old}/thumbnail/{{server}}/{{media_id}}"), get(download::legacy_thumbnail));
    }
    routes
}

/// `GET /_matrix/client/v1/media/config`, and `GET /_matrix/media/v3/config`
async fn config(state: State, _: Caller) -> Answer {
    Ok(respond::ok(&json!({ "m.upload.size": state.0.media.upload_limit() })))
}
