//! Ending: cleanly and soon, whoever is waiting for an answer.

use std::time::{Duration, Instant};

use harness::{Db, Server, on_each_database};

on_each_database!(it_ends_soon_and_answers_those_who_wait_in_sync);

async fn it_ends_soon_and_answers_those_who_wait_in_sync(db: Db) {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(db);
        let alice = server.homeserver().register("alice").await;
        let since = alice.now().await;
        let waiting = tokio::spawn({
            let alice = alice.clone();
            async move {
                let path = format!("/sync?timeout=60000&since={}", harness::enc(&since));
                alice.try_request(reqwest::Method::GET, &path, None).await
            }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let asked = Instant::now();
        tokio::task::block_in_place(|| server.end_with(signal));
        assert!(asked.elapsed() < Duration::from_secs(15), "SIG{signal}: took {:?}", asked.elapsed());
        let answer = waiting.await.unwrap().expect("a whole answer, not a cut connection");
        assert!(answer.status == 200 || answer.status == 503, "SIG{signal}: {answer}");
        server.start_again();
    }
}
