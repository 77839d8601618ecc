//! The website chat, and Telegram: customers write at a steady rate, an employee answers, and beside it somebody sends plain
//! messages in a plain room, by which the rest is judged.
//!
//! In: from the moment the bridge has accepted a message to the moment the employee's long poll has it. Out:
//! from the moment the server has accepted an answer to the moment the visitor's long poll has it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use tokio::time::sleep;

use super::Bench;
use crate::chat::{Chat, Page};
use crate::client::{Server, SyncRequest, User, next_batch};
use crate::report::Figures;
use crate::world::{World, in_parallel};

const FILTER: &str = r#"{"room":{"state":{"types":[]},"ephemeral":{"types":[]},"account_data":{"types":[]},
    "timeline":{"limit":50,"types":["m.room.message"]}}}"#;
const POLL: Duration = Duration::from_secs(25);
/// Messages of visitors, answers, and plain messages, each second.
const WRITTEN: f64 = 50.0;
const ANSWERED: f64 = 10.0;
const PLAIN: f64 = 10.0;
/// Time for all that was accepted to arrive.
const PATIENCE: Duration = Duration::from_secs(60);
/// Requests of one kind under way at most.
const AT_ONCE: usize = 500;

/// What was accepted and not seen yet, and how long the rest took.
#[derive(Default)]
struct Clock {
    accepted: HashMap<String, Instant>,
    /// What was seen before its sender heard that it is accepted.
    early: HashMap<String, Instant>,
    seconds: Vec<f64>,
}

impl Clock {
    fn accepted(&mut self, text: String) {
        match self.early.remove(&text) {
            Some(_) => self.seconds.push(0.0),
            None => drop(self.accepted.insert(text, Instant::now())),
        }
    }

    fn seen(&mut self, text: &str) {
        match self.accepted.remove(text) {
            Some(accepted) => self.seconds.push(accepted.elapsed().as_secs_f64()),
            None => drop(self.early.insert(text.to_owned(), Instant::now())),
        }
    }

    fn waits(&self) -> bool {
        !self.accepted.is_empty()
    }
}

/// What all parts of the run share.
#[derive(Default)]
struct Run {
    inward: RefCell<Clock>,
    outward: RefCell<Clock>,
    plain: RefCell<Vec<f64>>,
    /// Rooms by visitor.
    rooms: RefCell<HashMap<usize, String>>,
}

/// Every visitor has a conversation before anything is measured.
pub async fn run(bench: &mut Bench<'_>, name: &str, visitors: usize) -> Result<()> {
    let options = bench.options;
    let address = options.chat.as_deref().context("customers need --chat")?;
    let token = options.chat_agent.as_deref().context("customers need --chat-agent")?;
    let (chat, agent) = (Chat::new(address)?, Server::new(&options.url)?.user_with(token));
    let plain = bench.world.users(1).await?;
    let room = World::room(&plain).await?;
    let sender = plain.first().context("no users")?;
    let run = Run::default();
    let begin = next_batch(&agent.sync(request(None, Duration::ZERO)).await?)?;
    let listening = listen(&agent, begin, &run);
    tokio::pin!(listening);
    let pages = tokio::select! {
        pages = open(&chat, visitors, &run) => pages?,
        ended = &mut listening => return ended,
    };
    let polls = try_join_all(pages.iter().map(|page| follow(page, &run)));
    let measured = async {
        // Time for every page to hold its poll.
        sleep(Duration::from_secs(3)).await;
        let length = options.timed(60.0);
        let watch = bench.watch().await?;
        tokio::try_join!(
            write(&pages, &run, length),
            reply(&agent, &run, length),
            send(sender, &room, &run, length)
        )?;
        let all = || !run.inward.borrow().waits() && !run.outward.borrow().waits();
        until("all that was accepted has arrived", all).await?;
        watch.stop_now()
    };
    let spent = tokio::select! {
        spent = measured => spent?,
        ended = &mut listening => return ended,
        ended = polls => return ended.map(drop),
    };
    let mut figures = Figures::default();
    let (inward, outward) = (run.inward.take().seconds, run.outward.take().seconds);
    figures.add("messages", inward.len() as f64).add("answers", outward.len() as f64);
    let p99 = |seconds: &[f64]| crate::report::p99(seconds).unwrap_or(f64::NAN);
    let plain = run.plain.take();
    figures.add("in_p99_to_plain_send", p99(&inward) / p99(&plain));
    figures.add("out_p99_to_plain_send", p99(&outward) / p99(&plain));
    figures.add_percentiles("in", inward).add_percentiles("out", outward);
    figures.add_percentiles("acknowledged", plain).append(spent.figures());
    for tree in options.trees.iter().filter(|tree| tree.name == "bridge") {
        let memory = tree.memory()?;
        figures.add("bridge_mb", memory.resident as f64 / 1e6);
        figures.add_some("bridge_peak_mb", memory.peak.map(|bytes| bytes as f64 / 1e6));
    }
    bench.report.add(&format!("{name}_{visitors}_visitors"), figures);
    Ok(())
}

fn request(since: Option<&str>, timeout: Duration) -> SyncRequest<'_> {
    SyncRequest { filter: FILTER, since, timeout }
}

async fn until(what: &str, so: impl Fn() -> bool) -> Result<()> {
    let begin = Instant::now();
    while !so() {
        anyhow::ensure!(begin.elapsed() < PATIENCE, "never: {what}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Visitors come and write for the first time.
async fn open(chat: &Chat, visitors: usize, run: &Run) -> Result<Vec<Page>> {
    let pages = in_parallel(0..visitors, async |visitor| {
        let page = chat.visit().await?;
        page.write(0, &format!("visitor {visitor} first")).await?;
        Ok(page)
    });
    let pages = pages.await?;
    until("all conversations are open", || run.rooms.borrow().len() == visitors).await?;
    *run.inward.borrow_mut() = Clock::default();
    Ok(pages)
}

/// Does something so often in a second, however long each takes.
async fn paced<F>(rate: f64, length: Duration, work: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let count = (length.as_secs_f64() * rate).round() as usize;
    let ticks = stream::unfold((ticks, 0), async |(mut ticks, number)| {
        ticks.tick().await;
        (number < count).then_some((number, (ticks, number + 1)))
    });
    ticks.map(work).buffer_unordered(AT_ONCE).try_collect().await
}

async fn write(pages: &[Page], run: &Run, length: Duration) -> Result<()> {
    let one = async |number: usize| {
        let visitor = number % pages.len();
        let page = pages.get(visitor).context("no such visitor")?;
        let text = format!("visitor {visitor} message {number}");
        page.write(number + 1, &text).await?;
        run.inward.borrow_mut().accepted(text);
        Ok(())
    };
    paced(WRITTEN, length, one).await
}

async fn reply(agent: &User, run: &Run, length: Duration) -> Result<()> {
    let one = async |number: usize| {
        let visitor = number * 7 % run.rooms.borrow().len();
        let room = run.rooms.borrow().get(&visitor).cloned().context("no such visitor")?;
        let text = format!("answer {number}");
        agent.send(&room, &text.replace(' ', ""), &text).await?;
        run.outward.borrow_mut().accepted(text);
        Ok(())
    };
    paced(ANSWERED, length, one).await
}

async fn send(sender: &User, room: &str, run: &Run, length: Duration) -> Result<()> {
    let one = async |number: usize| {
        let begin = Instant::now();
        sender.send(room, &format!("chat{number}"), "The order left the warehouse this morning.").await?;
        run.plain.borrow_mut().push(begin.elapsed().as_secs_f64());
        Ok(())
    };
    paced(PLAIN, length, one).await
}

/// The employee's long poll.
async fn listen(agent: &User, mut since: String, run: &Run) -> Result<()> {
    loop {
        let answer = agent.sync(request(Some(&since), POLL)).await?;
        since = next_batch(&answer)?;
        let sync: Value = serde_json::from_slice(&answer)?;
        let rooms = sync.pointer("/rooms/join").and_then(Value::as_object);
        for (room, joined) in rooms.into_iter().flatten() {
            let events = joined.pointer("/timeline/events").and_then(Value::as_array);
            for text in
                events.into_iter().flatten().filter_map(|event| event.pointer("/content/body")?.as_str())
            {
                let Some(visitor) = text.strip_prefix("visitor ") else { continue };
                let visitor = visitor.split(' ').next().unwrap_or_default().parse()?;
                run.rooms.borrow_mut().insert(visitor, room.clone());
                run.inward.borrow_mut().seen(text);
            }
        }
    }
}

/// A visitor's long poll.
async fn follow(page: &Page, run: &Run) -> Result<()> {
    let mut since = 0;
    loop {
        for entry in page.events(since).await? {
            since = entry.seq;
            if entry.text.starts_with("answer ") {
                run.outward.borrow_mut().seen(&entry.text);
            }
        }
    }
}
