//! Delivery: one room, every member holds a long poll, one message at a time. Measured from the moment the
//! sender begins its request to the moment a member has the whole `/sync` answer that contains the message.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use tokio::sync::Notify;

use super::{Bench, repeat};
use crate::client::{SyncRequest, User, next_batch};
use crate::report::Figures;
use crate::world::{World, in_parallel};

const FILTER: &str = r#"{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":20}}}"#;
const POLL: Duration = Duration::from_secs(30);
/// Stands before a message's number in its text, so that it is found in an answer without parsing it.
const MARK: &str = "bench-delivery-";
/// Time for every member to hold its next poll after an answer.
const PAUSE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(60);

/// Who saw the current message when.
#[derive(Default)]
struct Sightings {
    current: RefCell<Current>,
    all_saw: Notify,
}

#[derive(Default)]
struct Current {
    number: usize,
    sent: Option<Instant>,
    awaited: usize,
    seconds: Vec<f64>,
}

/// The next message is sent once all members have seen the one before, so answers never queue behind
/// earlier messages. The first message warms up and is not counted.
pub async fn run(bench: &mut Bench<'_>, members: usize) -> Result<()> {
    let users = bench.world.users(members + 1).await?;
    let room = World::room(&users).await?;
    let (sender, receivers) = users.split_last().context("no users")?;
    let begins = in_parallel(receivers, async |user| {
        let request = SyncRequest { filter: FILTER, since: None, timeout: Duration::ZERO };
        next_batch(&user.sync(request).await?)
    });
    let begins = begins.await?;
    let sightings = Sightings::default();
    let polls =
        try_join_all(receivers.iter().zip(begins).map(|(user, since)| receive(user, since, &sightings)));

    let measured = async {
        tokio::time::sleep(PAUSE).await;
        announce(sender, &room, 0, receivers.len(), &sightings).await?;
        sightings.current.borrow_mut().seconds.clear();
        let watch = bench.watch().await?;
        let length = bench.options.timed(8.0);
        let rounds = repeat(length, bench.options.sized(12), async |n| {
            tokio::time::sleep(PAUSE).await;
            announce(sender, &room, n + 1, receivers.len(), &sightings).await
        });
        let messages = rounds.await?.len() as f64;
        anyhow::Ok((messages, watch.stop().await?))
    };
    let (messages, spent) = tokio::select! {
        done = measured => done?,
        ended = polls => return ended.map(|_| ()),
    };

    let seconds = sightings.current.take().seconds;
    let mut figures = Figures::default();
    figures.add("messages", messages);
    figures.add_some("cpu_ms_per_message", spent.cpu().map(|cpu| 1000.0 * cpu / messages));
    figures.add_some("cpu_ms_per_delivery", spent.cpu().map(|cpu| 1000.0 * cpu / seconds.len() as f64));
    figures.add_percentiles("seen", seconds).append(spent.figures());
    bench.report.add(&format!("delivery_{members}_members"), figures);
    Ok(())
}

/// Sends message `number` and waits until all members have seen it.
async fn announce(
    sender: &User,
    room: &str,
    number: usize,
    members: usize,
    sightings: &Sightings,
) -> Result<()> {
    {
        let mut current = sightings.current.borrow_mut();
        current.number = number;
        current.sent = Some(Instant::now());
        current.awaited = members;
    }
    let text = format!("{MARK}{number}.");
    let sent = async {
        sender.send(room, &format!("{MARK}{number}{room}"), &text).await?;
        sightings.all_saw.notified().await;
        anyhow::Ok(())
    };
    let waited = tokio::time::timeout(PATIENCE, sent).await;
    let missing = sightings.current.borrow().awaited;
    waited.with_context(|| {
        format!("{missing} of {members} members did not see a message within {PATIENCE:?}")
    })?
}

/// Long-polls for ever and notes when the current message is in an answer.
async fn receive(user: &User, mut since: String, sightings: &Sightings) -> Result<()> {
    loop {
        let request = SyncRequest { filter: FILTER, since: Some(&since), timeout: POLL };
        let answer = user.sync(request).await?;
        let now = Instant::now();
        since = next_batch(&answer)?;
        let Some(number) = newest_mark(&answer) else { continue };
        let mut current = sightings.current.borrow_mut();
        let Some(sent) = current.sent.filter(|_| number == current.number) else { continue };
        current.seconds.push((now - sent).as_secs_f64());
        current.awaited = current.awaited.saturating_sub(1);
        if current.awaited == 0 {
            sightings.all_saw.notify_one();
        }
    }
}

fn newest_mark(answer: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(answer).ok()?;
    // The mark is also in the transaction id that the sender alone gets back; there no full stop follows.
    let numbers = text.split(MARK).skip(1).filter_map(|rest| rest.split_once('.')?.0.parse().ok());
    numbers.max()
}

#[cfg(test)]
mod tests {
    use super::newest_mark;

    #[test]
    fn the_newest_message_of_an_answer_counts() {
        let answer =
            br#"{"body":"bench-delivery-9."},{"body":"bench-delivery-12."},{"t":"bench-delivery-13!room"}"#;
        assert_eq!(newest_mark(answer), Some(12));
        assert_eq!(newest_mark(b"{}"), None);
    }
}
