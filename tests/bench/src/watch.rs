//! What a stretch of work cost: wall time here, CPU of the system under test, CPU of this generator.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::procfs::{Tree, own_cpu_seconds};
use crate::report::Figures;

/// How long the system under test is observed to decide whether it is quiet.
const QUIET_WINDOW: Duration = Duration::from_millis(500);
/// CPU seconds in such a window up to which it counts as quiet (4 % of one core).
const QUIET_CPU_SECONDS: f64 = 0.02;
/// A server that never becomes quiet is measured anyway.
const QUIET_PATIENCE: Duration = Duration::from_secs(10);

/// A running measurement.
pub struct Watch<'a> {
    trees: &'a [Tree],
    started: Instant,
    cpu: Vec<f64>,
    own_cpu: f64,
}

/// The result of a measurement.
pub struct Spent {
    /// Seconds of wall time.
    pub wall: f64,
    /// CPU seconds for each tree, in the order of `--pid`; empty if none was given.
    trees: Vec<(String, f64)>,
    own: f64,
}

impl<'a> Watch<'a> {
    /// Waits until the system is quiet, so that earlier work is not charged to this one, then starts.
    pub async fn start(trees: &'a [Tree]) -> Result<Self> {
        settle(trees).await?;
        Ok(Self { trees, cpu: cpu_of(trees)?, own_cpu: own_cpu_seconds()?, started: Instant::now() })
    }

    /// Stops the clock; CPU is read once the system has become quiet, because work that it put off (counting
    /// unread messages, indexing) belongs to the requests that caused it.
    pub async fn stop(self) -> Result<Spent> {
        let wall = self.started.elapsed();
        let own = own_cpu_seconds()?;
        settle(self.trees).await?;
        self.spent(wall, own)
    }

    /// Stops the clock and reads CPU at once.
    pub fn stop_now(self) -> Result<Spent> {
        let wall = self.started.elapsed();
        let own = own_cpu_seconds()?;
        self.spent(wall, own)
    }

    fn spent(&self, wall: Duration, own: f64) -> Result<Spent> {
        let now = cpu_of(self.trees)?;
        let used = self.cpu.iter().zip(now).map(|(before, after)| after - before);
        let names = self.trees.iter().map(|tree| tree.name.clone());
        Ok(Spent { wall: wall.as_secs_f64(), trees: names.zip(used).collect(), own: own - self.own_cpu })
    }
}

impl Spent {
    /// CPU seconds of the whole system under test; `None` if no `--pid` was given. At least one clock tick,
    /// so that a ratio to it stays finite and never flatters.
    pub fn cpu(&self) -> Option<f64> {
        let total: f64 = self.trees.iter().map(|(_, seconds)| seconds).sum();
        (!self.trees.is_empty()).then_some(total.max(0.01))
    }

    /// Wall and CPU seconds in full, tree by tree.
    pub fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        figures.add("wall_seconds", self.wall);
        figures.add_some("cpu_seconds", self.cpu());
        for (name, seconds) in &self.trees {
            figures.add(&format!("cpu_seconds_{name}"), *seconds);
        }
        figures.add("generator_cpu_seconds", self.own);
        figures
    }
}

fn cpu_of(trees: &[Tree]) -> Result<Vec<f64>> {
    trees.iter().map(Tree::cpu_seconds).collect()
}

async fn settle(trees: &[Tree]) -> Result<()> {
    let deadline = Instant::now() + QUIET_PATIENCE;
    let mut before: f64 = cpu_of(trees)?.iter().sum();
    while !trees.is_empty() && Instant::now() < deadline {
        tokio::time::sleep(QUIET_WINDOW).await;
        let now: f64 = cpu_of(trees)?.iter().sum();
        if now - before <= QUIET_CPU_SECONDS {
            break;
        }
        before = now;
    }
    Ok(())
}
