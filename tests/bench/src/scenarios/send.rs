//! Sending: a fixed number of senders, each with one message in flight, over one or several rooms.

use std::cell::Cell;
use std::time::Instant;

use anyhow::Result;
use futures_util::future::try_join_all;

use super::Bench;
use crate::client::User;
use crate::report::Figures;
use crate::world::{World, in_parallel};

/// About as long as a sentence in a conversation.
const TEXT: &str =
    "The order left the warehouse this morning and should be with you on Thursday before noon.";

/// Sends until the number of messages or the time is used up, whichever is first. Sender i writes in room
/// i modulo `rooms`.
pub async fn run(bench: &mut Bench<'_>, rooms: usize) -> Result<()> {
    let options = bench.options;
    let senders = bench.world.users(options.sized(options.senders).max(rooms)).await?;
    let members = |room: usize| senders.iter().skip(room).step_by(rooms).cloned().collect::<Vec<User>>();
    let room_ids = in_parallel(0..rooms, async |room| World::room(&members(room)).await).await?;

    let budget = Cell::new(options.sized(options.messages));
    let watch = bench.watch().await?;
    let end = Instant::now() + options.timed(options.send_seconds);
    let work =
        senders.iter().zip(room_ids.iter().cycle()).map(|(user, room)| send_until(user, room, &budget, end));
    let seconds: Vec<f64> = try_join_all(work).await?.concat();
    let spent = watch.stop().await?;

    let messages = seconds.len() as f64;
    let mut figures = Figures::default();
    figures.add("messages", messages);
    figures.add("messages_per_second", messages / spent.wall);
    figures.add_some("messages_per_cpu_second", spent.cpu().map(|cpu| messages / cpu));
    figures.add_some("cpu_ms_per_message", spent.cpu().map(|cpu| 1000.0 * cpu / messages));
    figures.add_percentiles("acknowledged", seconds).append(spent.figures());
    bench.report.add(&format!("send_{rooms}_rooms"), figures);
    Ok(())
}

/// Sends one message after the other; answers how long each took to be acknowledged, in seconds.
async fn send_until(user: &User, room: &str, budget: &Cell<usize>, end: Instant) -> Result<Vec<f64>> {
    let mut seconds = Vec::new();
    while budget.get() > 0 && Instant::now() < end {
        budget.set(budget.get() - 1);
        let before = Instant::now();
        user.send(room, &format!("send{}{room}", seconds.len()), TEXT).await?;
        seconds.push(before.elapsed().as_secs_f64());
    }
    Ok(seconds)
}
