//! A customer's card as a page: in any browser by its link, and in a frame beside the conversation, where a
//! Matrix client shows it as a widget. It is read without scripts; a small one of our own only asks the
//! client around the frame who is looking.
//!
//! In a browser whoever signed in has a cookie, and forms carry a word that follows from it. In a frame,
//! where cookies of other sites are not sent, the session itself is a field of the forms.

mod acts;
mod page;
mod same;
mod show;
mod texts;
mod visit;

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Origin, Path, Query, State};
use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::routing::get;
use kontor_model::{Code, Error};
use page::Said;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use visit::Visit;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_kontor/card/{id}", get(read).post(act))
}

/// What a client puts into the address of a widget.
#[derive(Clone, Debug, Default, Deserialize)]
struct Wish {
    #[serde(default)]
    widget: String,
    #[serde(default)]
    lang: String,
    #[serde(default)]
    theme: String,
    #[serde(default, rename = "widgetId")]
    name: String,
}

/// `GET /_kontor/card/{id}`, where the id is a conversation's or a contact's
async fn read(
    state: State,
    origin: Origin,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Answer {
    let visit = Visit::new(state.0, origin, &headers, wish, id);
    if visit.framed {
        visit.app.limits.spend_anonymous(&visit.app, &visit.origin)?;
        return show::greeting(&visit, None);
    }
    match visit.by_cookie(&headers).await {
        Ok(guest) => page::card(&visit, &guest, Said::Nothing).await,
        Err(error) if matches!(error.code, Code::UnknownToken { .. } | Code::MissingToken) => {
            show::sign_in(&visit, "", None)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /_kontor/card/{id}`: a form of the page
async fn act(
    state: State,
    origin: Origin,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
    request: Request,
) -> Answer {
    // Browsers say where a form stands; one of another site has no business here.
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return Err(Error::forbidden("This form does not stand on a page of this server.").into());
    }
    let visit = Visit::new(state.0, origin, &headers, wish, id);
    let form: BTreeMap<String, String> = visit::form(&headers, request).await?;
    acts::done(&visit, &headers, &form).await
}
