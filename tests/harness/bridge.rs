//! A running `kontor bridge`: a process with a folder and a database of its own, registered with a server
//! under test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::config::Db;
use crate::scratch::Scratch;
use crate::server::{Server, binary, free_port, signal};
use crate::wait::wait_until;
use crate::{http, shared};

/// With which the shop signs what it sends.
pub const SECRET: &str = "the-shop-signs-with-this";

const START_DEADLINE: Duration = Duration::from_secs(30);
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// A real bridge under test. Ended on drop; its log is shown when the test fails.
#[derive(Debug)]
pub struct Bridge {
    name: &'static str,
    scratch: Scratch,
    address: SocketAddr,
    child: Option<Child>,
}

impl Bridge {
    /// Registers the channel `webchat`, in which these people answer, and starts its bridge. The widget is
    /// `shop`, the form `contact`, both on pages of this origin; the shop signs with [`SECRET`].
    pub fn start(db: Db, server: &Server, admin: &Client, staff: &[&Client], origin: &str) -> Self {
        let own = format!(
            "[[widget]]\nid = \"shop\"\norigins = [{origin:?}]\nlanguage = \"pl\"\ntitle = {{ pl = \"Sklep\" }}\n\
             identity_secrets = [{SECRET:?}]\n\
             limits = {{ sessions_per_hour = 100000, messages_per_30s = 1000, messages_per_30s_per_address = 100000, \
             requests_per_minute = 1000000 }}\n\
             [[form]]\nid = \"contact\"\norigins = [{origin:?}]\nsecrets = [{SECRET:?}]\nlanguage = \"pl\"\n"
        );
        Self::start_as("webchat", db, server, (admin, staff), &own)
    }

    /// As [`Self::start`], for the channel `telegram` and the bot of this token at this Bot API.
    pub fn start_telegram(
        db: Db,
        server: &Server,
        admin: &Client,
        staff: &[&Client],
        (api_url, token): (&str, &str),
    ) -> Self {
        let own = format!("[telegram]\ntoken = {token:?}\napi_url = {api_url:?}\npoll_seconds = 2\n");
        Self::start_as("telegram", db, server, (admin, staff), &own)
    }

    fn start_as(
        name: &'static str,
        db: Db,
        server: &Server,
        (admin, staff): (&Client, &[&Client]),
        own: &str,
    ) -> Self {
        let scratch = Scratch::new("bridge");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let database = match db {
            Db::Sqlite => String::new(),
            Db::Postgres => format!("database_url = {:?}\n", shared::cluster().create_database()),
        };
        let config = format!(
            "[bridge]\nhomeserver = {:?}\nbind = \"{address}\"\ndata_dir = {:?}\nlanguage = \"pl\"\n{database}{own}",
            server.homeserver().base_url(),
            scratch.path().join("data").display().to_string(),
        );
        fs::write(scratch.path().join("bridge.toml"), config).expect("own folder");
        let mut bridge = Self { name, scratch, address, child: None };
        bridge.register(admin, staff);
        bridge.start_again();
        bridge
    }

    /// Makes the channel known to the server, in an administrator's name.
    pub fn register(&self, admin: &Client, staff: &[&Client]) {
        let (done, said) = self.try_register(admin, staff);
        assert!(done, "{said}");
    }

    /// As [`Self::register`]: whether it was done, and what was said.
    pub fn try_register(&self, by: &Client, staff: &[&Client]) -> (bool, String) {
        let mut register = self.command();
        register.arg("--register").env("KONTORCTL_TOKEN", by.token());
        if !staff.is_empty() {
            register.args(["--title", "Sklep"]);
        }
        for member in staff {
            register.args(["--member", member.user_id()]);
        }
        let done = register.output().expect("it runs");
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    }

    /// Loses the tokens that the server gave.
    pub fn forget_registration(&self) {
        fs::remove_file(self.scratch.path().join("data/registration.json")).expect("it was there");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.arg("--config").arg(self.scratch.path().join("bridge.toml")).args(["bridge", self.name]);
        command
    }

    /// Starts the process again after [`Self::kill`] or [`Self::terminate`]: same port, same data.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "the bridge is running");
        let log = fs::File::options().create(true).append(true).open(self.log_path()).expect("own folder");
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file handle")).stderr(log);
        let mut child = command.spawn().expect("it runs");
        self.scratch.guard_process("bridge", child.id());
        let (address, mut ended) = (self.address, None);
        let answers = wait_until(START_DEADLINE, || {
            ended = child.try_wait().ok().flatten();
            (ended.is_some() || http::answers(address, "/health/ready")).then_some(())
        });
        self.child = Some(child);
        assert!(answers.is_some() && ended.is_none(), "the bridge does not start: {ended:?}");
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.scratch.release_process("bridge");
    }

    /// `kill -9`, then a start.
    pub fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again();
    }

    /// SIGTERM, and waits for the clean end.
    pub fn terminate(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(child.id(), "TERM");
        let ended = wait_until(STOP_DEADLINE, || child.try_wait().ok().flatten());
        self.scratch.release_process("bridge");
        assert!(ended.is_some_and(|status| status.success()), "expected a clean end, got {ended:?}");
    }

    /// Memory of the process that is in RAM, megabytes; nothing where that cannot be known.
    pub fn resident_mb(&self) -> Option<f64> {
        crate::server::resident_mb(self.child.as_ref()?.id())
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// With which it proves itself to the server.
    pub fn token(&self) -> String {
        let path = self.scratch.path().join("data/registration.json");
        let text = fs::read_to_string(path).expect("the registration");
        let registration: Value = serde_json::from_str(&text).expect("JSON");
        registration["as_token"].as_str().expect("a token").to_owned()
    }

    /// Everything the process said so far, all starts together.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.scratch.path().join("bridge.log")
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of the bridge ---\n{}", self.log());
        }
    }
}
