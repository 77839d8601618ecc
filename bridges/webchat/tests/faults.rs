//! The website channel passes the faults that every channel passes, against emulated visitors.
#![allow(clippy::unwrap_used, reason = "this is test code: failing loudly is its purpose")]

use async_trait::async_trait;
use kontor_bridge_kit::Channel;
use kontor_bridge_webchat::{WebChat, config::Settings};
use kontor_emulators::database::Db;
use kontor_emulators::on_each_database;
use kontor_emulators::suite::{Emulated, Subject, run_all};
use kontor_emulators::visitors::{ORIGIN, SECRET, Visitors, WIDGET};
use serde_json::json;
use std::sync::Arc;

struct Running(Visitors);

impl Emulated for Running {
    fn url(&self) -> String {
        self.0.url()
    }

    fn external_id(&self, name: &str) -> String {
        self.0.visitor(name)
    }
}

struct Website;

#[async_trait]
impl Subject for Website {
    fn name(&self) -> String {
        "the website chat".to_owned()
    }

    async fn emulator(&self) -> Box<dyn Emulated> {
        Box::new(Running(Visitors::start().await))
    }

    fn channel(&self, _: &str) -> Arc<dyn Channel> {
        let many = json!({ "sessions_per_hour": 100_000, "messages_per_30s": 10_000,
            "messages_per_30s_per_address": 100_000, "requests_per_minute": 1_000_000, "files_per_hour": 1000 });
        let widget = json!({ "id": WIDGET, "origins": [ORIGIN], "title": { "pl": "Sklep" },
            "identity_secrets": [SECRET], "limits": many });
        let settings: Settings = serde_json::from_value(json!({ "widgets": [widget] })).unwrap();
        Arc::new(WebChat::new(settings).unwrap())
    }

    fn hook_path(&self) -> &'static str {
        "/_kontor/widget/v1"
    }

    /// The far end of this channel is the bridge's own memory: between the two there is no line that breaks, no
    /// access, no window and no limit. And visitors do not change what they wrote.
    fn lacks(&self) -> &'static [&'static str] {
        &[
            "unknown_and_broken_items",
            "a_file_that_is_gone",
            "changes_and_reactions_follow",
            "a_customer_whose_id_changes",
            "a_network_in_trouble",
            "an_answer_of_unknown_fate",
            "too_many_requests",
            "a_revoked_token",
            "a_closed_window",
            "a_blocked_conversation",
        ]
    }
}

on_each_database!(the_website_passes_the_faults_of_every_channel);

async fn the_website_passes_the_faults_of_every_channel(db: Db) {
    run_all(Arc::new(Website), db).await;
}
