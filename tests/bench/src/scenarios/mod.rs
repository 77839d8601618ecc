//! The scenarios: what is done to the server, and which figures come out. One file each.

mod chat;
mod crowd;
mod delivery;
mod idle;
mod media;
mod pagination;
mod search;
mod send;
mod sliding;
mod start;
mod sync;

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;

use crate::client::Server;
use crate::options::Options;
use crate::procfs::{machine_cpu_seconds, own_cpu_seconds};
use crate::report::{Figures, Report};
use crate::watch::Watch;
use crate::world::World;

/// A scenario, as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Messages sent in one room and in twenty
    Send,
    /// Time from sending to seeing, with 50 and with 200 long-polling members
    Delivery,
    /// Initial syncs with 60 and with 500 rooms, lazy-loaded and not
    Sync,
    /// Reading a long room backwards
    Pagination,
    /// Upload, thumbnails, download
    Media,
    /// 500 idle long polls
    Idle,
    /// Restart with the database filled by the scenarios before
    Start,
    /// Every scenario so far, in this order
    All,
    /// The first answer of sliding sync for a user in 2,000 rooms
    Sliding,
    /// Search among 100,000 messages
    Search,
    /// A room of 1,000 members: joining it, pushing its messages
    Crowd,
    /// 2,000 idle long polls
    Idle2000,
    /// The four that only large houses feel
    More,
    /// 1,000 visitors of the website chat; needs its bridge
    Chat,
    /// 1,000 customers of an emulated Telegram; needs it, and its bridge
    Telegram,
}

/// What all scenarios share.
pub struct Bench<'a> {
    /// Sizes, and whose CPU is counted.
    pub options: &'a Options,
    /// Accounts and rooms.
    pub world: World,
    /// Results so far.
    pub report: Report,
    began: MachineCpu,
    latest: MachineCpu,
    restarted: bool,
}

/// CPU seconds of the machine, to tell whether it was quiet.
#[derive(Clone, Copy)]
struct MachineCpu {
    at: Instant,
    busy: f64,
    stolen: f64,
    ours: f64,
}

impl Scenario {
    /// Every scenario in the order of a full run: the ones that fill the database first.
    pub const EACH: [Self; 7] =
        [Self::Send, Self::Delivery, Self::Pagination, Self::Sync, Self::Media, Self::Idle, Self::Start];
    /// What `more` runs, in this order.
    pub const MORE: [Self; 4] = [Self::Sliding, Self::Crowd, Self::Idle2000, Self::Search];

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Delivery => "delivery",
            Self::Sync => "sync",
            Self::Pagination => "pagination",
            Self::Media => "media",
            Self::Idle => "idle",
            Self::Start => "start",
            Self::All => "all",
            Self::Sliding => "sliding",
            Self::Search => "search",
            Self::Crowd => "crowd",
            Self::Idle2000 => "idle2000",
            Self::More => "more",
            Self::Chat => "chat",
            Self::Telegram => "telegram",
        }
    }

    /// Runs it in its standard sizes.
    async fn run(self, bench: &mut Bench<'_>) -> Result<()> {
        let options = bench.options;
        match self {
            Self::Send => {
                send::run(bench, 1).await?;
                send::run(bench, options.sized(20)).await
            }
            Self::Delivery => {
                delivery::run(bench, options.sized(50)).await?;
                delivery::run(bench, options.sized(200)).await
            }
            Self::Sync => sync::run(bench, [options.sized(60), options.sized(500)]).await,
            Self::Pagination => pagination::run(bench).await,
            Self::Media => media::run(bench).await,
            Self::Idle => idle::run(bench, options.sized(500)).await,
            Self::Start => start::run(bench).await,
            Self::Sliding => sliding::run(bench, options.sized(2_000)).await,
            Self::Search => search::run(bench, options.sized(100_000)).await,
            Self::Crowd => crowd::run(bench, options.sized(1_000)).await,
            Self::Idle2000 => idle::run(bench, options.sized(2_000)).await,
            Self::Chat => chat::run(bench, "chat", options.sized(1_000)).await,
            Self::Telegram => chat::run(bench, "telegram", options.sized(1_000)).await,
            Self::All | Self::More => Ok(()),
        }
    }
}

impl<'a> Bench<'a> {
    /// Notes the memory of the untouched server and prepares a run.
    pub fn new(options: &'a Options) -> Result<Self> {
        let server = Server::new(&options.url)?;
        let world = World::new(server, options.shared_secret.clone());
        let began = MachineCpu::read(options)?;
        let mut bench =
            Self { options, world, report: Report::default(), began, latest: began, restarted: false };
        bench.note_memory("memory_at_begin")?;
        Ok(bench)
    }

    /// Runs a scenario and notes how busy the machine was until now.
    pub async fn measure(&mut self, scenario: Scenario) -> Result<()> {
        scenario.run(self).await?;
        if scenario == Scenario::Start {
            // What the server's old process used would count as used by others from here on.
            self.restarted = true;
        } else if !self.restarted {
            self.latest = MachineCpu::read(self.options)?;
        }
        Ok(())
    }

    /// Adds what the machine did besides, and hands out the results.
    pub fn finish(mut self) -> Result<Report> {
        let now = self.latest;
        let seconds = (now.at - self.began.at).as_secs_f64();
        if self.options.trees.is_empty() || seconds == 0.0 {
            return Ok(self.report);
        }
        let mut figures = Figures::default();
        figures.add("run_seconds", seconds);
        let cores = std::thread::available_parallelism()?.get() as f64;
        let percent = |cpu_seconds: f64| 100.0 * cpu_seconds / (seconds * cores);
        let others = (now.busy - self.began.busy) - (now.ours - self.began.ours);
        figures.add("cores", cores);
        figures.add("cpu_percent_of_others", percent(others).max(0.0));
        figures.add("cpu_percent_stolen", percent(now.stolen - self.began.stolen));
        self.report.add("machine", figures);
        Ok(self.report)
    }

    /// Starts a measurement of the system under test.
    pub async fn watch(&self) -> Result<Watch<'a>> {
        Watch::start(&self.options.trees).await
    }

    /// Adds the memory of each tree as a scenario of its own, in megabytes (10^6).
    pub fn note_memory(&mut self, name: &str) -> Result<()> {
        let mut figures = Figures::default();
        for tree in &self.options.trees {
            let memory = tree.memory()?;
            let megabytes = |bytes: u64| bytes as f64 / 1e6;
            figures.add(&format!("{}_mb", tree.name), megabytes(memory.resident));
            figures.add_some(&format!("{}_peak_mb", tree.name), memory.peak.map(megabytes));
        }
        if !self.options.trees.is_empty() {
            self.report.add(name, figures);
        }
        Ok(())
    }
}

impl MachineCpu {
    fn read(options: &Options) -> Result<Self> {
        if options.trees.is_empty() {
            return Ok(Self { at: Instant::now(), busy: 0.0, stolen: 0.0, ours: 0.0 });
        }
        let (busy, stolen) = machine_cpu_seconds()?;
        let mut ours = own_cpu_seconds()?;
        for tree in &options.trees {
            ours += tree.cpu_seconds()?;
        }
        Ok(Self { at: Instant::now(), busy, stolen, ours })
    }
}

/// Repeats an action for `length`, but at least `least` times; answers the seconds that each took.
async fn repeat<F>(length: Duration, least: usize, mut action: impl FnMut(usize) -> F) -> Result<Vec<f64>>
where
    F: Future<Output = Result<()>>,
{
    let begin = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < least || begin.elapsed() < length {
        let before = Instant::now();
        action(seconds.len()).await?;
        seconds.push(before.elapsed().as_secs_f64());
    }
    Ok(seconds)
}
