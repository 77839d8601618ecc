//! Idle long polls: what many connected clients cost while nothing happens.

use std::time::Duration;

use anyhow::Result;
use futures_util::future::try_join_all;

use super::Bench;
use crate::client::{SyncRequest, User, next_batch};
use crate::report::Figures;
use crate::world::in_parallel;

const FILTER: &str = r#"{"room":{"state":{"lazy_load_members":true},"timeline":{"limit":1}}}"#;
/// As common clients ask for. The measurement is just as long, so each client polls anew about once in it.
const POLL: Duration = Duration::from_secs(30);
/// Time for all polls to arrive and the server to become quiet.
const ARRIVAL: Duration = Duration::from_secs(3);

/// Each of `clients` users holds one long poll.
pub async fn run(bench: &mut Bench<'_>, clients: usize) -> Result<()> {
    let users = bench.world.users(clients).await?;
    let begins = in_parallel(&users, async |user| {
        let request = SyncRequest { filter: FILTER, since: None, timeout: Duration::ZERO };
        next_batch(&user.sync(request).await?)
    });
    let begins = begins.await?;
    let polls = try_join_all(users.iter().zip(begins).map(|(user, since)| poll(user, since)));
    let measured = async {
        tokio::time::sleep(ARRIVAL).await;
        let watch = bench.watch().await?;
        tokio::time::sleep(bench.options.timed(POLL.as_secs_f64())).await;
        watch.stop_now()
    };
    let spent = tokio::select! {
        spent = measured => spent?,
        ended = polls => return ended.map(|_| ()),
    };

    let mut figures = Figures::default();
    figures.add("clients", clients as f64);
    figures.add_some("cpu_seconds_per_minute", spent.cpu().map(|cpu| 60.0 * cpu / spent.wall));
    figures.append(spent.figures());
    bench.report.add(&format!("idle_{clients}_polls"), figures);
    Ok(())
}

async fn poll(user: &User, mut since: String) -> Result<()> {
    loop {
        let request = SyncRequest { filter: FILTER, since: Some(&since), timeout: POLL };
        since = next_batch(&user.sync(request).await?)?;
    }
}
