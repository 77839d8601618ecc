//! Search in a long history.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Bench, repeat};
use crate::report::Figures;
use crate::world::{World, in_parallel};

/// Rooms over which the messages are spread.
const ROOMS: usize = 20;
/// Words that messages are made of; each message has one of each row.
const WORDS: [[&str; 10]; 3] = [
    ["order", "offer", "invoice", "parcel", "return", "call", "meeting", "price", "stock", "contract"],
    ["żółty", "green", "blue", "late", "urgent", "paid", "open", "lost", "new", "old"],
    ["Warszawa", "Kraków", "Львів", "Київ", "Berlin", "Gdańsk", "Poznań", "Одеса", "Łódź", "Praha"],
];
/// Time for the index to take in what was sent.
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends `messages` messages, then searches among them.
pub async fn run(bench: &mut Bench<'_>, messages: usize) -> Result<()> {
    let reader = bench.world.own_user().await?;
    let mut rooms = Vec::new();
    for _ in 0..ROOMS {
        rooms.push(World::room(std::slice::from_ref(&reader)).await?);
    }
    in_parallel(0..messages, async |n| {
        let words =
            WORDS.iter().enumerate().filter_map(|(row, words)| words.get(n / 10_usize.pow(row as u32) % 10));
        let text: Vec<&str> = words.copied().collect();
        for room in rooms.iter().skip(n % ROOMS).take(1) {
            reader.send(room, &format!("s{n}"), &format!("{} number{n}", text.join(" "))).await?;
        }
        Ok(())
    })
    .await?;
    let begin = Instant::now();
    while reader.search(&format!("number{}", messages - 1)).await? == 0 {
        ensure!(begin.elapsed() < PATIENCE, "the newest message is not found after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let indexed = begin.elapsed();
    for (name, terms) in [
        ("rare", ["number17", "number4711", "number99", "number12345"]),
        ("common", ["invoice zolty", "offer krakow", "parcel late", "львів"]),
    ] {
        let watch = bench.watch().await?;
        let seconds = repeat(bench.options.timed(3.0), 8, async |n| {
            for term in terms.iter().skip(n % terms.len()).take(1) {
                let found = reader.search(term).await?;
                ensure!(found > 0 || messages < 13_000, "nothing was found for '{term}'");
            }
            Ok(())
        })
        .await?;
        let spent = watch.stop().await?;
        let mut figures = Figures::default();
        let searches = seconds.len() as f64;
        figures.add("searches", searches);
        figures.add_some("cpu_ms_per_search", spent.cpu().map(|cpu| 1000.0 * cpu / searches));
        figures.add_percentiles("answered", seconds);
        figures.add("indexed_after_seconds", indexed.as_secs_f64()).append(spent.figures());
        bench.report.add(&format!("search_{name}_in_{messages}_messages"), figures);
    }
    Ok(())
}
