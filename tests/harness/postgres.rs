//! A private PostgreSQL cluster: made in a temporary folder, on loopback, gone afterwards.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::scratch::Scratch;
use crate::server::free_port;
use crate::wait::wait_until;

const START_DEADLINE: Duration = Duration::from_secs(60);

/// How PostgreSQL is told to stop.
#[derive(Debug, Clone, Copy)]
pub enum StopMode {
    /// Ends sessions, writes a checkpoint.
    Fast,
    /// As if the power failed: recovery from the log at the next start.
    Immediate,
}

/// A running cluster. Stopped and removed on drop.
#[derive(Debug)]
pub struct Cluster {
    bin: PathBuf,
    scratch: Scratch,
    port: u16,
    options: Vec<String>,
    postmaster: Option<Child>,
}

impl Cluster {
    /// Starts a cluster with full durability, for tests in which PostgreSQL itself dies.
    pub fn start() -> Self {
        Self::with_options(&[])
    }

    /// Starts a cluster that does not wait for the disk: for all other tests.
    pub fn start_fast() -> Self {
        Self::with_options(&["fsync=off", "full_page_writes=off"])
    }

    /// As [`Self::start`] in a given folder, which may lie on a small file system of its own.
    pub fn start_in(scratch: Scratch) -> Self {
        Self::launch(scratch, &["max_wal_size=32MB", "min_wal_size=32MB"])
    }

    fn with_options(options: &[&str]) -> Self {
        Self::launch(Scratch::new("postgresql"), options)
    }

    fn launch(scratch: Scratch, options: &[&str]) -> Self {
        let bin = find_binaries().unwrap_or_else(|| {
            panic!(
                "PostgreSQL's server programs were found neither on PATH nor under \
                 /usr/lib/postgresql/*/bin. Install them (Debian: apt-get install postgresql), \
                 or let ./tests/run do it."
            )
        });
        let mut cluster = Self {
            bin,
            scratch,
            port: free_port(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            postmaster: None,
        };
        cluster.init();
        cluster.run();
        cluster
    }

    fn init(&self) {
        let data = self.data();
        fs::create_dir(&data).expect("own folder");
        if let Some((uid, gid)) = self.run_as() {
            chown(&data, Some(uid), Some(gid)).expect("root may give folders away");
        }
        let done = self
            .command("initdb")
            .args(["--username=kontor", "--auth=trust", "--encoding=UTF8", "--locale=C"])
            .args(["--no-sync", "--pgdata"])
            .arg(&data)
            .output()
            .expect("initdb");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "initdb failed: {said}");
    }

    fn run(&mut self) {
        let log = fs::File::create(self.log_path()).expect("own folder");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        for option in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"] {
            command.args(["-c", option]);
        }
        for option in &self.options {
            command.args(["-c", option]);
        }
        let errors = log.try_clone().expect("a file handle");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().expect("postgres");
        self.scratch.guard_process("postmaster", child.id());
        self.postmaster = Some(child);
        let mut refusal = String::new();
        let ready = wait_until(START_DEADLINE, || self.ready().map_err(|error| refusal = error).ok());
        if ready.is_none() {
            let log = fs::read_to_string(self.log_path()).unwrap_or_default();
            panic!("PostgreSQL did not start within {START_DEADLINE:?}: {refusal}\n{log}");
        }
    }

    fn ready(&self) -> Result<(), String> {
        self.try_sql("postgres", "SELECT 1").map(drop)
    }

    /// Makes an empty database; gives its URL.
    pub fn create_database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("kontor{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of database `name`.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://kontor@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs SQL in database `name`; gives the rows, one a line, columns divided by `|`.
    pub fn sql(&self, name: &str, sql: &str) -> String {
        self.try_sql(name, sql).unwrap_or_else(|error| panic!("psql failed on {sql}: {error}"))
    }

    fn try_sql(&self, name: &str, sql: &str) -> Result<String, String> {
        let done = self.psql_command(name).args(["-c", sql]).output().map_err(|error| error.to_string())?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned())
    }

    /// A `psql` on database `name` that takes its statements from standard input, for sessions
    /// that stay open.
    pub fn session(&self, name: &str) -> Child {
        self.psql_command(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql")
    }

    /// Stops the cluster and starts it on the same port and data.
    pub fn restart(&mut self, mode: StopMode) {
        self.stop(mode);
        self.run();
    }

    /// Stops the cluster; [`Self::start_again`] brings it back.
    pub fn stop(&mut self, mode: StopMode) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        let signal = match mode {
            StopMode::Fast => "INT",
            StopMode::Immediate => "QUIT",
        };
        crate::server::signal(postmaster.id(), signal);
        let _ = postmaster.wait();
        self.scratch.release_process("postmaster");
    }

    /// Starts a stopped cluster on the same port and data.
    pub fn start_again(&mut self) {
        self.run();
    }

    /// What a service manager does: starts the cluster again if it has ended by itself.
    pub fn start_again_if_ended(&mut self) {
        let ended =
            self.postmaster.as_mut().is_none_or(|postmaster| !matches!(postmaster.try_wait(), Ok(None)));
        if ended {
            self.scratch.release_process("postmaster");
            self.run();
        }
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.scratch.path().join("log")
    }

    fn psql_command(&self, database: &str) -> Command {
        let mut command = self.command("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"]);
        command.args(["-p", &self.port.to_string(), "-U", "kontor", "-d", database]);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        // Its libraries look into HOME, which another user may not enter.
        command.current_dir("/").env("HOME", self.scratch.path()).env("LC_ALL", "C");
        if let Some((uid, gid)) = self.run_as() {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// PostgreSQL refuses to run as root: then it runs as the user that its package made.
    fn run_as(&self) -> Option<(u32, u32)> {
        let root = fs::metadata(self.scratch.path()).is_ok_and(|folder| folder.uid() == 0);
        root.then(|| user_ids("postgres").or_else(|| user_ids("nobody")).expect("a user that is not root"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop(StopMode::Immediate);
    }
}

fn user_ids(name: &str) -> Option<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// The folder with the programs of server and client: of PATH, or the newest of Debian's.
fn find_binaries() -> Option<PathBuf> {
    let complete =
        |folder: &Path| ["initdb", "postgres", "psql"].iter().all(|program| folder.join(program).exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(|folder| complete(folder)) {
        return Some(folder);
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| complete(folder))
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder)
}
