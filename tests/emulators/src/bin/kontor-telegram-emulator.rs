//! The emulated Telegram as a process: for tests with a real server, and to write to a bridge by hand.
//! Prints its address and runs until its standard input is closed.
#![allow(clippy::print_stdout, reason = "a program that says where it is")]

use kontor_emulators::telegram::{Nature, TOKEN, Telegram};

#[tokio::main]
async fn main() {
    let business = std::env::args().nth(1).is_some_and(|word| word == "business");
    let telegram = Telegram::start(if business { Nature::Business } else { Nature::Bot }).await;
    println!("{} {TOKEN}", telegram.url());
    let until_closed = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    let _ = tokio::task::spawn_blocking(until_closed).await;
}
