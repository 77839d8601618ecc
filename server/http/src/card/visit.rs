//! Who looks at a card: in which language, in a frame or not, and by which session.

use super::Wish;
use crate::app::App;
use crate::extract::{Origin, bounded, language};
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kontor_flows::caller::Caller;
use kontor_model::{Code, Error, Language, Ms, Requester, Result, Secret};
use kontor_store::audit::Actor;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Larger than any honest form.
const LARGEST: usize = 64 * 1024;
/// Name of the cookie.
const COOKIE: &str = "kontor_card";

/// A request for a card.
pub(super) struct Visit {
    pub app: Arc<App>,
    pub origin: Origin,
    pub language: Language,
    /// Whether a client shows the page in a frame.
    pub framed: bool,
    /// What the client calls the widget.
    pub name: String,
    /// `dark` or `light`, if the client says so.
    pub theme: Option<&'static str>,
    /// The conversation's or the contact's.
    pub id: String,
}

/// Somebody who proved who they are.
pub(super) struct Guest {
    pub requester: Requester,
    /// The session.
    pub token: Secret<String>,
}

impl Guest {
    /// The word that forms carry beside the cookie: follows from the session, and does not tell it.
    pub fn word(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(b"kontor card form ");
        digest.update(self.token.expose().as_bytes());
        URL_SAFE_NO_PAD.encode(digest.finalize())
    }

    fn actor(&self, visit: &Visit) -> Actor {
        Actor { user: Some(self.requester.user), ..visit.origin.actor() }
    }

    /// As procedures need a caller.
    pub fn caller(&self, visit: &Visit) -> Caller<'_> {
        Caller { requester: &self.requester, actor: self.actor(visit), now: visit.app.clock.now() }
    }
}

fn no_session() -> Error {
    Error::new(Code::MissingToken, "Sign in first.")
}

impl Visit {
    pub fn new(app: Arc<App>, origin: Origin, headers: &HeaderMap, wish: Wish, id: String) -> Self {
        let wished = wish.lang.get(..2).and_then(Language::of);
        let theme = match wish.theme.to_lowercase() {
            theme if theme.contains("dark") => Some("dark"),
            theme if theme.contains("light") => Some("light"),
            _ => None,
        };
        let language = wished.unwrap_or_else(|| language(headers));
        // Where nobody may show the card in a frame, it is not asked who does.
        let framed = wish.widget == "1" && !app.settings.card_clients.is_empty();
        // Letters that need no escaping in an address.
        let plain = |letter: &char| letter.is_ascii_alphanumeric() || "._-".contains(*letter);
        let name = wish.name.chars().filter(plain).take(200).collect();
        Self { app, origin, language, framed, name, theme, id }
    }

    /// The page's own address, for its forms.
    pub fn address(&self) -> String {
        let id: String = self.id.chars().filter(|letter| letter.is_ascii_alphanumeric()).take(64).collect();
        let lang = self.language.code();
        match self.framed {
            false => format!("/_kontor/card/{id}"),
            true => {
                let (name, theme) = (&self.name, self.theme.unwrap_or_default());
                format!("/_kontor/card/{id}?widget=1&lang={lang}&theme={theme}&widgetId={name}")
            }
        }
    }

    /// Whoever the cookie of a browser names.
    ///
    /// # Errors
    /// `MissingToken`, `UnknownToken`.
    pub async fn by_cookie(&self, headers: &HeaderMap) -> Result<Guest> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let token = pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned());
        self.by_token(&token.ok_or_else(no_session)?).await
    }

    async fn by_token(&self, token: &str) -> Result<Guest> {
        let requester = self.app.identity.by_page_session(token).await?;
        self.app.limits.spend(&self.app, &requester)?;
        Ok(Guest { requester, token: Secret::new(token.to_owned()) })
    }

    /// Whoever sends a form. In a frame the form holds the session; in a browser it holds the word that
    /// only a page of the same session could show.
    ///
    /// # Errors
    /// As [`Visit::by_cookie`]; `Forbidden` without the word.
    pub async fn by_form(&self, headers: &HeaderMap, form: &BTreeMap<String, String>) -> Result<Guest> {
        if let Some(token) = form.get("session").filter(|_| self.framed) {
            return self.by_token(token).await;
        }
        let guest = self.by_cookie(headers).await?;
        if form.get("word").is_none_or(|word| *word != guest.word()) {
            return Err(Error::forbidden("This form is too old. Open the card again."));
        }
        Ok(guest)
    }

    /// The field that gives a browser its session, or takes it away.
    ///
    /// # Errors
    /// `Internal` for what is no field, which would be a defect.
    pub fn cookie(&self, token: &str, life: Ms) -> Result<HeaderValue> {
        let secure = if self.app.settings.public_base_url.starts_with("https:") { "; Secure" } else { "" };
        let age = life / 1000;
        let cookie =
            format!("{COOKIE}={token}; Path=/_kontor/card; Max-Age={age}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&cookie).map_err(Error::internal)
    }
}

/// Reads a form that arrives as a whole.
///
/// # Errors
/// `TooLarge`, `BadJson`.
pub(super) async fn form(headers: &HeaderMap, request: Request) -> Result<BTreeMap<String, String>> {
    let bytes = bounded(request, LARGEST).await?;
    let mut request = Request::new(Body::from(bytes));
    *request.method_mut() = Method::POST;
    *request.headers_mut() = headers.clone();
    match axum::extract::Form::<BTreeMap<String, String>>::from_request(request, &()).await {
        Ok(form) => Ok(form.0),
        Err(cause) => Err(Error::bad_json("The form is incomplete.").because(cause.to_string())),
    }
}
