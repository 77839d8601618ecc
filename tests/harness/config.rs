//! The configuration file of a server under test.

use std::net::SocketAddr;
use std::path::Path;

/// Which database a server under test keeps its data in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Db {
    /// A file in the server's own folder.
    Sqlite,
    /// A database of its own in a private cluster.
    Postgres,
}

/// One key of the configuration that differs from the usual test values: a dotted path, such as
/// `media.upload_limit`, and its value.
pub type Setting = (&'static str, toml::Value);

/// Matrix server name of every server under test.
pub(crate) const SERVER_NAME: &str = "localhost";

/// Secret for shared-secret registration on servers under test.
pub(crate) const SHARED_SECRET: &str = "tests-only-registration-secret";

const SERVES: [&str; 6] = ["client", "media", "admin", "company", "health", "metrics"];

/// The text of a configuration file.
pub(crate) fn render(folder: &Path, bind: SocketAddr, database_url: &str, settings: &[Setting]) -> String {
    let mut config = toml::toml! {
        [registration]
        enabled = true
        require_verification = false
        allow_guests = true
        [rate_limits]
        enabled = false
        [passwords]
        test_only_cheap_hashing = true
        [outbound]
        denied_ip_ranges = []
    };
    let mut listener = toml::Table::new();
    listener.insert("bind".into(), bind.to_string().into());
    listener.insert("serve".into(), SERVES.map(toml::Value::from).to_vec().into());
    config.insert("listener".into(), vec![toml::Value::Table(listener)].into());
    config.insert("server_name".into(), SERVER_NAME.into());
    config.insert("public_base_url".into(), format!("http://{bind}").into());
    config.insert("data_dir".into(), folder.join("data").display().to_string().into());
    set(&mut config, "registration.shared_secret", SHARED_SECRET.into());
    set(&mut config, "database.url", database_url.into());
    for (key, value) in settings {
        set(&mut config, key, value.clone());
    }
    toml::to_string(&config).expect("a table is always TOML")
}

fn set(table: &mut toml::Table, key: &str, value: toml::Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| toml::Table::new().into());
            set(inner.as_table_mut().expect("a section"), rest, value);
        }
    }
}
