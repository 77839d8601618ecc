//! A very large room: joining it, and finding out whom a message must be pushed to.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Bench, repeat};
use crate::report::Figures;
use crate::world::{World, in_parallel};

/// Members with a phone that wants to be told.
const PHONES: usize = 100;
/// Time for pushes to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
const ACCEPTED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{\"rejected\":[]}";

/// Joins of a room of `members`, then messages in it.
pub async fn run(bench: &mut Bench<'_>, members: usize) -> Result<()> {
    let users = bench.world.users(members).await?;
    let room = World::room(&users).await?;
    let mut late = Vec::new();
    for _ in 0..bench.options.sized(20) {
        late.push(bench.world.own_user().await?);
    }
    let watch = bench.watch().await?;
    let mut seconds = Vec::new();
    for user in &late {
        let before = Instant::now();
        user.join(&room).await?;
        seconds.push(before.elapsed().as_secs_f64());
    }
    let spent = watch.stop().await?;
    let mut figures = Figures::default();
    let joins = seconds.len() as f64;
    figures.add_some("cpu_ms_per_join", spent.cpu().map(|cpu| 1000.0 * cpu / joins));
    figures.add_percentiles("joined", seconds).append(spent.figures());
    bench.report.add(&format!("join_{members}_members"), figures);
    push(bench, &users, &room).await
}

/// Messages in the room, of whose members some have a pusher; waits until all pushes arrived.
async fn push(bench: &mut Bench<'_>, users: &[crate::client::User], room: &str) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let gateway = format!("http://{}/_matrix/push/v1/notify", listener.local_addr()?);
    let arrived = Rc::new(Cell::new(0));
    let (sender, others) = users.split_first().context("no users")?;
    let phones = others.len().min(PHONES);
    let numbered = others.iter().take(phones).enumerate();
    in_parallel(numbered, async |(n, user)| user.set_pusher(&gateway, &format!("phone{n}")).await).await?;
    let messages = bench.options.sized(20);
    let measured = async {
        let watch = bench.watch().await?;
        repeat(Duration::ZERO, messages, async |n| sender.send(room, &format!("push{n}"), "Ring.").await)
            .await?;
        let begin = Instant::now();
        while arrived.get() < messages * phones && begin.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ensure!(arrived.get() > 0, "no push arrived");
        watch.stop().await
    };
    let spent = tokio::select! {
        spent = measured => spent?,
        () = answer_all(&listener, &arrived) => return Ok(()),
    };
    let mut figures = Figures::default();
    let (pushes, messages) = (arrived.get() as f64, messages as f64);
    figures.add("phones", phones as f64).add("messages", messages).add("pushes", pushes);
    figures.add_some("cpu_ms_per_message", spent.cpu().map(|cpu| 1000.0 * cpu / messages));
    figures.add_some("cpu_ms_per_push", spent.cpu().map(|cpu| 1000.0 * cpu / pushes));
    figures.append(spent.figures());
    bench.report.add(&format!("push_{}_members", users.len()), figures);
    Ok(())
}

/// A push gateway that takes everything.
async fn answer_all(listener: &TcpListener, arrived: &Rc<Cell<usize>>) {
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            while let Ok((stream, _)) = listener.accept().await {
                let arrived = Rc::clone(arrived);
                tokio::task::spawn_local(async move { answer(stream, &arrived).await });
            }
        })
        .await;
}

/// One connection; ends with the first thing that is not a whole request.
async fn answer(mut stream: TcpStream, arrived: &Cell<usize>) -> Option<()> {
    let (mut buffer, mut chunk) = (Vec::new(), vec![0; 16 << 10]);
    loop {
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        buffer.extend_from_slice(chunk.get(..read)?);
        while let Some(length) = whole_request(&buffer) {
            buffer.drain(..length);
            arrived.set(arrived.get() + 1);
            stream.write_all(ACCEPTED.as_bytes()).await.ok()?;
        }
    }
}

/// Length of the first request in the buffer, if it is all there.
fn whole_request(buffer: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(buffer);
    let head = text.find("\r\n\r\n")? + 4;
    let field = |line: &&str| line.to_ascii_lowercase().starts_with("content-length:");
    let body: usize = text.get(..head)?.lines().find(field)?.split(':').nth(1)?.trim().parse().ok()?;
    (buffer.len() >= head + body).then_some(head + body)
}
