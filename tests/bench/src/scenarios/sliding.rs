//! Sliding login: the first answer for a user with very many rooms, as a phone asks for it.

use std::cell::Cell;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Bench, repeat};
use crate::report::Figures;
use crate::world::{World, in_parallel};

/// Rooms that a phone shows at first.
const SHOWN: usize = 20;

/// Measures the first answer of a new connection for a reader in `rooms` rooms, again and again.
pub async fn run(bench: &mut Bench<'_>, rooms: usize) -> Result<()> {
    let people = bench.world.users(20).await?;
    let reader = bench.world.own_user().await?;
    in_parallel(0..rooms, async |n| {
        let members: Vec<_> = people.iter().cycle().skip(n % people.len()).take(2).cloned().collect();
        let room = World::room(&members).await?;
        reader.join(&room).await?;
        for writer in members.iter().take(1) {
            writer.send(&room, &format!("slide{n}"), "A message among others.").await?;
        }
        Ok(())
    })
    .await?;
    let bytes = Cell::new(0);
    let login = async |n: usize| {
        let request = json!({
            "conn_id": format!("bench{n}"),
            "lists": { "all_rooms": {
                "ranges": [[0, SHOWN - 1]],
                "timeline_limit": 1,
                "required_state": [
                    ["m.room.name", ""], ["m.room.encryption", ""], ["m.room.member", "$LAZY"],
                    ["m.room.member", "$ME"], ["m.room.topic", ""], ["m.room.avatar", ""],
                    ["m.room.canonical_alias", ""], ["m.room.power_levels", ""], ["m.room.join_rules", ""],
                    ["m.room.create", ""], ["m.room.history_visibility", ""],
                ],
                "filters": { "not_room_types": ["m.space"] },
            } },
            "extensions": {
                "account_data": { "enabled": true }, "receipts": { "enabled": true },
                "typing": { "enabled": true },
            },
        });
        let answer = reader.sliding_sync(&request).await?;
        ensure!(answer.rooms.len() == SHOWN, "{} rooms were told instead of {SHOWN}", answer.rooms.len());
        bytes.set(answer.bytes);
        Ok(())
    };
    let first = repeat(std::time::Duration::ZERO, 1, async |_| login(0).await).await?;
    let watch = bench.watch().await?;
    let seconds = repeat(bench.options.timed(5.0), 3, async |n| login(n + 1).await).await?;
    let spent = watch.stop().await?;
    let mut figures = Figures::default();
    let logins = seconds.len() as f64;
    figures.add("logins", logins);
    figures.add_some("cpu_ms_per_login", spent.cpu().map(|cpu| 1000.0 * cpu / logins));
    figures.add_some("first_ms", first.first().map(|seconds| 1000.0 * seconds));
    figures.add_percentiles("answered", seconds);
    figures.add("answer_kib", bytes.get() as f64 / 1024.0).append(spent.figures());
    bench.report.add(&format!("sliding_{rooms}_rooms"), figures);
    Ok(())
}
