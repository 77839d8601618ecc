//! What the values mean together: contradictions are problems, risky choices are warnings, and
//! the rest can be explained in sentences. Files and addresses that the values name are not
//! touched here.

use super::keys::{Config, Listener, Serve, SmtpTls};
use super::problem::Problems;
use super::tree::Tree;
use reqwest::Url;
use ruma::ServerName;
use std::collections::BTreeSet;
use tracing_subscriber::EnvFilter;

/// Versions that new rooms can have.
const CREATABLE: [&str; 3] = ["10", "11", "12"];

/// Notes what contradicts itself.
pub(super) fn check(config: &Config, tree: &Tree, problems: &mut Problems) {
    check_top(config, tree, problems);
    check_listeners(&config.listener, tree, problems);
    check_database(config, tree, problems);
    check_terms(config, tree, problems);
    check_calls(config, tree, problems);
    check_support(config, tree, problems);
    check_email(config, tree, problems);
    if config.passwords.test_only_cheap_hashing && config.registration.require_verification {
        problems.add(
            tree.place("passwords.test_only_cheap_hashing"),
            "this makes stolen passwords readable and is for tests only, so it is refused unless \
             `registration.require_verification = false` says that this is a test server.",
        );
    }
    if config.federation.enabled {
        problems.add(
            tree.place("federation.enabled"),
            "this version does not talk to other homeservers yet; only false is accepted.",
        );
    }
    if !CREATABLE.contains(&config.rooms.default_version.as_str()) {
        problems.add(
            tree.place("rooms.default_version"),
            format!("rooms are made in the versions {}.", CREATABLE.join(", ")),
        );
    }
    if let Err(error) = EnvFilter::builder().parse(&config.log.level) {
        problems.add(
            tree.place("log.level"),
            format!("write error, warn, info, debug or trace, or for example \"info,kontor_store=debug\" ({error})."),
        );
    }
    if let Some(endpoint) = &config.telemetry.otlp_endpoint
        && web_address(endpoint).is_none()
    {
        problems.add(
            tree.place("telemetry.otlp_endpoint"),
            "a base address such as \"http://127.0.0.1:4318\" is expected.",
        );
    }
}

fn check_company(config: &Config, tree: &Tree, problems: &mut Problems) {
    let zone = &config.company.time_zone;
    if kontor_contacts::when::Calendar::of(zone).is_none() {
        problems.add(
            tree.place("company.time_zone"),
            format!("\"{zone}\" is no time zone; a name such as \"Europe/Warsaw\" is expected."),
        );
    }
    for (index, client) in config.company.card_clients.iter().enumerate() {
        // It becomes part of a field of answers, where spaces, commas and semicolons have a meaning.
        let safe = client.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-".contains(&byte));
        let web = web_address(client).is_some_and(|url| url.path() == "/" && !client.ends_with('/'));
        let program = client.strip_prefix("vector://").is_some_and(|rest| !rest.is_empty());
        if !safe || !(web || program) {
            problems.add(
                tree.place(&format!("company.card_clients[{index}]")),
                "the address of a client without a path is expected, such as \"https://app.element.io\".",
            );
        }
    }
}

fn check_top(config: &Config, tree: &Tree, problems: &mut Problems) {
    if <&ServerName>::try_from(config.top.server_name.as_str()).is_err() {
        problems.add(
            tree.place("server_name"),
            format!(
                "\"{}\" is not a server name; write a DNS name such as \"chat.company.example\", with a port if \
                 need be, or an IP address with a port.",
                config.top.server_name
            ),
        );
    }
    let company = &config.company.service_user;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if company.is_empty() || company.len() > 64 || !company.bytes().all(plain) {
        problems.add(
            tree.place("company.service_user"),
            "the name of a user is expected: small letters, digits, dots, underscores and hyphens.",
        );
    }
    check_company(config, tree, problems);
    if let Some(address) = &config.top.public_base_url
        && web_address(address).is_none_or(|url| url.path() != "/" || url.query().is_some())
    {
        problems.add(
            tree.place("public_base_url"),
            "an address without a path is expected, such as \"https://chat.company.example\".",
        );
    }
}

fn check_listeners(listeners: &[Listener], tree: &Tree, problems: &mut Problems) {
    let mut seen = BTreeSet::new();
    for (index, listener) in listeners.iter().enumerate() {
        let place = |key: &str| tree.place(&format!("listener[{index}].{key}"));
        if listener.bind.port() != 0 && !seen.insert(listener.bind) {
            problems.add(place("bind"), format!("{} stands in two listeners.", listener.bind));
        }
        if listener.tls_cert.is_some() != listener.tls_key.is_some() {
            let present = if listener.tls_cert.is_some() { "tls_cert" } else { "tls_key" };
            problems.add(place(present), "`tls_cert` and `tls_key` belong together; one is missing.");
        }
        if listener.serve.is_empty() {
            problems.add(place("serve"), "this listener would serve nothing; remove it or name something.");
        }
    }
}

fn check_database(config: &Config, tree: &Tree, problems: &mut Problems) {
    let Some(url) = &config.database.url else { return };
    let url = url.expose();
    if !["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        problems.add(
            tree.place("database.url"),
            "it has to begin with sqlite:/// or postgres://, as in sqlite:///var/lib/kontor/kontor.db or \
             postgres://user:password@host/database.",
        );
    }
}

fn check_email(config: &Config, tree: &Tree, problems: &mut Problems) {
    let email = &config.email;
    if email.smtp_host.is_some() != email.from.is_some() {
        let present = if email.from.is_some() { "email.from" } else { "email.smtp_host" };
        problems.add(tree.place(present), "`smtp_host` and `from` belong together; one is missing.");
    }
    if email.smtp_user.is_some() != email.smtp_password.is_some() {
        let present = if email.smtp_user.is_some() { "email.smtp_user" } else { "email.smtp_password" };
        problems.add(tree.place(present), "`smtp_user` and `smtp_password` belong together; one is missing.");
    }
    if !(1..=65_535).contains(&email.smtp_port) {
        problems.add(tree.place("email.smtp_port"), "a port is a number from 1 to 65535.");
    }
    if let Some(Err(error)) = email.from.as_deref().map(kontor_wire::smtp::check_from) {
        let said = format!("an address such as \"Kontor <kontor@company.example>\" is expected ({error}).");
        problems.add(tree.place("email.from"), said);
    }
}

fn check_terms(config: &Config, tree: &Tree, problems: &mut Problems) {
    for (index, terms) in config.terms.iter().enumerate() {
        let texts =
            [("id", &terms.id), ("version", &terms.version), ("name", &terms.name), ("url", &terms.url)];
        for (key, text) in texts {
            let place = || tree.place(&format!("terms[{index}].{key}"));
            if text.is_empty() {
                problems.add(place(), "this key is needed in every [[terms]].");
            } else if key == "url" && web_address(text).is_none() {
                problems.add(place(), "an address such as \"https://company.example/privacy\" is expected.");
            }
        }
    }
}

fn check_calls(config: &Config, tree: &Tree, problems: &mut Problems) {
    for (index, url) in config.rtc.livekit_service_urls.iter().enumerate() {
        if web_address(url).is_none() {
            problems.add(
                tree.place(&format!("rtc.livekit_service_urls[{index}]")),
                "an address such as \"https://rtc.company.example\" is expected.",
            );
        }
    }
    let turn = &config.turn;
    for (index, uri) in turn.uris.iter().enumerate() {
        if !["turn:", "turns:", "stun:", "stuns:"].iter().any(|scheme| uri.starts_with(scheme)) {
            problems.add(
                tree.place(&format!("turn.uris[{index}]")),
                "an address such as \"turn:turn.company.example:3478?transport=udp\" is expected.",
            );
        }
    }
    let fixed = turn.username.is_some() && turn.password.is_some();
    if !turn.uris.is_empty() && turn.shared_secret.is_none() && !fixed {
        problems.add(
            tree.place("turn.uris"),
            "these servers need turn.shared_secret, or turn.username and turn.password.",
        );
    }
}

fn check_support(config: &Config, tree: &Tree, problems: &mut Problems) {
    if config.top.support_page.as_deref().is_some_and(|page| web_address(page).is_none()) {
        problems.add(
            tree.place("support_page"),
            "an address such as \"https://company.example/chat-help\" is expected.",
        );
    }
    for (index, contact) in config.support_contact.iter().enumerate() {
        let place = |key: &str| tree.place(&format!("support_contact[{index}].{key}"));
        let wrong = |id: &String| ruma::UserId::parse(id).is_err();
        if contact.role.is_empty() {
            problems.add(place("role"), "a role such as \"m.role.admin\" is expected.");
        }
        if contact.matrix_id.as_ref().is_some_and(wrong) {
            problems.add(place("matrix_id"), "a Matrix address such as \"@help:other.example\" is expected.");
        }
        if contact.email_address.as_ref().is_some_and(|address| !address.contains('@')) {
            problems.add(place("email_address"), "an e-mail address is expected.");
        }
        if contact.matrix_id.is_none() && contact.email_address.is_none() {
            problems
                .add(place("role"), "`matrix_id` or `email_address` is needed in every [[support_contact]].");
        }
    }
}

pub(super) fn web_address(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

impl Config {
    /// The address that clients use, without a slash at the end.
    pub fn public_base_url(&self) -> String {
        match &self.top.public_base_url {
            Some(address) => address.trim_end_matches('/').to_owned(),
            None => self.listener.first().map_or_else(String::new, Listener::address),
        }
    }

    /// The address under which the administration is reached: the public one, if the first listener
    /// serves it, or else that of the first listener that does.
    pub fn admin_url(&self) -> String {
        let has_page = |listener: &Listener| listener.serves(Serve::Admin) || listener.serves(Serve::Console);
        let serving = self.listener.iter().position(has_page);
        match serving.and_then(|index| self.listener.get(index).filter(|_| index > 0)) {
            Some(listener) => listener.address(),
            None => self.public_base_url(),
        }
    }

    /// Address of the database; SQLite in the data folder unless another is set.
    pub fn database_url(&self) -> String {
        match &self.database.url {
            Some(url) => url.expose().clone(),
            None => format!("sqlite://{}", self.top.data_dir.join("kontor.db").display()),
        }
    }

    /// Whether the database is SQLite, which only one process at a time may serve from.
    pub fn is_sqlite(&self) -> bool {
        self.database_url().starts_with("sqlite:")
    }

    /// What is allowed but should be known.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.passwords.test_only_cheap_hashing {
            warnings.push(String::from(
                "Passwords are hashed for tests only (passwords.test_only_cheap_hashing): whoever copies the \
                 database has them all. Never use this with real people.",
            ));
        }
        if self.registration.enabled && !self.registration.require_verification {
            warnings.push(String::from(
                "Anybody who reaches this server can make accounts (registration.enabled without \
                 require_verification).",
            ));
        }
        let loopback = |host: &str| host == "localhost" || host.starts_with("127.") || host == "::1";
        if self.email.smtp_tls == SmtpTls::None
            && self.email.smtp_host.as_deref().is_some_and(|host| !loopback(host))
        {
            warnings.push(String::from(
                "Mail leaves without TLS: links for new passwords can be read on the way to the mail server.",
            ));
        }
        for listener in &self.listener {
            if listener.tls_cert.is_none() && !listener.bind.ip().is_loopback() {
                warnings.push(format!(
                    "{} speaks plain HTTP beyond this machine: passwords can be read on the way unless a reverse \
                     proxy in front adds TLS.",
                    listener.bind
                ));
            }
            for serve in listener.serve.iter().filter(|serve| !serve.is_built()) {
                warnings.push(format!(
                    "{} is to serve \"{}\", of which this version has nothing: those addresses answer that they \
                     do not exist.",
                    listener.bind,
                    serve.word()
                ));
            }
        }
        warnings
    }
}

impl Listener {
    /// The address of the listener, as a browser on this machine would write it.
    pub fn address(&self) -> String {
        let scheme = if self.tls_cert.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.bind)
    }

    /// Whether it serves the group.
    pub fn serves(&self, serve: Serve) -> bool {
        self.serve.contains(&serve)
    }
}

/// Says in sentences what a good configuration will do.
pub fn explain(config: &Config) -> String {
    let mut said = vec![
        format!(
            "The server is \"{0}\": its people are @name:{0}. This name stays for good once the server has run.",
            config.top.server_name
        ),
        format!("Clients reach it at {}.", config.public_base_url()),
        match &config.database.url {
            Some(url) if url.expose().starts_with("postgres") => String::from("The data is in PostgreSQL."),
            Some(_) => String::from("The data is in the SQLite file that database.url names."),
            None => {
                format!("The data is in the SQLite file {}.", config.top.data_dir.join("kontor.db").display())
            }
        },
        format!(
            "Uploaded files, up to {} each, are in {}.",
            config.media.upload_limit,
            config.top.data_dir.join("media").display()
        ),
    ];
    for listener in &config.listener {
        let words: Vec<&str> = listener.serve.iter().map(|serve| serve.word()).collect();
        said.push(format!("It listens on {} and serves {}.", listener.address(), words.join(", ")));
    }
    said.push(registration_sentence(config));
    said.push(match (&config.email.smtp_host, &config.email.from) {
        (Some(host), Some(from)) => {
            let tls = config.email.smtp_tls.word();
            format!("It sends mail through {host}, port {} ({tls}), from {from}.", config.email.smtp_port)
        }
        _ => {
            String::from("It sends no mail, so nobody can add an e-mail address or reset a password by mail.")
        }
    });
    if config.presence.enabled {
        said.push(String::from("People see who is online."));
    }
    let shared = if config.registration.shared_secret.is_some() { "can" } else { "cannot" };
    said.push(format!("Tools {shared} register accounts by shared secret."));
    said.push(format!("New rooms have version {}.", config.rooms.default_version));
    if !config.rate_limits.enabled {
        said.push(String::from("There are no limits on how often anybody may ask."));
    }
    let format = config.log.format.word();
    said.push(match &config.log.file {
        Some(file) => {
            format!(
                "It logs ({format}, {}) to {}, errors to standard error as well.",
                config.log.level,
                file.display()
            )
        }
        None => format!("It logs ({format}, {}) to standard error.", config.log.level),
    });
    if let Some(endpoint) = &config.telemetry.otlp_endpoint {
        said.push(format!("Traces and metrics go to the collector at {endpoint}."));
    }
    said.extend(config.warnings().into_iter().map(|warning| format!("Warning: {warning}")));
    said.join("\n")
}

fn registration_sentence(config: &Config) -> String {
    let registration = &config.registration;
    let people = match (registration.enabled, registration.require_verification) {
        (false, _) => "People cannot register themselves; an administrator makes their accounts",
        (true, true) => "People register with a registration token",
        (true, false) => "Anybody can register",
    };
    let guests = if registration.allow_guests { "guests are let in" } else { "guests are not let in" };
    let terms = match config.terms.len() {
        0 => "",
        _ => " Whoever registers accepts the documents under [[terms]].",
    };
    format!("{people}, and {guests}.{terms}")
}

#[cfg(test)]
mod tests {
    use super::super::load::from_text;
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        from_text(text, "k.toml", std::iter::empty()).map_err(|problems| problems.to_string())
    }

    #[test]
    fn contradictions_are_refused_with_their_place() {
        for (text, place) in [
            ("server_name = \"not a name\"", "`server_name`"),
            ("public_base_url = \"chat.example\"", "`public_base_url`"),
            ("public_base_url = \"https://chat.example/path\"", "`public_base_url`"),
            ("[database]\nurl = \"mysql://x\"", "`database.url`"),
            ("[federation]\nenabled = true", "`federation.enabled`"),
            ("[rooms]\ndefault_version = \"9\"", "`rooms.default_version`"),
            ("[log]\nlevel = \"loud,x=y=z\"", "`log.level`"),
            ("[telemetry]\notlp_endpoint = \"here\"", "`telemetry.otlp_endpoint`"),
            ("[passwords]\ntest_only_cheap_hashing = true", "`passwords.test_only_cheap_hashing`"),
            ("[[listener]]\ntls_cert = \"c.pem\"", "`listener[0].tls_cert`"),
            ("[[listener]]\n[[listener]]\n", "`listener[1].bind`"),
            ("[[listener]]\nserve = []", "`listener[0].serve`"),
            ("[email]\nsmtp_host = \"mail.example\"", "`email.smtp_host`"),
            ("[email]\nsmtp_host = \"m\"\nfrom = \"nobody\"", "`email.from`"),
            ("[email]\nsmtp_port = 70000", "`email.smtp_port`"),
            ("[email]\nsmtp_user = \"kontor\"", "`email.smtp_user`"),
            ("[rtc]\nlivekit_service_urls = [\"here\"]", "`rtc.livekit_service_urls[0]`"),
            ("[turn]\nuris = [\"turn:x\"]", "`turn.uris`"),
            ("[turn]\nuris = [\"http://x\"]\nshared_secret = \"s\"", "`turn.uris[0]`"),
            ("[[terms]]\nid = \"a\"", "`terms[0].version`"),
            ("[[terms]]\nurl = \"here\"", "`terms[0].url`"),
            ("support_page = \"here\"", "`support_page`"),
            ("[[support_contact]]\nrole = \"m.role.admin\"", "`support_contact[0].role`"),
            ("[[support_contact]]\nmatrix_id = \"help\"", "`support_contact[0].matrix_id`"),
        ] {
            let said = read(text).expect_err(text);
            assert!(said.contains(place), "{text}: {said}");
        }
    }

    #[test]
    fn risky_choices_are_warnings() {
        let config = read(
            "[[listener]]\nbind = \"0.0.0.0:80\"\nserve = [\"client\", \"hooks\"]\n\
             [registration]\nenabled = true\nrequire_verification = false\n\
             [passwords]\ntest_only_cheap_hashing = true\n",
        )
        .expect("allowed");
        assert_eq!(config.warnings().len(), 4, "{:?}", config.warnings());
        assert!(Config::default().warnings().is_empty());
    }

    #[test]
    fn the_explanation_shows_no_secret() {
        let config = read(
            "[database]\nurl = \"postgres://u:hunter2@h/d\"\n[registration]\nshared_secret = \"hunter3\"\n",
        )
        .expect("good");
        let said = explain(&config);
        assert!(said.contains("PostgreSQL") && !said.contains("hunter"), "{said}");
    }
}
