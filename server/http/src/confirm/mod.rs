//! The page behind the link of a mail: it proves that the mail arrived. It works without scripts.
//!
//! Opening the page proves nothing yet, since programs that look through mails open links too;
//! pressing its button does. Afterwards the person is shown the way that the client named, with the
//! name of the place that it leads to, and not sent there unasked: whoever can have a mail sent could
//! name any place.

mod texts;

use crate::app::App;
use crate::error::Answer;
use crate::extract::{Origin, State, bounded, json, language};
use crate::respond;
use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use kontor_identity::threepid::{CONFIRM, ValidationRow};
use kontor_model::random::opaque;
use kontor_model::{Code, Error, Language, Result};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use texts::Texts;

/// Larger than any honest form.
const LARGEST: usize = 16 * 1024;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route(CONFIRM, get(page).post(confirm))
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page<'a> {
    texts: &'static Texts,
    code: &'static str,
    nonce: String,
    server_name: &'a str,
    view: View<'a>,
}

/// What the page shows.
enum View<'a> {
    /// What is to be confirmed.
    Ask { token: &'a str, address: &'a str, reset: bool },
    /// It is confirmed.
    Done { reset: bool, next: Option<Next<'a>> },
    /// The link is of no use.
    Closed,
}

/// Where the person goes on.
struct Next<'a> {
    link: &'a str,
    host: &'a str,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
    lang: Option<String>,
}

/// `GET /_kontor/mail/confirm`
async fn page(state: State, origin: Origin, headers: HeaderMap, request: Request) -> Answer {
    let app = &state.0;
    app.limits.spend_login(app, &origin, None)?;
    let link = axum::extract::Query::<Link>::try_from_uri(request.uri()).map(|link| link.0);
    let link = link.unwrap_or(Link { token: String::new(), lang: None });
    let spoken = spoken(&headers, link.lang.as_deref());
    match app.identity.validation_of(&link.token).await {
        Ok(row) => match row.validated_ts {
            Some(_) => show(app, spoken, done(&row), StatusCode::OK),
            None => {
                let view = View::Ask { token: &link.token, address: &row.address, reset: is_reset(&row) };
                show(app, spoken, view, StatusCode::OK)
            }
        },
        Err(error) if error.code == Code::NotFound => show(app, spoken, View::Closed, StatusCode::NOT_FOUND),
        Err(error) => Err(error.into()),
    }
}

/// The language that the mail was written in, else the browser's.
fn spoken(headers: &HeaderMap, wished: Option<&str>) -> Language {
    wished.and_then(Language::of).unwrap_or_else(|| language(headers))
}

fn is_reset(row: &ValidationRow) -> bool {
    row.purpose == kontor_identity::threepid::Purpose::Reset.word()
}

fn done(row: &ValidationRow) -> View<'_> {
    let next = row.next_link.as_deref().and_then(|link| {
        let (_, rest) = link.split_once("://")?;
        let host = rest.split(['/', '?', '#']).next()?;
        // What stands before an @ looks like a host and is none.
        Some(Next { link, host: host.rsplit('@').next()? })
    });
    View::Done { reset: is_reset(row), next }
}

/// `POST /_kontor/mail/confirm`, as a form from the page or as JSON from a client, which is answered
/// as the identity service API answers `submitToken`.
async fn confirm(state: State, origin: Origin, headers: HeaderMap, request: Request) -> Answer {
    let app = &state.0;
    app.limits.spend_login(app, &origin, None)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = kind.starts_with("application/x-www-form-urlencoded");
    let bytes = bounded(request, LARGEST).await?;
    let link: Link = if form { parse_form(&headers, bytes).await? } else { json(&bytes)? };
    let outcome = validate(app, &link.token).await;
    if !form {
        return match outcome {
            Ok(_) => Ok(respond::ok(&json!({ "success": true }))),
            Err(error) if error.code == Code::NotFound => Ok(respond::ok(&json!({ "success": false }))),
            Err(error) => Err(error.into()),
        };
    }
    let spoken = spoken(&headers, link.lang.as_deref());
    match outcome {
        Ok(row) => show(app, spoken, done(&row), StatusCode::OK),
        Err(error) if error.code == Code::NotFound => show(app, spoken, View::Closed, StatusCode::NOT_FOUND),
        Err(error) => Err(error.into()),
    }
}

async fn validate(app: &App, token: &str) -> Result<ValidationRow> {
    let (change, row) = app.identity.validate(token).await?;
    app.store.submit(change).await?;
    Ok(row)
}

/// Reads a form that has arrived whole.
async fn parse_form(headers: &HeaderMap, bytes: axum::body::Bytes) -> Result<Link> {
    let mut request = Request::new(Body::from(bytes));
    *request.method_mut() = axum::http::Method::POST;
    *request.headers_mut() = headers.clone();
    match axum::extract::Form::<Link>::from_request(request, &()).await {
        Ok(form) => Ok(form.0),
        Err(cause) => Err(Error::bad_json("The form is incomplete.").because(cause.to_string())),
    }
}

/// Answers a page that nobody may frame, cache or run scripts in; its address holds the token, so no
/// other site is told it.
fn show(app: &App, spoken: Language, view: View<'_>, status: StatusCode) -> Answer {
    let nonce = opaque(&*app.random, 22);
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let (texts, code) = (Texts::of(spoken), spoken.code());
    let page = Page { texts, code, nonce, server_name: app.settings.server_name.as_str(), view };
    let body = page.render().map_err(Error::internal)?;
    let policy = HeaderValue::from_str(&policy).map_err(Error::internal)?;
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(code)),
        (header::VARY, HeaderValue::from_static("Accept-Language")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((status, fields, body).into_response())
}
