//! Making a bridge's channel known to the homeserver, through the same door as every administrator: an
//! application service with tokens of the server's making, and the channel that it speaks for. The
//! tokens are kept in the bridge's data folder.

use kontor_model::{Language, Secret};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// Name of the file with the tokens in the bridge's data folder.
const FILE: &str = "registration.json";
const PATIENCE: Duration = Duration::from_secs(30);

/// What a bridge and the homeserver prove themselves to one another with.
#[derive(Clone, Debug, Deserialize)]
pub struct Tokens {
    /// The bridge's.
    pub as_token: Secret<String>,
    /// The homeserver's.
    pub hs_token: Secret<String>,
}

impl Tokens {
    /// The tokens in a bridge's data folder, if it was registered.
    ///
    /// # Errors
    /// A sentence when the file is there and cannot be used.
    pub fn read(folder: &Path) -> Result<Option<Self>, String> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                // serde's own sentence could show what stands there.
                .map_err(|_| {
                    format!("{} is damaged. Remove it and register the bridge again.", path.display())
                }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{} cannot be read: {error}.", path.display())),
        }
    }

    /// Writes them for their owner's eyes only, whole or not at all.
    fn write(&self, folder: &Path) -> Result<(), String> {
        let (path, new) = (folder.join(FILE), folder.join(format!("{FILE}.new")));
        let failed = |error: std::io::Error| format!("{} cannot be written: {error}.", path.display());
        let text = json!({ "as_token": self.as_token.expose(), "hs_token": self.hs_token.expose() });
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(failed)?;
        file.write_all(text.to_string().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)
    }
}

/// The administrator's way to the homeserver.
pub struct Admin {
    client: reqwest::Client,
    base: String,
    token: Secret<String>,
}

/// An answer.
pub struct Answer {
    /// Whether it was done.
    pub done: bool,
    /// Whether there is no such thing.
    pub missing: bool,
    /// What was said.
    pub json: Value,
}

impl Admin {
    /// With this token at this homeserver, which is asked directly: it is in the same house.
    ///
    /// # Errors
    /// A sentence.
    pub fn new(base: &str, token: Secret<String>) -> Result<Self, String> {
        let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build();
        let client = client.map_err(|error| format!("No HTTP client can be made: {error}."))?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned(), token })
    }

    /// The same homeserver with another token.
    pub fn with(&self, token: Secret<String>) -> Self {
        Self { client: self.client.clone(), base: self.base.clone(), token }
    }

    /// Asks, in the administrator's name unless there is another token.
    ///
    /// # Errors
    /// A sentence when the homeserver does not answer.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        token: Option<&Secret<String>>,
    ) -> Result<Answer, String> {
        let token = token.unwrap_or(&self.token);
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if !token.expose().is_empty() {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let silent = |error: reqwest::Error| {
            format!("The homeserver at {} does not answer: {}.", self.base, error.without_url())
        };
        let answer = request.send().await.map_err(silent)?;
        let (done, missing) = (answer.status().is_success(), answer.status().as_u16() == 404);
        let json = answer.json().await.unwrap_or_default();
        Ok(Answer { done, missing, json })
    }

    /// Asks as a page of this origin does, with a visitor's token once there is one.
    ///
    /// # Errors
    /// A sentence with what is said.
    #[cfg(feature = "demo")]
    pub async fn of_page(
        &self,
        origin: &str,
        token: Option<&str>,
        path: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let request = self.client.post(format!("{}{path}", self.base)).header("origin", origin).json(body);
        let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
        let silent =
            |error: reqwest::Error| format!("{} does not answer: {}.", self.base, error.without_url());
        let answer = request.send().await.map_err(silent)?;
        let done = answer.status().is_success();
        let json: Value = answer.json().await.unwrap_or_default();
        if done { Ok(json) } else { Err(format!("{} refuses ({path}): {json}", self.base)) }
    }

    /// Tells something as a system that signs what it says.
    ///
    /// # Errors
    /// A sentence with what is said.
    #[cfg(feature = "demo")]
    pub async fn signed(&self, path: &str, signature: &str, body: String) -> Result<(), String> {
        let request = self.client.post(format!("{}{path}", self.base)).header("kontor-signature", signature);
        let request = request.header("content-type", "application/json").body(body);
        let silent =
            |error: reqwest::Error| format!("{} does not answer: {}.", self.base, error.without_url());
        let answer = request.send().await.map_err(silent)?;
        match answer.status().is_success() {
            true => Ok(()),
            false => {
                Err(format!("{} refuses ({path}): {}", self.base, answer.text().await.unwrap_or_default()))
            }
        }
    }

    /// Asks for something that must work.
    ///
    /// # Errors
    /// A sentence with what the homeserver says.
    pub async fn must(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let answer = self.ask(method, path, body, None).await?;
        if answer.done {
            return Ok(answer.json);
        }
        let said = answer.json.get("error").and_then(Value::as_str).unwrap_or("it gave no reason");
        Err(format!("The homeserver refuses ({path}): {said}"))
    }
}

/// What is to be known to the homeserver.
pub struct Channel<'a> {
    /// Its name for machines.
    pub id: &'a str,
    /// The network.
    pub kind: &'a str,
    /// Where the homeserver reaches the bridge.
    pub url: &'a str,
    /// What people call it; what it is called already, or its id, when `None`.
    pub title: Option<&'a str>,
    /// Who answers there; those of before when empty.
    pub members: &'a [String],
    /// The language of its rooms' notices.
    pub language: Language,
}

/// What the local parts of a channel's customers begin with; the homeserver names them.
pub fn ghosts(channel: &str) -> String {
    format!("kontor_{channel}_")
}

/// Makes a channel known. False when the homeserver knew it and takes the tokens in the folder.
///
/// # Errors
/// A sentence: the homeserver does not answer or refuses, the folder cannot be written.
pub async fn register(admin: &Admin, channel: &Channel<'_>, folder: &Path) -> Result<bool, String> {
    let renewed = service(admin, channel, folder).await?;
    let (all, one) = ("/_kontor/admin/v1/channels", format!("/_kontor/admin/v1/channels/{}", channel.id));
    let known = admin.ask(Method::GET, &one, None, None).await?;
    let mut wish = json!({ "application_service": channel.id });
    if let Some(fields) = wish.as_object_mut() {
        fields.extend(channel.title.map(|title| ("name".to_owned(), json!(title))));
        if !channel.members.is_empty() {
            fields.insert("members".to_owned(), json!(channel.members));
        }
        if !known.done {
            fields.insert("id".to_owned(), json!(channel.id));
            fields.insert("kind".to_owned(), json!(channel.kind));
            fields.insert("language".to_owned(), json!(channel.language.code()));
        }
    }
    match known {
        known if known.done => {
            let changes = renewed || channel.title.is_some() || !channel.members.is_empty();
            if changes {
                admin.must(Method::PATCH, &one, Some(&wish)).await?;
            }
            Ok(changes)
        }
        known if known.missing => admin.must(Method::POST, all, Some(&wish)).await.map(|_| true),
        _ => admin.must(Method::GET, &one, None).await.map(|_| true),
    }
}

/// Makes the application service, anew when its tokens are lost. Its users and rooms stay then; what agents
/// wrote meanwhile is not told to the new one.
async fn service(admin: &Admin, channel: &Channel<'_>, folder: &Path) -> Result<bool, String> {
    let path = "/_kontor/admin/v1/application_services";
    let list = admin.must(Method::GET, path, None).await?;
    let services = list.get("application_services").and_then(Value::as_array);
    let known = services.into_iter().flatten().find(|one| one.get("id").is_some_and(|id| id == channel.id));
    if let Some(known) = known {
        if known.get("from_file").is_some_and(|file| file == true) {
            return Err(format!(
                "The application service {} stands in a registration file of the server's. Give its tokens in the \
                 bridge's configuration (as_token, hs_token) instead of registering it.",
                channel.id
            ));
        }
        if known.get("url").is_some_and(|url| url == channel.url) && is_ours(admin, folder).await? {
            return Ok(false);
        }
        admin.must(Method::DELETE, &format!("{path}/{}", channel.id), None).await?;
    }
    let users = format!("@{}.*", ghosts(channel.id).replace('.', "\\."));
    let wish = json!({
        "id": channel.id,
        "url": channel.url,
        "sender_localpart": format!("{}-bridge", channel.id),
        "namespaces": { "users": [{ "exclusive": true, "regex": users }] },
        "receive_ephemeral": true,
    });
    let made = admin.must(Method::POST, path, Some(&wish)).await?;
    let sender = made.get("sender").and_then(Value::as_str).unwrap_or_default().to_owned();
    let tokens: Tokens = serde_json::from_value(made)
        .map_err(|_| "The homeserver gave no tokens. Is it a Kontor?".to_owned())?;
    tokens.write(folder)?;
    if let Some(title) = channel.title {
        let path = format!("/_matrix/client/v3/profile/{sender}/displayname");
        let name = json!({ "displayname": title });
        admin.with(tokens.as_token).must(Method::PUT, &path, Some(&name)).await?;
    }
    Ok(true)
}

/// Whether the homeserver takes the tokens in the folder.
async fn is_ours(admin: &Admin, folder: &Path) -> Result<bool, String> {
    let Some(tokens) = Tokens::read(folder)? else { return Ok(false) };
    let path = "/_matrix/client/v3/account/whoami";
    Ok(admin.ask(Method::GET, path, None, Some(&tokens.as_token)).await?.done)
}
