//! CPU time and memory of process trees, read from Linux's `/proc`. Nothing here asks the server.

use std::collections::HashMap;
use std::fs;
use std::str::FromStr;

use anyhow::{Context, Result};

/// The kernel reports CPU times in `USER_HZ`, which is 100 on every Linux architecture Rust's std supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process tree to be measured, as given by `--pid NAME=PID|FILE`.
#[derive(Debug, Clone)]
pub struct Tree {
    /// What the tree is called in the results.
    pub name: String,
    /// A number, or a file with a number in its first line. A file is read again at each measurement, so it
    /// may name a new process after a restart.
    root: String,
}

/// Memory of a tree in bytes.
#[derive(Debug, Default, Clone, Copy)]
pub struct Memory {
    /// Resident memory now. Shared memory (PostgreSQL's buffers) counts once, not once per process.
    pub resident: u64,
    /// The highest resident memory ever; only known for a single process, because several share memory and
    /// have their peaks at different times.
    pub peak: Option<u64>,
}

/// One line of `/proc/PID/stat`, as far as it is needed here.
#[derive(Debug, PartialEq)]
struct Stat {
    parent: u32,
    /// Own CPU time, in ticks.
    own: u64,
    /// CPU time of children that ended and were waited for, in ticks.
    reaped: u64,
}

impl FromStr for Tree {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, root) = text.split_once('=').unwrap_or(("server", text));
        if name.is_empty() || root.is_empty() {
            return Err("expected NAME=PID or NAME=FILE".to_owned());
        }
        Ok(Self { name: name.to_owned(), root: root.to_owned() })
    }
}

impl Tree {
    /// CPU seconds (user and system) used so far by all processes that live in the tree now, and by those
    /// that ended and were waited for by a living one. The postmaster waits for each of its backends, so a
    /// backend that is gone stays counted.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stats = all_stats()?;
        let ticks: u64 =
            self.pids(&stats)?.iter().filter_map(|pid| stats.get(pid)).map(|s| s.own + s.reaped).sum();
        Ok(ticks as f64 / TICKS_PER_SECOND)
    }

    /// Memory of all processes that live in the tree now.
    pub fn memory(&self) -> Result<Memory> {
        let mut memory = Memory::default();
        let mut shared = 0;
        let pids = self.pids(&all_stats()?)?;
        for pid in &pids {
            // A process may end between listing and reading: it then has no memory left to count.
            let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { continue };
            let bytes = |key| status_bytes(&status, key).unwrap_or(0);
            memory.resident += bytes("RssAnon") + bytes("RssFile");
            memory.peak = Some(bytes("VmHWM")).filter(|_| pids.len() == 1);
            shared = shared.max(bytes("RssShmem"));
        }
        memory.resident += shared;
        Ok(memory)
    }

    /// The root and everything below it.
    fn pids(&self, stats: &HashMap<u32, Stat>) -> Result<Vec<u32>> {
        let root = self.root_pid()?;
        anyhow::ensure!(stats.contains_key(&root), "process {root} ({}) does not run", self.name);
        let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
        for (pid, stat) in stats {
            children.entry(stat.parent).or_default().push(*pid);
        }
        let mut found = vec![root];
        let mut pending = vec![root];
        while let Some(pid) = pending.pop() {
            let below = children.get(&pid).map(Vec::as_slice).unwrap_or_default();
            found.extend(below);
            pending.extend(below);
        }
        Ok(found)
    }

    fn root_pid(&self) -> Result<u32> {
        if let Ok(pid) = self.root.parse() {
            return Ok(pid);
        }
        let text =
            fs::read_to_string(&self.root).with_context(|| format!("cannot read pid file {}", self.root))?;
        let first = text.lines().next().unwrap_or_default().trim();
        first.parse().with_context(|| format!("{} does not begin with a pid", self.root))
    }
}

/// CPU seconds of the whole machine since boot: used by any process, and taken away by the hypervisor.
pub fn machine_cpu_seconds() -> Result<(f64, f64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let ticks: Vec<u64> =
        text.lines().next().unwrap_or_default().split_whitespace().skip(1).flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal …
    let [user, nice, system, _, _, irq, softirq, steal, ..] = ticks[..] else {
        anyhow::bail!("/proc/stat has an unknown form");
    };
    let seconds = |ticks: u64| ticks as f64 / TICKS_PER_SECOND;
    Ok((seconds(user + nice + system + irq + softirq), seconds(steal)))
}

/// CPU seconds used by this process so far.
pub fn own_cpu_seconds() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let stat = parse_stat(&text).context("/proc/self/stat has an unknown form")?;
    Ok(stat.own as f64 / TICKS_PER_SECOND)
}

fn all_stats() -> Result<HashMap<u32, Stat>> {
    let mut stats = HashMap::new();
    for entry in fs::read_dir("/proc").context("this measurement needs Linux's /proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(text) = fs::read_to_string(entry.path().join("stat")) else { continue };
        if let Some(stat) = parse_stat(&text) {
            stats.insert(pid, stat);
        }
    }
    Ok(stats)
}

/// The program's name stands in parentheses and may itself contain spaces and parentheses, so fields are
/// counted from the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |index: usize| fields.get(index)?.trim().parse::<u64>().ok();
    Some(Stat {
        parent: u32::try_from(number(1)?).ok()?,
        own: number(11)? + number(12)?,
        reaped: number(13)? + number(14)?,
    })
}

fn status_bytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = "7 (a) b (c)) S 3 7 7 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 1 0 100 1000 10";
        assert_eq!(parse_stat(line), Some(Stat { parent: 3, own: 33, reaped: 77 }));
    }

    #[test]
    fn status_lines_are_kilobytes() {
        assert_eq!(status_bytes("VmHWM:\t  20 kB\nRssAnon:\t 1024 kB\n", "RssAnon"), Some(1_048_576));
        assert_eq!(status_bytes("VmHWM:\t  20 kB\n", "RssAnon"), None);
    }

    #[test]
    fn work_of_an_ended_child_stays_counted() {
        let tree: Tree = format!("self={}", std::process::id()).parse().unwrap();
        let before = tree.cpu_seconds().unwrap();
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        assert!(std::process::Command::new("sh").args(["-c", script]).status().unwrap().success());
        assert!(tree.cpu_seconds().unwrap() - before >= 0.02);
        assert!(tree.memory().unwrap().resident > 1_000_000);
    }
}
