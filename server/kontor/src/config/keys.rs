//! Every key of the configuration, with its meaning and its default. The comments here are the
//! documentation: `docs/CONFIG.md` and `docs/kontor.example.toml` are generated from them.
//! A key enters this file together with the code that obeys it, never before.

use super::schema::{Section, choice, section};
use super::values::Bytes;
use kontor_model::Secret;
use kontor_wire::{Denied, IpRange};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// The whole configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Keys at the top of the file.
    #[serde(skip)]
    pub top: Top,
    /// Where the server listens; never empty after loading.
    pub listener: Vec<Listener>,
    /// `[database]`
    pub database: Database,
    /// `[outbound]`
    pub outbound: Outbound,
    /// `[registration]`
    pub registration: Registration,
    /// `[rate_limits]`
    pub rate_limits: RateLimits,
    /// `[[terms]]`
    pub terms: Vec<Terms>,
    /// `[[support_contact]]`
    pub support_contact: Vec<SupportContact>,
    /// `[passwords]`
    pub passwords: Passwords,
    /// `[federation]`
    pub federation: Federation,
    /// `[rooms]`
    pub rooms: Rooms,
    /// `[user_directory]`
    pub user_directory: UserDirectory,
    /// `[delayed_events]`
    pub delayed_events: DelayedEvents,
    /// `[rtc]`
    pub rtc: Rtc,
    /// `[turn]`
    pub turn: Turn,
    /// `[media]`
    pub media: Media,
    /// `[email]`
    pub email: Email,
    /// `[presence]`
    pub presence: Presence,
    /// `[sync]`
    pub sync: Sync,
    /// `[company]`
    pub company: Company,
    /// `[appservices]`
    pub appservices: Appservices,
    /// `[log]`
    pub log: Log,
    /// `[telemetry]`
    pub telemetry: Telemetry,
}

/// The description of every section, in the order of the example file.
pub fn sections() -> Vec<Section> {
    vec![
        Top::describe("", false),
        Listener::describe("listener", true),
        Database::describe("database", false),
        Registration::describe("registration", false),
        Terms::describe("terms", true),
        SupportContact::describe("support_contact", true),
        Passwords::describe("passwords", false),
        RateLimits::describe("rate_limits", false),
        Rooms::describe("rooms", false),
        UserDirectory::describe("user_directory", false),
        DelayedEvents::describe("delayed_events", false),
        Rtc::describe("rtc", false),
        Turn::describe("turn", false),
        Media::describe("media", false),
        Email::describe("email", false),
        Presence::describe("presence", false),
        Sync::describe("sync", false),
        Federation::describe("federation", false),
        Outbound::describe("outbound", false),
        Company::describe("company", false),
        Appservices::describe("appservices", false),
        Log::describe("log", false),
        Telemetry::describe("telemetry", false),
    ]
}

section! {
    /// The server as a whole.
    pub struct Top {
        /// The part of every user and room address after the colon: a DNS name, with a port if
        /// need be, or an IP address with a port. It is stored in the database at the first start
        /// and can never be changed afterwards.
        server_name: String = String::from("localhost"), example r#""chat.company.example""#;

        /// The address that people's clients use, without a path. When absent, the address of the
        /// first listener.
        public_base_url: Option<String> = None, example r#""https://chat.company.example""#;

        /// Folder for everything that the server keeps outside the database, and for the database
        /// itself when it is SQLite. Made when absent. Relative paths start at the working folder.
        data_dir: PathBuf = PathBuf::from("./data");

        /// File with the server's ed25519 signing key. Made when absent. When the key is not set,
        /// `signing.key` in the data folder.
        signing_key: Option<PathBuf> = None, example r#""./data/signing.key""#;

        /// A page that helps the people who use this server. It is published under
        /// `/.well-known/matrix/support`.
        support_page: Option<String> = None, example r#""https://company.example/chat-help""#;
    }
}

choice! {
    /// A group of addresses that a listener can serve.
    pub enum Serve {
        /// The client-server API, and the discovery document under `/.well-known/matrix/client`.
        Client = "client",
        /// The federation API between homeservers.
        Federation = "federation",
        /// The server's published signing keys.
        Keys = "keys",
        /// Upload, download and thumbnails.
        Media = "media",
        /// OAuth, account pages, single sign-on, SCIM.
        Identity = "identity",
        /// The administration API, and the page for the first administrator.
        Admin = "admin",
        /// Contacts and the bridges' API.
        Company = "company",
        /// Web chat, intake and providers' webhooks.
        Hooks = "hooks",
        /// Pages for administrators; so far the one for the first administrator.
        Console = "console",
        /// `/health/live` and `/health/ready`.
        Health = "health",
        /// Prometheus text under `/metrics`.
        Metrics = "metrics",
    }
}

impl Serve {
    /// Whether this version has any address in the group. The others are known words that
    /// answer nothing yet; starting with them warns.
    pub fn is_built(self) -> bool {
        use Serve::{Admin, Client, Company, Console, Federation, Health, Identity, Media, Metrics};
        matches!(self, Client | Federation | Identity | Media | Admin | Company | Console | Health | Metrics)
    }
}

section! {
    /// Where the server listens; any number of these. Without any, one plain HTTP listener on
    /// 127.0.0.1, port 8008.
    pub struct Listener {
        /// IP address and port.
        bind: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8008);

        /// PEM file with the certificate chain. Without it the listener speaks plain HTTP, which
        /// belongs on loopback or behind a reverse proxy.
        tls_cert: Option<PathBuf> = None, example r#""/etc/kontor/cert.pem""#;

        /// PEM file with the private key that belongs to the certificate.
        tls_key: Option<PathBuf> = None, example r#""/etc/kontor/key.pem""#;

        /// What is served here: any of `client` (the client-server API), `media` (files), `admin`
        /// (the administration API, and the page for the first administrator), `console` (only that
        /// page, so far), `health` and `metrics`. `federation` and `identity` have one address each
        /// so far, by which the servers of widgets ask who somebody is; it is also served with
        /// `client`. `company` is the API of contacts and of bridges. The words `keys` and `hooks` are
        /// reserved: they are accepted with a warning and serve nothing in this version. `metrics` is for a listener of its own that the public cannot reach.
        serve: Vec<Serve> = vec![Serve::Client, Serve::Media, Serve::Admin, Serve::Company, Serve::Health];
    }
}

section! {
    /// Where the data is kept.
    pub struct Database {
        /// `sqlite:///absolute/path.db`, or `postgres://user:password@host/database`. When absent,
        /// SQLite in the file `kontor.db` in the data folder. An empty database is set up at the
        /// first start.
        url: Option<Secret<String>> = None,
            example r#""postgres://kontor:password@127.0.0.1/kontor""#, secret;
    }
}

section! {
    /// Who can make an account.
    pub struct Registration {
        /// Whether people can register themselves.
        enabled: bool = false;

        /// Whether registering needs a registration token. Without it anybody who reaches the
        /// server can make accounts.
        require_verification: bool = true;

        /// Secret for tools that register accounts by shared secret
        /// (`/_synapse/admin/v1/register`). When absent, that way is closed.
        shared_secret: Option<Secret<String>> = None, example r#""a long random text""#, secret;

        /// Whether guests, who have no password, are let in.
        allow_guests: bool = false;
    }
}

section! {
    /// Documents that people accept when they register themselves; any number of these. The same
    /// `id` and `version` in another `language` is a translation.
    pub struct Terms {
        /// Name of the document for programs, such as `privacy_policy`.
        id: String = String::new(), example r#""privacy_policy""#;

        /// Its version. A new one is a new document.
        version: String = String::new(), example r#""1.0""#;

        /// The language of this translation.
        language: String = String::from("en");

        /// What it is called in that language.
        name: String = String::new(), example r#""Privacy policy""#;

        /// Where it can be read.
        url: String = String::new(), example r#""https://company.example/privacy""#;
    }
}

section! {
    /// People whom others can ask about this server; any number of these. Together with
    /// `support_page` they are published under `/.well-known/matrix/support`.
    pub struct SupportContact {
        /// What to ask them about: `"m.role.admin"` for anything, `"m.role.security"` for what only
        /// few should read, or an own name in the form of a reversed domain.
        role: String = String::from("m.role.admin");

        /// Their Matrix address, best on another server. This or `email_address` is needed.
        matrix_id: Option<String> = None, example r#""@help:other.example""#;

        /// Their e-mail address.
        email_address: Option<String> = None, example r#""help@company.example""#;
    }
}

section! {
    /// Passwords.
    pub struct Passwords {
        /// For tests only: hashes passwords with almost no work, so that thousands of accounts are
        /// made in seconds. Anybody who steals the database then has the passwords. Refused
        /// together with `registration.require_verification = true`.
        test_only_cheap_hashing: bool = false;
    }
}

section! {
    /// Limits on how often one address or one person may ask.
    pub struct RateLimits {
        /// Whether they hold. Switch them off for tests and benchmarks only.
        enabled: bool = true;
    }
}

choice! {
    /// Who may put a room into the public room list.
    pub enum PublishRooms {
        /// Everyone whom the room's power levels allow.
        Everyone = "everyone",
        /// Server administrators.
        Admins = "admins",
    }
}

section! {
    /// Rooms.
    pub struct Rooms {
        /// Version of new rooms for which the client asks for none: one of `"10"`, `"11"`, `"12"`.
        default_version: String = String::from("12");

        /// Whether the public room list can be read without logging in.
        public_rooms_without_login: bool = false;

        /// Who may publish a room in the public room list: `"everyone"` (whom the room allows to)
        /// or `"admins"`.
        publish_rooms: PublishRooms = PublishRooms::Everyone;

        /// Whether only a member of a room may give it an alias.
        alias_needs_membership: bool = true;

        /// Whether a room that a person leaves, or is removed from, is forgotten at once: it and its
        /// history are then out of that person's reach. Without it people forget rooms themselves.
        forget_on_leave: bool = false;
    }
}

choice! {
    /// Whom people find in the user directory.
    pub enum DirectoryShows {
        /// Everybody who has an account.
        Everybody = "everybody",
        /// Those whom they share a room with, or who are in a room that anybody may join or read.
        Acquainted = "acquainted",
    }
}

section! {
    /// Looking for people by their names.
    pub struct UserDirectory {
        /// Whom people find: `"everybody"` with an account on this server, or the `"acquainted"`
        /// only, with whom they share a room or who are in a room that anybody may join or read.
        /// Guests, and locked and deactivated accounts, are never found.
        shows: DirectoryShows = DirectoryShows::Everybody;
    }
}

section! {
    /// Events that clients ask to be sent later (MSC4140). Group calls need them: a client leaves word
    /// that it hung up, which is sent unless it says in time that it is still there.
    pub struct DelayedEvents {
        /// How many events of one person may wait at once. 0 = nobody can delay events, and clients
        /// are told so.
        per_user: u32 = 100;

        /// The longest time that an event may wait, in seconds.
        max_delay_seconds: u32 = 86_400;
    }
}

section! {
    /// Group calls (MatrixRTC).
    pub struct Rtc {
        /// Where the authorisation services of LiveKit servers are reached, the preferred one first.
        /// Clients find them at the homeserver (MSC4143) and in the discovery document. Without any,
        /// there are no group calls.
        livekit_service_urls: Vec<String> = Vec::new();
    }
}

section! {
    /// TURN servers, which pass on calls between two people who cannot reach one another directly.
    pub struct Turn {
        /// Addresses of the servers. Without any, clients are told that there are none.
        uris: Vec<String> = Vec::new();

        /// The secret that the TURN server shares (coturn: `static-auth-secret`). From it everybody is
        /// given a password of their own for a limited time.
        shared_secret: Option<Secret<String>> = None, example r#""a long random text""#, secret;

        /// User name, for TURN servers that have one for everybody instead of a shared secret, which is
        /// used if both are set.
        username: Option<String> = None, example r#""kontor""#;

        /// The password of that user.
        password: Option<Secret<String>> = None, example r#""a long random text""#, secret;

        /// For how many seconds credentials hold; clients then ask for new ones.
        lifetime_seconds: u32 = 86_400;

        /// Whether guests are given credentials.
        allow_guests: bool = false;
    }
}

choice! {
    /// Where uploaded files are kept.
    pub enum MediaStore {
        /// In the folder `media` in the data folder.
        Disk = "disk",
    }
}

section! {
    /// Uploaded files.
    pub struct Media {
        /// The largest file that can be uploaded.
        upload_limit: Bytes = Bytes(50 << 20);

        /// Where files are kept. This version knows `"disk"`: the folder `media` in the data
        /// folder.
        store: MediaStore = MediaStore::Disk;

        /// Whether files can also be fetched without logging in, under the older
        /// `/_matrix/media/v3/download` addresses that clients of before 2024 use.
        legacy_unauthenticated: bool = false;

        /// Whether clients may ask this server what the page behind a link looks like. The server then
        /// fetches pages that people mention, so strangers' servers learn that a link was posted here,
        /// and a link that works once may be used up. Clients ask only in rooms without end-to-end
        /// encryption, unless a person wants more. What may be connected to is limited by
        /// `outbound.denied_ip_ranges`.
        url_previews: bool = false;
    }
}

choice! {
    /// How the conversation with the mail server is kept from being overheard.
    pub enum SmtpTls {
        /// TLS after the greeting, or nothing is sent.
        StartTls = "starttls",
        /// TLS from the first byte.
        Tls = "tls",
        /// No TLS: for a mail server on the same machine.
        None = "none",
    }
}

section! {
    /// Mail to people: confirming their e-mail addresses, setting a new password. Nothing is sent
    /// unless `smtp_host` and `from` are both set.
    pub struct Email {
        /// Name or address of the company's mail server.
        smtp_host: Option<String> = None, example r#""mail.company.example""#;

        /// Its port: usually 587 with `"starttls"`, 465 with `"tls"`.
        smtp_port: u32 = 587;

        /// `"starttls"`, `"tls"`, or `"none"` for a mail server on the same machine. The
        /// authorities of `outbound.extra_ca_files` are trusted here too.
        smtp_tls: SmtpTls = SmtpTls::StartTls;

        /// Name to log in with at the mail server, if it wants one.
        smtp_user: Option<String> = None, example r#""kontor""#;

        /// Password for it.
        smtp_password: Option<Secret<String>> = None, example r#""a password""#, secret;

        /// What mails come from.
        from: Option<String> = None, example r#""Kontor <kontor@company.example>""#;
    }
}

section! {
    /// Who is online. It costs every process memory and processor time, and it tells everybody in a
    /// room when somebody is at work.
    pub struct Presence {
        /// Whether people are shown as online, idle or offline. Without it all are offline, and what
        /// clients say about it has no effect.
        enabled: bool = false;
    }
}

section! {
    /// Synchronisation of clients.
    pub struct Sync {
        /// For how many seconds an answer is kept for a client that asks again with the same
        /// token, as after a broken connection. 0 keeps none. It takes up to 64 MB of memory; an
        /// answer of a session that ended is never given again.
        response_cache_seconds: u32 = 0;
    }
}

choice! {
    /// What is decided about contacts without a person.
    pub enum Merging {
        /// What is sure is attached and merged.
        Auto = "auto",
        /// Everything is suggested.
        Suggest = "suggest",
        /// Nothing is even suggested.
        Manual = "manual",
    }
}

section! {
    /// Conversations with customers.
    pub struct Company {
        /// Localpart of the company's own user, who makes the rooms of conversations and speaks in them for
        /// the server. Nobody can log in as it. Changing it later leaves the rooms of before with the old one.
        service_user: String = String::from("kontor");

        /// The time zone in which moments are read and shown in conversations and on cards, such as
        /// `Europe/Warsaw`.
        time_zone: String = String::from("UTC");

        /// Matrix clients on the web in which a customer's card is shown beside the conversation, by their
        /// addresses, such as `https://app.element.io`; for Element's programs `vector://vector`. Nobody else
        /// may show the card in a frame. When the list is empty, rooms get no such widget; the card opens
        /// in the browser by its link all the same.
        card_clients: Vec<String> = Vec::new(), example r#"["https://app.element.io"]"#;

        /// What is decided about contacts without a person: with `"auto"` whoever shows the number or address of
        /// somebody known is that contact, if nothing speaks against it; with `"suggest"` everything is suggested;
        /// with `"manual"` nothing is even suggested.
        merging: Merging = Merging::Auto;

        /// After how many days of silence visitors of whom nothing is known (no number, no address, no consent, no
        /// purchase, no note, no owner) lose what the registry holds of them. 0 = never.
        anonymous_visitors_days: u32 = 90;
    }
}

section! {
    /// Other homeservers.
    pub struct Federation {
        /// Whether the server talks to other homeservers. This version cannot: only `false` is
        /// accepted.
        enabled: bool = false;
    }
}

section! {
    /// Connections that the server itself opens.
    pub struct Outbound {
        /// PEM files with further certificate authorities, trusted for every outgoing HTTPS
        /// connection beside the system's own.
        extra_ca_files: Vec<PathBuf> = Vec::new();

        /// Ranges of addresses to which nothing that a user or another server names (push gateways,
        /// pages whose previews are asked for) may connect, whatever name leads there. The default is
        /// the safe one: loopback, private, link-local and the like, so that nobody can look around
        /// in the company's network through this server. A push gateway inside the house needs its
        /// range taken out.
        denied_ip_ranges: Vec<IpRange> = Denied::usual();
    }
}

section! {
    /// Application services: bridges and bots that speak for users of their own.
    pub struct Appservices {
        /// Registration files, in the YAML format that bridges write. They are read at the start, and
        /// `kontor check-config` says what is wrong with them. All processes on one database need the
        /// same files. The addresses in them are trusted: unlike those that users name, they may lie on
        /// this machine or in the company's network, whatever `outbound.denied_ip_ranges` says. Services
        /// that administrators set up while the server runs need no file.
        files: Vec<PathBuf> = Vec::new(), example r#"["./data/whatsapp-registration.yaml"]"#;
    }
}

choice! {
    /// How log lines look.
    pub enum LogFormat {
        /// For people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}

section! {
    /// The log. Standard error gets it all, or, when a file is set, only errors.
    pub struct Log {
        /// File to which lines are appended. When absent, everything goes to standard error.
        file: Option<PathBuf> = None, example r#""/var/log/kontor.log""#;

        /// What is logged: `error`, `warn`, `info`, `debug` or `trace`, and finer by part, as in
        /// `"info,kontor_store=debug"`. Of the libraries under Kontor only warnings, unless they are
        /// named. Errors are always logged.
        level: String = String::from("info");

        /// `"human"` or `"json"`; the option `--log` overrides it.
        format: LogFormat = LogFormat::Human;
    }
}

section! {
    /// Telemetry. Prometheus text is had by a listener with `serve = ["metrics"]`.
    pub struct Telemetry {
        /// Base address of an OpenTelemetry collector that takes OTLP over HTTP with protobuf.
        /// Traces go to `/v1/traces` under it and metrics to `/v1/metrics`. When absent, none.
        otlp_endpoint: Option<String> = None, example r#""http://127.0.0.1:4318""#;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_documented() {
        for section in sections() {
            assert!(!section.docs.is_empty(), "[{}]", section.name);
            for key in section.keys {
                assert!(!key.docs.is_empty(), "{}.{}", section.name, key.name);
            }
        }
    }
}
