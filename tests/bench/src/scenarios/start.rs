//! Restart with a filled database: time from starting the process to the first authenticated answer, and
//! memory before and after. The operating system's file cache stays warm.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::Bench;
use crate::client::User;
use crate::report::Figures;

const STARTS: usize = 3;
/// Between two attempts to get an answer.
const RETRY: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(120);
/// After the last start, before memory is called idle.
const REST: Duration = Duration::from_secs(5);

/// Skips the restart, but not the memory, if no commands were given.
pub async fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.note_memory("memory_after_run")?;
    let options = bench.options;
    let (Some(stop), Some(start)) = (&options.stop_command, &options.start_command) else { return Ok(()) };
    let user = bench.world.own_user().await?;
    let mut seconds = Vec::new();
    for _ in 0..STARTS {
        shell(stop).await?;
        let begin = Instant::now();
        shell(start).await?;
        first_answer(&user, begin).await?;
        seconds.push(begin.elapsed().as_secs_f64());
    }
    tokio::time::sleep(REST).await;
    bench.note_memory("memory_idle_filled")?;
    seconds.sort_by(f64::total_cmp);
    let mut figures = Figures::default();
    figures.add("starts", seconds.len() as f64);
    figures.add_some("first_answer_median_seconds", seconds.get(seconds.len() / 2).copied());
    figures.add_some("first_answer_slowest_seconds", seconds.last().copied());
    bench.report.add("start", figures);
    Ok(())
}

async fn first_answer(user: &User, begin: Instant) -> Result<()> {
    while let Err(error) = user.whoami().await {
        ensure!(begin.elapsed() < PATIENCE, "no answer {PATIENCE:?} after the start: {error:#}");
        tokio::time::sleep(RETRY).await;
    }
    Ok(())
}

async fn shell(command: &str) -> Result<()> {
    let status =
        Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).status().await;
    let status = status.with_context(|| format!("cannot run: {command}"))?;
    ensure!(status.success(), "{status} from: {command}");
    Ok(())
}
