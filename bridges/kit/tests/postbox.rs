//! The kit put to the test with its reference channel, for each nature of network and both databases.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "this is test code: failing loudly is its purpose"
)]

mod channel;

use async_trait::async_trait;
use channel::PostboxChannel;
use kontor_bridge_kit::Channel;
use kontor_emulators::database::Db;
use kontor_emulators::on_each_database;
use kontor_emulators::postbox::{Nature, Postbox};
use kontor_emulators::suite::{Emulated, Subject, run_some};
use std::sync::Arc;

struct Running(Postbox);

impl Emulated for Running {
    fn url(&self) -> String {
        self.0.url()
    }
}

struct PostboxSubject {
    nature: Nature,
    pulls: bool,
}

#[async_trait]
impl Subject for PostboxSubject {
    fn name(&self) -> String {
        format!("post box {:?}", self.nature)
    }

    async fn emulator(&self) -> Box<dyn Emulated> {
        Box::new(Running(Postbox::start(self.nature).await))
    }

    fn channel(&self, emulator: &str) -> Arc<dyn Channel> {
        Arc::new(PostboxChannel::new(emulator, self.nature, self.pulls))
    }

    fn hook_path(&self) -> &'static str {
        if self.pulls { "" } else { "/postbox" }
    }
}

fn filter() -> String {
    std::env::var("KONTOR_SUITE").unwrap_or_default()
}

on_each_database!(
    a_network_with_keys,
    a_network_with_echoes,
    a_network_with_neither,
    a_network_that_is_asked,
);

async fn told(nature: Nature, db: Db) {
    run_some(Arc::new(PostboxSubject { nature, pulls: false }), db, &filter()).await;
}

async fn a_network_with_keys(db: Db) {
    told(Nature::Keys, db).await;
}

async fn a_network_with_echoes(db: Db) {
    told(Nature::Echo, db).await;
}

async fn a_network_with_neither(db: Db) {
    told(Nature::Nothing, db).await;
}

/// The same things arrive when they are pulled.
async fn a_network_that_is_asked(db: Db) {
    for scenario in ["everything_arrives", "in_trouble_loses", "again_and_again"] {
        let subject = PostboxSubject { nature: Nature::Keys, pulls: true };
        run_some(Arc::new(subject), db, scenario).await;
    }
}
