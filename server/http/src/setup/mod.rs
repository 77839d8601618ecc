//! The first administrator: a page that works without scripts, and the same act for scripts.
//!
//! Whoever has the one-time token that the server printed when it started chooses a name and a
//! password. Once an administrator exists, the token is worth nothing.

mod texts;

use crate::app::App;
use crate::error::{Answer, ErrorResponse};
use crate::extract::{Origin, State, bounded, json};
use crate::refused;
use crate::respond;
use askama::Template;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use kontor_model::random::opaque;
use kontor_model::{Code, Error, Result, Secret};
use kontor_store::audit::Action;
use ruma::OwnedUserId;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use texts::Texts;

/// Larger than any honest form.
const LARGEST: usize = 64 * 1024;

/// Adds the routes.
pub fn routes(routes: Router<Arc<App>>) -> Router<Arc<App>> {
    routes.route("/_kontor/setup", get(page).post(create))
}

#[derive(Template)]
#[template(path = "setup.html")]
struct Page<'a> {
    texts: &'static Texts,
    nonce: String,
    server_name: &'a str,
    base_url: &'a str,
    view: View<'a>,
}

/// What the page shows.
enum View<'a> {
    /// The form, with what was wrong with the last try.
    Form { token: &'a str, name: &'a str, wrong: Option<&'static str> },
    /// The link is of no use.
    Closed,
    /// It is done.
    Done { user_id: &'a str },
}

/// Answers a page that nobody may frame, cache or run scripts in; the address of the page holds the
/// token, so no other site is told it.
fn show(app: &App, texts: &'static Texts, view: View<'_>, status: StatusCode) -> Answer {
    let nonce = opaque(&*app.random, 22);
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    let server_name = app.settings.server_name.as_str();
    let page = Page { texts, nonce, server_name, base_url: &app.settings.public_base_url, view };
    let body = page.render().map_err(Error::internal)?;
    let policy = HeaderValue::from_str(&policy).map_err(Error::internal)?;
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(texts.code)),
        (header::VARY, HeaderValue::from_static("Accept-Language")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((status, fields, body).into_response())
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

/// `GET /_kontor/setup`
async fn page(state: State, origin: Origin, headers: HeaderMap, request: Request) -> Answer {
    let app = &state.0;
    let texts = Texts::of(&headers);
    app.limits.spend_login(app, &origin, None)?;
    let link = axum::extract::Query::<Link>::try_from_uri(request.uri());
    let token = link.map(|link| link.0.token).unwrap_or_default();
    match app.identity.check_first_administrator(&token).await {
        Ok(()) => show(app, texts, View::Form { token: &token, name: "", wrong: None }, StatusCode::OK),
        Err(error) if error.code == Code::Forbidden => show(app, texts, View::Closed, StatusCode::FORBIDDEN),
        Err(error) => Err(error.into()),
    }
}

#[derive(Deserialize)]
struct Wish {
    token: String,
    name: String,
    password: Secret<String>,
}

/// `POST /_kontor/setup`, as a form from the page or as JSON from a script.
async fn create(state: State, origin: Origin, headers: HeaderMap, request: Request) -> Answer {
    let app = &state.0;
    app.limits.spend_login(app, &origin, None)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = kind.starts_with("application/x-www-form-urlencoded");
    let bytes = bounded(request, LARGEST).await?;
    if form {
        return by_form(app, &origin, Texts::of(&headers), parse_form(headers, bytes).await?).await;
    }
    let wish: Wish = json(&bytes)?;
    let user_id = make(app, &origin, &wish).await?;
    Ok(respond::ok(&json!({ "user_id": user_id })))
}

/// Reads a form that has arrived whole.
async fn parse_form(headers: HeaderMap, bytes: Bytes) -> Result<Wish> {
    let mut request = Request::new(Body::from(bytes));
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers;
    match axum::extract::Form::<Wish>::from_request(request, &()).await {
        Ok(form) => Ok(form.0),
        Err(cause) => Err(Error::bad_json("The form is incomplete.").because(cause.to_string())),
    }
}

async fn by_form(app: &Arc<App>, origin: &Origin, texts: &'static Texts, wish: Wish) -> Answer {
    match make(app, origin, &wish).await {
        Ok(user_id) => show(app, texts, View::Done { user_id: user_id.as_str() }, StatusCode::OK),
        Err(error) if error.code == Code::Forbidden => show(app, texts, View::Closed, StatusCode::FORBIDDEN),
        Err(error) => {
            let Some(wrong) = texts.wrong(error.code) else { return Err(ErrorResponse::from(error)) };
            let view = View::Form { token: &wish.token, name: &wish.name, wrong: Some(wrong) };
            show(app, texts, view, StatusCode::BAD_REQUEST)
        }
    }
}

async fn make(app: &Arc<App>, origin: &Origin, wish: &Wish) -> Result<OwnedUserId> {
    // One after the other: of two who use the link at the same moment the second finds it used.
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = TURN.lock().await;
    let (name, password) = (wish.name.trim(), wish.password.clone());
    let made = app.identity.first_administrator(wish.token.trim(), name, password, origin.actor());
    let made = made.await;
    if made.as_ref().is_err_and(|error| error.code == Code::Forbidden) {
        refused::note(app, Action::UserCreate, origin.actor(), None);
    }
    let (change, user_id) = made?;
    match app.store.submit(change).await {
        // Somebody took the name or was first: the second look says which.
        Err(error) if error.is_conflict() => {
            app.identity.check_first_administrator(wish.token.trim()).await?;
            Err(Error::new(Code::UserInUse, "This user name is taken. Choose another.").because(error))
        }
        outcome => outcome.map(|_| user_id),
    }
}
