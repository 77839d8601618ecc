//! One temporary folder per test process, and a watchdog that empties it whatever happens.
//!
//! Statics are not dropped when a test process ends, and a killed one drops nothing at all. So a
//! small shell process waits on a pipe; when our end of it closes, it kills every process whose
//! id stands in a `*.pid` file of the folder and removes the folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const WATCHDOG: &str = r#"
cat >/dev/null
for file in "$1"/*/*.pid; do
    [ -f "$file" ] && kill -KILL "$(cat "$file")" 2>/dev/null
done
umount --lazy "$1"/disk-* 2>/dev/null
# PostgreSQL's children leave by themselves once their postmaster is gone.
for try in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$1" 2>/dev/null && break
    sleep 0.3
done
"#;

struct Root {
    path: PathBuf,
    _watchdog: Child,
}

fn root() -> &'static Path {
    static ROOT: OnceLock<Root> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        let name = format!("kontor-tests-{}-{}", std::process::id(), since_epoch.as_millis());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a writable temporary folder");
        // PostgreSQL may run as another user, who must get through.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("own folder");
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "kontor-tests-watchdog"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Out of the terminal's process group: Ctrl-C must not end the one who cleans up.
            .process_group(0)
            .spawn()
            .expect("sh");
        Root { path, _watchdog: watchdog }
    });
    &root.path
}

/// A folder of one server or cluster; removed on drop, or by the watchdog at the latest.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes an empty folder whose name starts with `kind`.
    pub fn new(kind: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = root().join(format!("{kind}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir_all(&path).expect("a writable temporary folder");
        Self { path }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells the watchdog that process `pid`, known as `name`, must not outlive the tests.
    pub fn guard_process(&self, name: &str, pid: u32) {
        fs::write(self.path.join(format!("{name}.pid")), pid.to_string()).expect("own folder");
    }

    /// Takes [`Self::guard_process`] back: the process has ended and its id may be another's.
    pub fn release_process(&self, name: &str) {
        let _ = fs::remove_file(self.path.join(format!("{name}.pid")));
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
