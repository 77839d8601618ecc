//! The harness itself, as far as it needs no Kontor.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use harness::{Cluster, DEADLINE, Scratch, StopMode, wait_until};

#[test]
fn the_private_postgresql_keeps_its_data_over_a_restart() {
    let mut cluster = Cluster::start();
    cluster.sql("postgres", "CREATE TABLE kept (n INT)");
    cluster.sql("postgres", "INSERT INTO kept VALUES (1), (2)");
    for mode in [StopMode::Fast, StopMode::Immediate] {
        cluster.restart(mode);
        assert_eq!(cluster.sql("postgres", "SELECT sum(n) FROM kept"), "3");
    }
    assert_eq!(cluster.sql("postgres", "SHOW fsync"), "on");
}

/// Starts this very test in a process of its own and kills that: nothing of it may stay.
#[test]
fn a_killed_test_process_leaves_nothing_behind() {
    const REPORT_TO: &str = "KONTOR_TESTS_REPORT_TO";
    if let Some(file) = std::env::var_os(REPORT_TO) {
        let cluster = Cluster::start_fast();
        fs::write(file, cluster.sql("postgres", "SHOW data_directory")).unwrap();
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let scratch = Scratch::new("report");
    let report = scratch.path().join("data-directory");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "house::harness::a_killed_test_process_leaves_nothing_behind"])
        .env(REPORT_TO, &report)
        .spawn()
        .unwrap();
    let data = wait_until(DEADLINE, || {
        let path = PathBuf::from(fs::read_to_string(&report).ok()?);
        path.join("postmaster.pid").exists().then_some(path)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let data = data.expect("the other process started its cluster");
    let gone = wait_until(DEADLINE, || (!data.exists()).then_some(()));
    assert!(gone.is_some(), "{} is still there", data.display());
}
