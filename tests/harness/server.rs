//! One running `kontor` process with a folder and a database of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::config::{self, Db, SHARED_SECRET, Setting};
use crate::homeserver::Homeserver;
use crate::postgres::Cluster;
use crate::scratch::Scratch;
use crate::wait::wait_until;
use crate::{http, shared};

const START_DEADLINE: Duration = Duration::from_secs(30);
/// The contract: a process that is asked to end has ended after this time.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// A real server under test. Ended on drop; its folder goes with it, its log is shown when the
/// test fails.
#[derive(Debug)]
pub struct Server {
    scratch: Arc<Scratch>,
    /// `a`, `b`, … of the processes that share a folder and a database.
    name: String,
    address: SocketAddr,
    database_url: String,
    settings: Vec<Setting>,
    wrapper: Vec<String>,
    child: Option<Child>,
    /// Time from the last spawn to the first answer.
    pub started_in: Duration,
}

impl Server {
    /// Starts a server with an empty database, and waits until it answers.
    pub fn start(db: Db) -> Self {
        Self::start_with(db, &[])
    }

    /// As [`Self::start`], with some configuration keys different from the usual test values.
    pub fn start_with(db: Db, settings: &[Setting]) -> Self {
        match db {
            Db::Sqlite => Self::start_on(None, settings),
            Db::Postgres => Self::start_on(Some(&shared::cluster().create_database()), settings),
        }
    }

    /// Starts a server on the PostgreSQL database at the URL, or on SQLite.
    pub fn start_on(database_url: Option<&str>, settings: &[Setting]) -> Self {
        Self::start_in(Scratch::new("server"), database_url, settings)
    }

    /// As [`Self::start_on`] in a given folder, which may lie on a file system of its own.
    pub fn start_in(scratch: Scratch, database_url: Option<&str>, settings: &[Setting]) -> Self {
        let sqlite = || format!("sqlite://{}", scratch.path().join("kontor.db").display());
        let database_url = database_url.map_or_else(sqlite, str::to_owned);
        Self::launch(Arc::new(scratch), "a".to_owned(), database_url, settings.to_vec(), vec![])
    }

    /// Starts one more process on the same database and data folder.
    pub fn peer(&self, name: &str) -> Self {
        Self::launch(
            Arc::clone(&self.scratch),
            name.to_owned(),
            self.database_url.clone(),
            self.settings.clone(),
            vec![],
        )
    }

    /// Ends the process cleanly and starts it under another program, such as a tracer.
    pub fn restart_under(&mut self, wrapper: &[&str]) {
        self.terminate();
        self.wrapper = wrapper.iter().map(|word| (*word).to_owned()).collect();
        self.start_again();
    }

    fn launch(
        scratch: Arc<Scratch>,
        name: String,
        database_url: String,
        settings: Vec<Setting>,
        wrapper: Vec<String>,
    ) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let mut server = Self {
            scratch,
            name,
            address,
            database_url,
            settings,
            wrapper,
            child: None,
            started_in: Duration::ZERO,
        };
        server.start_again();
        server
    }

    /// Settings for the next start, beside those of before.
    pub fn set(&mut self, settings: &[Setting]) {
        self.settings.extend_from_slice(settings);
    }

    /// Starts the process again after [`Self::kill`] or [`Self::terminate`]: same port, same data.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server is running");
        let config = config::render(self.scratch.path(), self.address, &self.database_url, &self.settings);
        fs::write(self.config_path(), config).expect("own folder");
        let started = Instant::now();
        self.spawn();
        self.wait_until_it_answers();
        self.started_in = started.elapsed();
    }

    /// Starts the stopped process with these further settings and expects it to give up at once.
    /// Gives what it said.
    pub fn refuses_to_start_with(&mut self, settings: &[Setting]) -> String {
        let mut all = self.settings.clone();
        all.extend_from_slice(settings);
        let config = config::render(self.scratch.path(), self.address, &self.database_url, &all);
        fs::write(self.config_path(), config).expect("own folder");
        let before = self.log().len();
        self.spawn();
        let child = self.child.as_mut().expect("just spawned");
        let ended = wait_until(START_DEADLINE, || child.try_wait().ok().flatten());
        self.kill();
        let said = self.log().split_off(before);
        assert!(ended.is_some_and(|status| !status.success()), "expected a refusal, got {ended:?}: {said}");
        said
    }

    fn spawn(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log_path()).expect("own folder");
        let binary = binary();
        let mut words: Vec<_> = self.wrapper.iter().map(std::ffi::OsString::from).collect();
        words.push(binary.clone().into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("--config").arg(self.config_path());
        let child = command
            .current_dir(self.scratch.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        self.scratch.guard_process(&self.name, child.id());
        self.child = Some(child);
    }

    fn wait_until_it_answers(&mut self) {
        let address = self.address;
        let child = self.child.as_mut().expect("just spawned");
        let answered = wait_until(START_DEADLINE, || {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(Err(status));
            }
            http::answers(address, "/_matrix/client/versions").then_some(Ok(()))
        });
        match answered {
            Some(Ok(())) => {}
            Some(Err(status)) => {
                self.forget();
                panic!("kontor ended at its start with {status}");
            }
            None => panic!("kontor gave no answer within {START_DEADLINE:?}"),
        }
    }

    /// `kill -9`: nothing is written any more, no answer leaves.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.scratch.release_process(&self.name);
    }

    /// SIGTERM, and waits for the clean end within 30 s that the contract promises.
    pub fn terminate(&mut self) {
        self.end_with("TERM");
    }

    /// As [`Self::terminate`] with another signal.
    pub fn end_with(&mut self, name: &str) {
        let Some(mut child) = self.child.take() else { return };
        signal(child.id(), name);
        let ended = wait_until(STOP_DEADLINE, || child.try_wait().ok().flatten());
        self.scratch.release_process(&self.name);
        let clean = ended.as_ref().is_some_and(ExitStatus::success);
        if !clean {
            let _ = child.kill();
            let _ = child.wait();
            panic!("SIG{name}: expected exit code 0 within 30 s, got {ended:?}");
        }
    }

    /// Ends the process cleanly and starts it again: same port, same data.
    pub fn restart(&mut self) {
        self.terminate();
        self.start_again();
    }

    /// `kill -9`, then a start.
    pub fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again();
    }

    /// The server as clients see it.
    pub fn homeserver(&self) -> Homeserver {
        Homeserver::new(format!("http://{}", self.address), SHARED_SECRET.to_owned())
    }

    /// Memory of the process that is in RAM, megabytes; nothing where that cannot be known.
    pub fn resident_mb(&self) -> Option<f64> {
        resident_mb(self.pid()?)
    }

    /// Process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// True while the process has not ended by itself.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Folder with configuration, database file and log.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// URL of the database.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Name of the database inside its cluster (PostgreSQL only).
    pub fn database_name(&self) -> &str {
        self.database_url.rsplit('/').next().unwrap_or_default()
    }

    /// The configuration file in use.
    pub fn config_path(&self) -> PathBuf {
        self.scratch.path().join(format!("{}.toml", self.name))
    }

    /// Everything the process said so far, all starts together.
    pub fn log(&self) -> String {
        fs::read(self.log_path()).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    /// The last lines of the log that were written after its first `skip` bytes.
    pub(crate) fn log_tail(&self, skip: usize) -> String {
        const LINES: usize = 60;
        let log = self.log();
        let lines: Vec<&str> = log.get(skip..).unwrap_or(&log).lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// As [`Self::log_tail`] without what is said of every request: for a server that many tests
    /// use at once.
    pub(crate) fn trouble_since(&self, skip: usize) -> String {
        let log = self.log();
        let lines = log.get(skip..).unwrap_or(&log).lines();
        lines.filter(|line| !line.contains(" INFO ")).take(30).collect::<Vec<_>>().join("\n")
    }

    fn log_path(&self) -> PathBuf {
        self.scratch.path().join(format!("{}.log", self.name))
    }

    fn forget(&mut self) {
        self.child = None;
        self.scratch.release_process(&self.name);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of server {} ---\n{}", self.name, self.log_tail(0));
        }
    }
}

/// Sends a signal by name.
pub(crate) fn signal(pid: u32, name: &str) {
    let _ = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
}

/// A loopback port that nobody listens on, and that no other test of this process is given.
pub fn free_port() -> u16 {
    free_ports(1)
}

/// The first of `count` such ports in a row. From below the range out of which the kernel serves
/// outgoing connections, or a client of another test might sit on one a moment later.
pub fn free_ports(count: u16) -> u16 {
    const FIRST: u16 = 12_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 200).unwrap_or_default() * 100;
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (0..COUNT)
        .map(|_| FIRST + start.wrapping_add(NEXT.fetch_add(count, Ordering::Relaxed)) % COUNT)
        .find(|first| (0..count).all(|more| free(first + more)))
        .expect("free ports on loopback")
}

/// The `kontor` to test: `$KONTOR_BIN`, or the one built last beside this test.
pub fn binary() -> PathBuf {
    std::env::var_os("KONTOR_BIN").map_or_else(|| program("kontor"), PathBuf::from)
}

/// A program of the project: the one beside `$KONTOR_BIN`, or the one built last.
pub fn program(name: &str) -> PathBuf {
    let beside = std::env::var_os("KONTOR_BIN").map(|kontor| PathBuf::from(kontor).with_file_name(name));
    if let Some(path) = beside.filter(|path| path.exists()) {
        return path;
    }
    let tests = std::env::current_exe().expect("a path of this program");
    // target/debug/deps/main-1234 → target
    let target = tests.ancestors().nth(3).expect("a target folder").to_owned();
    ["debug", "release"]
        .map(|profile| target.join(profile).join(name))
        .into_iter()
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .max()
        .map(|(_, path)| path)
        .unwrap_or_else(|| panic!("{name} is not built: run ./tests/run, which does it"))
}

impl From<&Server> for Homeserver {
    fn from(server: &Server) -> Self {
        server.homeserver()
    }
}

impl Server {
    /// The cluster that servers started by [`Self::start`] with [`Db::Postgres`] use.
    pub fn shared_cluster() -> &'static Cluster {
        shared::cluster()
    }
}

/// Memory of a process that is in RAM, megabytes.
pub(crate) fn resident_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes / 1000.0)
}
