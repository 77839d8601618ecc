//! Backward pagination: a long room read from its newest message to its beginning, again and again.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Bench, repeat};
use crate::client::User;
use crate::report::Figures;
use crate::world::{World, in_parallel};

/// Messages in the long room, and on a page.
const MESSAGES: usize = 400;
const PAGE: usize = 40;

/// Makes the room and walks through it for a few seconds.
pub async fn run(bench: &mut Bench<'_>) -> Result<()> {
    let messages = bench.options.sized(MESSAGES);
    let users = bench.world.users(4).await?;
    let room = World::room(&users).await?;
    in_parallel(users.iter().cycle().take(messages).enumerate(), async |(n, user)| {
        user.send(&room, &format!("page{n}{room}"), "One of many messages in a long conversation.").await
    })
    .await?;

    let pages = Cell::new(0);
    let watch = bench.watch().await?;
    let length: Duration = bench.options.timed(4.0);
    for user in users.iter().take(1) {
        repeat(length, 1, async |_| walk(user, &room, messages, &pages).await).await?;
    }
    let spent = watch.stop().await?;

    let pages = f64::from(pages.get());
    let mut figures = Figures::default();
    figures.add("pages", pages);
    figures.add("pages_per_second", pages / spent.wall);
    figures.add_some("cpu_ms_per_page", spent.cpu().map(|cpu| 1000.0 * cpu / pages));
    figures.append(spent.figures());
    bench.report.add("pagination", figures);
    Ok(())
}

/// Reads the whole room once, counting pages.
async fn walk(user: &User, room: &str, messages: usize, pages: &Cell<u32>) -> Result<()> {
    let (mut from, mut events) = (None, 0);
    loop {
        let page = user.messages(room, from.as_deref(), PAGE).await?;
        events += page.chunk.len();
        pages.set(pages.get() + 1);
        from = page.end;
        if from.is_none() {
            break;
        }
    }
    ensure!(events > messages, "reading the room backwards gave {events} events of more than {messages}");
    Ok(())
}
