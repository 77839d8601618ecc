//! The demonstration: a server with people, the website chat and Telegram as processes of their own, an emulated
//! Telegram with a page to write on, and the page of an invented shop, all on this machine and in one folder. Everything is set up through the doors that
//! everybody uses; nothing here knows the inside of the server.

mod child;
pub mod emulate;
mod furnish;
mod shop;
mod story;

use crate::bridge::Admin;
use crate::cli::Demo as Wish;
use crate::serve::{Asked, Signals, make_folder};
use crate::system::say;
use child::Child;
use furnish::People;
use kontor_model::Secret;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use tokio::task::JoinSet;

/// Where everything of one demonstration is.
struct Place {
    folder: PathBuf,
    server: SocketAddr,
    chat: SocketAddr,
    shop: SocketAddr,
    /// The emulated Telegram, and the page on which one is its customer.
    telegram: SocketAddr,
    /// The bridge to it.
    bridge: SocketAddr,
}

impl Place {
    fn new(wish: &Wish) -> Result<Self, String> {
        let folder = std::path::absolute(&wish.data)
            .map_err(|error| format!("The folder {} cannot be named: {error}.", wish.data.display()))?;
        let at = |more: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, wish.port.saturating_add(more)));
        Ok(Self { folder, server: at(0), chat: at(1), shop: at(2), telegram: at(3), bridge: at(4) })
    }

    fn server_url(&self) -> String {
        format!("http://{}", self.server)
    }

    fn server_data(&self) -> PathBuf {
        self.folder.join("server")
    }

    fn chat_data(&self) -> PathBuf {
        self.folder.join("webchat")
    }

    fn bridge_data(&self) -> PathBuf {
        self.folder.join("telegram")
    }

    /// The server's configuration.
    fn server_config(&self) -> Value {
        json!({
            "server_name": "localhost",
            "public_base_url": self.server_url(),
            "data_dir": self.server_data(),
            "listener": [{ "bind": self.server }],
            "log": { "file": self.folder.join("server.log") },
        })
    }

    /// The bridge's configuration.
    fn chat_config(&self) -> Value {
        let settings = kontor_bridge_webchat::demo::settings(&format!("http://{}", self.shop));
        json!({
            "bridge": {
                "homeserver": self.server_url(),
                "bind": self.chat,
                "data_dir": self.chat_data(),
                "language": "pl",
            },
            "widget": settings.get("widgets"),
            "log": { "file": self.folder.join("webchat.log") },
        })
    }
}

/// What the bridge to the emulated Telegram is set up with.
fn telegram_config(place: &Place) -> Value {
    json!({
        "bridge": {
            "homeserver": place.server_url(),
            "bind": place.bridge,
            "data_dir": place.bridge_data(),
            "language": "pl",
        },
        "telegram": { "token": emulate::TOKEN, "api_url": format!("http://{}", place.telegram) },
        "log": { "file": place.folder.join("telegram.log") },
    })
}

/// Shows it all until a signal says to end.
///
/// # Errors
/// A sentence: an address is taken, the folder cannot be used, the server does not start.
pub async fn run(wish: &Wish) -> Result<(), String> {
    let mut signals = Signals::new(false)?;
    let place = Place::new(wish)?;
    let shop = addresses(&place)?;
    for folder in [&place.folder, &place.chat_data(), &place.bridge_data()] {
        make_folder(folder)?;
    }
    let people = People::of_folder(&place.folder)?;
    let mut children = Vec::new();
    let ended = tokio::select! {
        outcome = show(&place, &people, (shop, wish.story), &mut children) => outcome,
        () = stopped(&mut signals) => Ok(()),
    };
    say("\nEnding.");
    // The bridge first: it has something to say to the server.
    while let Some(child) = children.pop() {
        child.end().await;
    }
    ended
}

async fn stopped(signals: &mut Signals) {
    while signals.next().await != Asked::Stop {}
}

/// Makes sure that all addresses are free; gives the shop's.
fn addresses(place: &Place) -> Result<TcpListener, String> {
    for address in [place.server, place.chat, place.telegram, place.bridge] {
        free(address)?;
    }
    free(place.shop)
}

fn free(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "Something else already listens on {address}, perhaps another Kontor. End it, or show the demonstration \
             elsewhere, as in `kontor demo --port 18008`."
        ),
        _ => format!("The demonstration cannot listen on {address}: {error}."),
    })
}

/// Starts everything and keeps it running.
async fn show(
    place: &Place,
    people: &People,
    (shop, story): (TcpListener, bool),
    children: &mut Vec<Child>,
) -> Result<(), String> {
    say("Starting the server …");
    let config = write_config(place, "kontor.toml", &place.server_config())?;
    children.push(Child::start("server", &["serve"], &config, place.server)?);
    ready(children).await?;
    let admin = Admin::new(&place.server_url(), Secret::new(String::new()))?;
    furnish::furnish(&admin, people, place).await?;

    say("Starting the website chat …");
    let config = write_config(place, "webchat.toml", &place.chat_config())?;
    children.push(Child::start("website chat", &["bridge", "webchat"], &config, place.chat)?);
    ready(children).await?;

    say("Starting Telegram (an emulator, and the bridge to it) …");
    let config = write_config(place, "telegram.toml", &telegram_config(place))?;
    let port = place.telegram.port().to_string();
    let emulator = ["emulate", "telegram", "--port", &port];
    children.push(Child::start("emulated Telegram", &emulator, &config, place.telegram)?);
    ready(children).await?;
    children.push(Child::start("Telegram bridge", &["bridge", "telegram"], &config, place.bridge)?);
    ready(children).await?;

    let mut tasks = JoinSet::new();
    let page = kontor_bridge_webchat::demo::page(&format!("http://{}", place.chat));
    tasks.spawn(shop::serve(shop, page));
    if story {
        story::tell(place, people).await?;
    }
    say(told(place, people));
    loop {
        for child in children.iter_mut() {
            child.keep_running().await?;
        }
        tokio::time::sleep(child::LOOK).await;
    }
}

async fn ready(children: &mut [Child]) -> Result<(), String> {
    match children.last_mut() {
        Some(child) => child.ready().await,
        None => Ok(()),
    }
}

fn write_config(place: &Place, name: &str, config: &Value) -> Result<PathBuf, String> {
    let path = place.folder.join(name);
    let text = toml::to_string(config).map_err(|error| format!("{name} cannot be written: {error}."))?;
    write(&path, &format!("# Written by `kontor demo` at every start.\n{text}"))?;
    Ok(path)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{} cannot be written: {error}.", path.display()))
}

/// What a stranger does next.
fn told(place: &Place, people: &People) -> String {
    let Place { folder, shop, telegram, .. } = place;
    let word = |name: &str| people.password(name).to_owned();
    format!(
        "\nThe demonstration runs. It needs no network, and keeps everything in {}.\n\n\
         1. Be a customer: open the shop and write to it, or write to its bot in an emulated Telegram\n     \
         http://{shop}\n     http://{telegram}\n\n\
         2. Be an employee: log in with any Matrix client\n     homeserver  {}\n     \
         anna        {}\n     taras       {}\n   \
         The conversation is there, and beside it its internal room. Answer: the customer's page shows it.\n\n\
         3. Be the administrator: the same homeserver\n     maria       {}\n\n\
         Ctrl-C ends it. Starting it again goes on where it was.",
        folder.display(),
        place.server_url(),
        word("anna"),
        word("taras"),
        word("maria"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_for_the_processes_is_good_configuration() {
        let wish = Wish { data: PathBuf::from("./x"), port: 18008, story: false };
        let place = Place::new(&wish).expect("a place");
        let text = toml::to_string(&place.server_config()).expect("TOML");
        let file = std::env::temp_dir().join(format!("kontor-demo-{}.toml", std::process::id()));
        std::fs::write(&file, text).expect("written");
        let config = crate::config::load(Some(&file), std::iter::empty()).expect("good");
        assert_eq!(config.listener[0].bind, place.server);
        std::fs::write(&file, toml::to_string(&place.chat_config()).expect("TOML")).expect("written");
        let config =
            crate::config::load_bridge(crate::cli::BridgeName::Webchat, Some(&file), std::iter::empty())
                .expect("good");
        assert_eq!(config.widget[0].origins, ["http://127.0.0.1:18010"]);
        std::fs::write(&file, toml::to_string(&telegram_config(&place)).expect("TOML")).expect("written");
        let config =
            crate::config::load_bridge(crate::cli::BridgeName::Telegram, Some(&file), std::iter::empty())
                .expect("good");
        assert_eq!(config.bridge.bind.port(), 18012);
        std::fs::remove_file(&file).expect("removed");
    }

    #[test]
    fn a_taken_address_is_said_with_what_to_do() {
        let held = TcpListener::bind("127.0.0.1:0").expect("a port");
        let said = free(held.local_addr().expect("an address")).expect_err("taken");
        assert!(said.contains("--port"), "{said}");
    }
}
