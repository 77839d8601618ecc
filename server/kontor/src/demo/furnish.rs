//! People, their passwords and the channels of the demonstration, made through the administration API at
//! the first start and found again at later ones.

use super::Place;
use crate::bridge::{Admin, Channel, register};
use crate::system::{SystemRandom, say};
use kontor_model::random::opaque;
use kontor_model::{Language, Secret};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The administrator.
const MARIA: &str = "maria";
/// Local parts and names of everybody.
const NAMES: [(&str, &str); 3] =
    [(MARIA, "Maria Olszewska"), ("anna", "Anna z pracowni"), ("taras", "Taras od wysyłek")];
/// Name of the file with the passwords in the demonstration's folder.
const FILE: &str = "passwords.json";

/// Everybody with a password.
pub struct People(Map<String, Value>);

impl People {
    /// Those of the folder; passwords are made at the first start.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn of_folder(folder: &Path) -> Result<Self, String> {
        let path = folder.join(FILE);
        if let Ok(text) = std::fs::read_to_string(&path)
            && let Ok(people) = serde_json::from_str(&text)
        {
            return Ok(Self(people));
        }
        let made = NAMES.iter().map(|(name, _)| ((*name).to_owned(), json!(password()))).collect();
        let text = Value::Object(made).to_string();
        let failed = |error: std::io::Error| format!("{} cannot be written: {error}.", path.display());
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Self::of_folder(folder)
    }

    /// Somebody's password.
    pub fn password(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// A password that is easily typed.
fn password() -> String {
    let letters: Vec<char> = opaque(&SystemRandom, 16).to_lowercase().chars().collect();
    letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
}

/// Makes what is not there yet.
///
/// # Errors
/// A sentence: the server does not answer or refuses.
pub async fn furnish(server: &Admin, people: &People, place: &Place) -> Result<(), String> {
    if let Ok(token) = std::fs::read_to_string(place.server_data().join("first-admin-token")) {
        let wish = json!({ "token": token.trim(), "name": MARIA, "password": people.password(MARIA) });
        server.must(Method::POST, "/_kontor/setup", Some(&wish)).await?;
    }
    let login = json!({
        "type": "m.login.password", "identifier": { "type": "m.id.user", "user": MARIA },
        "password": people.password(MARIA), "initial_device_display_name": "kontor demo",
    });
    let session = server.ask(Method::POST, "/_matrix/client/v3/login", Some(&login), None).await?;
    let Some(token) = session.json.get("access_token").and_then(Value::as_str) else {
        say("Maria's password was changed, so people and channels stay as they are.");
        return Ok(());
    };
    let admin = server.with(Secret::new(token.to_owned()));
    let everybody = admin.must(Method::GET, "/_kontor/admin/v1/people?limit=1000", None).await?.to_string();
    for (name, shown) in NAMES {
        if name == MARIA {
            let path = format!("/_matrix/client/v3/profile/@{name}:localhost/displayname");
            admin.must(Method::PUT, &path, Some(&json!({ "displayname": shown }))).await?;
        } else if !everybody.contains(&format!("\"@{name}:localhost\"")) {
            let wish = json!({ "localpart": name, "password": people.password(name), "display_name": shown });
            admin.must(Method::POST, "/_kontor/admin/v1/people", Some(&wish)).await?;
        }
    }
    let members = ["@anna:localhost".to_owned(), "@taras:localhost".to_owned()];
    let channels = [
        ("webchat", "Pracownia Olcha", place.chat, place.chat_data()),
        ("telegram", "Telegram", place.bridge, place.bridge_data()),
    ];
    for (kind, title, address, folder) in channels {
        let url = format!("http://{address}");
        let title = Some(title);
        let channel =
            Channel { id: kind, kind, url: &url, title, members: &members, language: Language::Polish };
        register(&admin, &channel, &folder).await?;
    }
    admin.must(Method::POST, "/_matrix/client/v3/logout", Some(&json!({}))).await.map(drop)
}
