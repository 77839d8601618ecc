//! Looking people and rooms of other networks up. Bridges know them, and there are none yet.

use crate::app::App;
use crate::error::Answer;
use crate::extract::Caller;
use crate::{respond, router};
use axum::Router;
use axum::routing::get;
use kontor_model::Error;
use serde_json::json;
use std::sync::Arc;

pub(super) fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    let routes = router::v3(routes, "/thirdparty/protocols", get(protocols));
    let routes = router::v3(routes, "/thirdparty/protocol/{protocol}", get(unknown));
    let routes = router::v3(routes, "/thirdparty/location", get(nothing));
    let routes = router::v3(routes, "/thirdparty/location/{protocol}", get(unknown));
    let routes = router::v3(routes, "/thirdparty/user", get(nothing));
    router::v3(routes, "/thirdparty/user/{protocol}", get(unknown))
}

/// `GET /_matrix/client/v3/thirdparty/protocols`
async fn protocols(_: Caller) -> Answer {
    Ok(respond::empty())
}

/// `GET /_matrix/client/v3/thirdparty/location` and `GET /_matrix/client/v3/thirdparty/user`
async fn nothing(_: Caller) -> Answer {
    Ok(respond::ok(&json!([])))
}

/// `GET /_matrix/client/v3/thirdparty/protocol/{protocol}` and the look-ups of one protocol
async fn unknown(_: Caller) -> Answer {
    Err(Error::not_found("No bridge of this server speaks this protocol.").into())
}
