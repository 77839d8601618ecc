//! A client that sends numbered messages and repeats each, with its transaction id, until the
//! server answers: what every real client and bridge does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{Client, enc};
use reqwest::Method;

use super::{Acknowledged, PATIENCE, text_message};

pub struct Sender {
    pub client: Client,
    pub room: String,
    /// Unique: part of bodies and transaction ids.
    pub name: String,
    pub messages: Option<usize>,
    pub enough: Arc<AtomicBool>,
    pub acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
}

impl Sender {
    pub async fn run(self) {
        for number in 0..self.messages.unwrap_or(usize::MAX) {
            if self.messages.is_none() && self.enough.load(Ordering::Relaxed) {
                return;
            }
            let body = format!("{} message {number}", self.name);
            let event_id = self.insist(&body).await;
            let sent = Acknowledged { room: self.room.clone(), event_id, body };
            self.acknowledged.lock().unwrap().push(sent);
        }
    }

    async fn insist(&self, body: &str) -> String {
        let (room, txn) = (enc(&self.room), enc(body));
        let path = format!("/rooms/{room}/send/m.room.message/{txn}");
        let (begun, content) = (Instant::now(), text_message(body));
        loop {
            let answer = self.client.try_request(Method::PUT, &path, Some(&content)).await;
            match answer {
                Some(answer) if answer.status == 200 => {
                    return answer.json["event_id"].as_str().expect("an event id").to_owned();
                }
                Some(answer) if answer.status < 500 && answer.status != 429 => panic!("refused: {answer}"),
                _ => {}
            }
            assert!(begun.elapsed() < PATIENCE, "no 200 for {body:?} within {PATIENCE:?}: {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
