//! Initial syncs of users with few and with many rooms, lazy-loaded and not.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Bench, repeat};
use crate::client::{SyncRequest, User, joined_rooms};
use crate::report::Figures;
use crate::world::{World, in_parallel};

/// People in every room besides the reader, and in the one large room that every reader is in as well.
const SMALL_ROOM: usize = 2;
const LARGE_ROOM: usize = 50;
/// Messages in every room.
const MESSAGES: usize = 5;

/// Measures one reader for each number in `sizes` (ascending); the rooms of the first are also rooms of the
/// next.
pub async fn run(bench: &mut Bench<'_>, sizes: [usize; 2]) -> Result<()> {
    let people = bench.world.users(bench.options.sized(LARGE_ROOM)).await?;
    let [few, many] = [bench.world.own_user().await?, bench.world.own_user().await?];
    let [fewer, more] = sizes;
    in_parallel(0..more, async |n| {
        let members: Vec<User> = if n == 0 {
            people.clone()
        } else {
            people.iter().cycle().skip(n * SMALL_ROOM % people.len()).take(SMALL_ROOM).cloned().collect()
        };
        let readers = [Some(&many), (n < fewer).then_some(&few)];
        fill_room(&members, readers.into_iter().flatten()).await
    })
    .await?;

    for (reader, rooms) in [(&few, fewer), (&many, more)] {
        for lazy in [true, false] {
            measure(bench, reader, rooms, lazy).await?;
        }
    }
    Ok(())
}

async fn fill_room(members: &[User], readers: impl Iterator<Item = &User>) -> Result<()> {
    let room = World::room(members).await?;
    for reader in readers {
        reader.join(&room).await?;
    }
    for n in 0..MESSAGES {
        for writer in members.iter().skip(n % members.len()).take(1) {
            writer.send(&room, &format!("fill{n}{room}"), "A message among others.").await?;
        }
    }
    Ok(())
}

/// Initial syncs one after the other; the first warms up and is reported by itself. Each has another filter that means the same (the bound on ephemeral
/// events is never reached), so that a server cannot answer from a cache of whole answers.
async fn measure(bench: &mut Bench<'_>, reader: &User, rooms: usize, lazy: bool) -> Result<()> {
    let bytes = Cell::new(0);
    let one_sync = async |n: usize| {
        let filter = format!(
            r#"{{"room":{{"state":{{"lazy_load_members":{lazy}}},"timeline":{{"limit":10}},"ephemeral":{{"limit":{}}}}}}}"#,
            1000 + n
        );
        let answer =
            reader.sync(SyncRequest { filter: &filter, since: None, timeout: Duration::ZERO }).await?;
        let listed = joined_rooms(&answer)?;
        ensure!(listed == rooms, "the initial sync lists {listed} rooms instead of {rooms}");
        bytes.set(answer.len());
        Ok(())
    };
    let first = repeat(Duration::ZERO, 1, async |_| one_sync(0).await).await?;
    let watch = bench.watch().await?;
    let seconds = repeat(bench.options.timed(5.0), 3, async |n| one_sync(n + 1).await).await?;
    let spent = watch.stop().await?;

    let syncs = seconds.len() as f64;
    let mut figures = Figures::default();
    figures.add("syncs", syncs);
    figures.add_some("cpu_ms_per_sync", spent.cpu().map(|cpu| 1000.0 * cpu / syncs));
    figures.add_some("first_ms", first.first().map(|seconds| 1000.0 * seconds));
    figures.add_percentiles("answered", seconds);
    figures.add("answer_kib", bytes.get() as f64 / 1024.0).append(spent.figures());
    bench.report.add(&format!("sync_{rooms}_rooms_{}", if lazy { "lazy" } else { "full" }), figures);
    Ok(())
}
