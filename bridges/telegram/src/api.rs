//! A thin client of the Bot API. The only place where the token is put into an address.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use kontor_bridge_kit::{Call, CallError, Context, Download, Response};
use kontor_model::{Code, Error, Ms, Result, Secret};
use serde_json::{Value, json};
use std::time::Duration;

/// How long a file may take on its way to Telegram.
const FOR_FILES: Duration = Duration::from_secs(80);

/// The Bot API of one bot. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    base: String,
    token: Secret<String>,
}

/// What Telegram said.
#[derive(Clone, Debug)]
pub enum Said {
    /// It did it, and this is what came of it.
    Done(Value),
    /// It did not.
    Refused(Refusal),
    /// Something between us and Telegram answered; whether Telegram did it is not known.
    Nonsense(u16),
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// As in HTTP.
    pub code: u16,
    /// In Telegram's words.
    pub description: String,
    /// Milliseconds after which to try again.
    pub retry_after: Option<Ms>,
    /// The group's new id, if it became a supergroup.
    pub migrate_to: Option<i64>,
}

impl Said {
    fn of(answer: &Response) -> Self {
        let body = answer.json();
        if body.get("ok") == Some(&Value::Bool(true)) {
            return Self::Done(body.get("result").cloned().unwrap_or_default());
        }
        let code = body.get("error_code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let Some(code) = code else { return Self::Nonsense(answer.status) };
        let parameter = |name: &str| body.pointer(&format!("/parameters/{name}")).and_then(Value::as_i64);
        Self::Refused(Refusal {
            code,
            description: body.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
            retry_after: parameter("retry_after").map(|seconds| seconds.clamp(0, 86_400) * 1000),
            migrate_to: parameter("migrate_to_chat_id"),
        })
    }
}

impl Refusal {
    /// Whether Telegram does not know the token.
    pub fn is_access(&self) -> bool {
        self.code == 401 || (self.code == 404 && self.description == "Not Found")
    }

    /// As an error of what only asks.
    pub fn error(&self) -> Error {
        let code = if self.is_access() { Code::Unauthorized } else { Code::Unavailable };
        Error::new(code, "Telegram does not do it.").because(format!("{}: {}", self.code, self.description))
    }
}

impl Api {
    pub fn new(base: &str, token: Secret<String>) -> Self {
        Self { base: base.to_owned(), token }
    }

    fn address(&self, method: &str) -> String {
        format!("{}/bot{}/{method}", self.base, self.token.expose())
    }

    /// Calls a method.
    pub async fn call(
        &self,
        context: &Context,
        method: &str,
        params: &Value,
        patience: Option<Duration>,
    ) -> std::result::Result<Said, CallError> {
        let call = Call {
            method: "POST".to_owned(),
            url: self.address(method),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: params.to_string().into(),
            patience,
        };
        context.outward().call(call).await.map(|answer| Said::of(&answer))
    }

    /// Calls a method with a form that is passed through as it comes.
    pub async fn upload(
        &self,
        context: &Context,
        method: &str,
        media_type: String,
        body: BoxStream<'static, Result<Bytes>>,
        size: Option<u64>,
    ) -> std::result::Result<Said, CallError> {
        let call = Call {
            method: "POST".to_owned(),
            url: self.address(method),
            headers: vec![("content-type".to_owned(), media_type)],
            body: Bytes::new(),
            patience: Some(FOR_FILES),
        };
        context.outward().upload(call, body, size).await.map(|answer| Said::of(&answer))
    }

    /// Asks for something; a refusal is an error.
    ///
    /// # Errors
    /// `Unauthorized` when Telegram does not know the token, `Unavailable` otherwise.
    pub async fn ask(&self, context: &Context, method: &str, params: &Value) -> Result<Value> {
        match self.call(context, method, params, None).await? {
            Said::Done(result) => Ok(result),
            Said::Refused(refusal) => Err(refusal.error()),
            Said::Nonsense(status) => Err(Error::new(Code::Unavailable, "Telegram does not answer.")
                .because(format!("status {status}"))),
        }
    }

    /// Opens a file by its id. Its address holds the token and stays here.
    ///
    /// # Errors
    /// `NotFound` when there is none, `TooLarge` when Telegram does not give such to bots, `Unavailable`
    /// otherwise.
    pub async fn open(&self, context: &Context, file_id: &str) -> Result<Download> {
        let said = self.call(context, "getFile", &json!({ "file_id": file_id }), None).await?;
        let file = match said {
            Said::Done(file) => file,
            Said::Refused(refusal) if refusal.description.contains("file is too big") => {
                return Err(Error::new(
                    Code::TooLarge,
                    "Telegram does not give bots a file as large as this.",
                ));
            }
            Said::Refused(refusal) if refusal.description.contains("invalid file_id") => {
                return Err(Error::not_found("Telegram does not have this file."));
            }
            Said::Refused(refusal) => return Err(refusal.error()),
            Said::Nonsense(_) => return Err(Error::new(Code::Unavailable, "Telegram does not answer.")),
        };
        let path = file.get("file_path").and_then(Value::as_str).unwrap_or_default();
        // A path is a few plain words; what leads elsewhere is none.
        if path.is_empty() || path.starts_with('/') || path.contains("..") {
            return Err(Error::new(Code::Unavailable, "Telegram does not say where this file is."));
        }
        let call = Call {
            method: "GET".to_owned(),
            url: format!("{}/file/bot{}/{path}", self.base, self.token.expose()),
            patience: Some(FOR_FILES),
            ..Call::default()
        };
        let mut download = context.outward().open(call).await?;
        // Telegram calls everything a stream of bytes; the message knows better.
        download.media_type = download.media_type.filter(|kind| kind != "application/octet-stream");
        Ok(download)
    }

    /// Opens somebody's picture, in a middle size.
    ///
    /// # Errors
    /// `NotFound` when there is none, others as [`Api::open`].
    pub async fn picture(&self, context: &Context, user: &str) -> Result<Download> {
        let user: i64 = user.parse().map_err(|_| Error::not_found("There is no such person."))?;
        let params = json!({ "user_id": user, "limit": 1 });
        let photos = self.ask(context, "getUserProfilePhotos", &params).await?;
        let sizes = photos.pointer("/photos/0").and_then(Value::as_array);
        let size = sizes.and_then(|sizes| sizes.get(1).or_else(|| sizes.first()));
        let file = size.and_then(|size| size.get("file_id")).and_then(Value::as_str);
        let mut download =
            self.open(context, file.ok_or_else(|| Error::not_found("There is no picture."))?).await?;
        download.media_type = Some("image/jpeg".to_owned());
        Ok(download)
    }
}
