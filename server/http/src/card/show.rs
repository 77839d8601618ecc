//! Answering pages: what nobody may cache, frame or run scripts in, except those who were named; signing in,
//! and asking the client around the frame who is looking.

use super::texts::Texts;
use super::visit::Visit;
use crate::error::Answer;
use askama::Template;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use kontor_model::random::opaque;
use kontor_model::{Error, Result};

/// What every page needs.
pub(super) struct Frame {
    pub texts: &'static Texts,
    pub code: &'static str,
    pub nonce: String,
    pub theme: &'static str,
    pub address: String,
}

impl Frame {
    pub fn new(visit: &Visit) -> Self {
        Self {
            texts: Texts::of(visit.language),
            code: visit.language.code(),
            nonce: opaque(&*visit.app.random, 22),
            theme: visit.theme.unwrap_or("auto"),
            address: visit.address(),
        }
    }
}

#[derive(Template)]
#[template(path = "card_sign_in.html")]
struct SignIn<'a> {
    frame: Frame,
    server_name: &'a str,
    user: &'a str,
    wrong: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "card_greeting.html")]
struct Greeting<'a> {
    frame: Frame,
    link: String,
    wrong: Option<&'a str>,
}

/// The page on which somebody signs in.
pub(super) fn sign_in(visit: &Visit, user: &str, wrong: Option<&str>) -> Answer {
    let frame = Frame::new(visit);
    let nonce = frame.nonce.clone();
    let server_name = visit.app.settings.server_name.as_str();
    let page = SignIn { frame, server_name, user, wrong }.render().map_err(Error::internal)?;
    whole(visit, page, &nonce, StatusCode::UNAUTHORIZED)
}

/// The page in a frame that does not know yet who is looking.
pub(super) fn greeting(visit: &Visit, wrong: Option<&str>) -> Answer {
    let frame = Frame::new(visit);
    let nonce = frame.nonce.clone();
    let link = format!("{}/_kontor/card/{}", visit.app.settings.public_base_url, visit.id);
    let page = Greeting { frame, link, wrong }.render().map_err(Error::internal)?;
    whole(visit, page, &nonce, StatusCode::OK)
}

fn policy(visit: &Visit, nonce: &str) -> Result<HeaderValue> {
    let frames = match visit.framed {
        true => visit.app.settings.card_clients.join(" "),
        false => "'none'".to_owned(),
    };
    let script = if visit.framed { format!(" script-src 'nonce-{nonce}';") } else { String::new() };
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}';{script} form-action 'self'; base-uri 'none'; frame-ancestors {frames}"
    );
    HeaderValue::from_str(&policy).map_err(Error::internal)
}

/// Answers a page.
pub(super) fn whole(visit: &Visit, page: String, nonce: &str, status: StatusCode) -> Answer {
    let fields = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, policy(visit, nonce)?),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(visit.language.code())),
        (header::VARY, HeaderValue::from_static("Accept-Language, Cookie")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((status, fields, page).into_response())
}
