//! `kontor-bench`: a load generator that speaks only the public Matrix client-server API, so that any
//! homeserver can be measured by its URL and compared with another one.
//!
//! It runs on one thread: generating load must cost little beside serving it, because both share a machine.
//! Nothing here may know how a particular homeserver works inside; what is server-specific (how to start and
//! configure it) lives in the driver script `compare`.

mod chat;
mod client;
mod image_file;
mod options;
mod procfs;
mod report;
mod scenarios;
mod watch;
mod world;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::options::Options;
use crate::report::Report;
use crate::scenarios::Bench;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match measure(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(options: &Options) -> Result<()> {
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        anyhow::bail!("another TLS provider is already installed in this process");
    }
    let report = run(options).await?;
    print_table(&report);
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report.to_json())? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    anyhow::ensure!(
        report.failures().is_empty(),
        "{} scenario(s) failed, see above",
        report.failures().len()
    );
    Ok(())
}

/// Runs the chosen scenarios in their fixed order. A scenario that fails is reported and does not end the
/// run: a server that lacks one endpoint can still be measured in the rest.
async fn run(options: &Options) -> Result<Report> {
    let mut bench = Bench::new(options)?;
    for scenario in options.scenarios() {
        progress(&format!("{} …", scenario.name()));
        if let Err(error) = bench.measure(scenario).await {
            progress(&format!("{} failed: {error:#}", scenario.name()));
            bench.report.fail(scenario.name(), &format!("{error:#}"));
        }
    }
    bench.finish()
}

/// One line on standard error, so that a run of several minutes shows where it is.
fn progress(line: &str) {
    eprintln!("bench: {line}");
}

#[allow(clippy::print_stdout)] // the table is what the program is for
fn print_table(report: &Report) {
    print!("{}", report.to_table());
}
