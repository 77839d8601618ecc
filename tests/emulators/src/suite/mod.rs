//! The faults that every channel passes: `run_all` for each channel and database.
//!
//! The promise, exactly: what comes in is neither lost nor doubled; what goes out is neither doubled nor
//! silently lost, and where a network has neither key nor echo the agent is asked within five seconds.

mod crashes;
mod doors;
mod inbound;
mod outbound;
mod world;

pub use world::{Emulated, Subject, World};

use crate::database::Db;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

type Scenario = fn(World) -> BoxFuture<'static, ()>;

macro_rules! scenarios {
    ($($path:path),* $(,)?) => {
        [$((stringify!($path), (|world| $path(world).boxed()) as Scenario)),*]
    };
}

/// One at a time on PostgreSQL: each world takes several connections of the few of a server.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Scenarios at once.
const AT_ONCE: usize = 4;

/// Everything. Panics with the names of all scenarios that failed.
pub async fn run_all(subject: Arc<dyn Subject>, db: Db) {
    run_some(subject, db, "").await;
}

/// The scenarios whose names contain `filter`.
pub async fn run_some(subject: Arc<dyn Subject>, db: Db, filter: &str) {
    let _turn = if db == Db::Postgres { Some(TURN.lock().await) } else { None };
    let all = scenarios![
        inbound::everything_arrives_once_and_in_order,
        inbound::repeated_lost_late_and_reordered_hooks_change_nothing,
        inbound::a_homeserver_in_trouble_loses_and_doubles_nothing,
        inbound::unknown_and_broken_items_do_not_hold_up_the_conversation,
        inbound::a_file_comes_home_behind_its_placeholder,
        inbound::a_file_that_is_gone_is_said_to_be,
        inbound::changes_and_reactions_follow_their_message,
        inbound::a_customer_whose_id_changes_keeps_the_conversation,
        outbound::answers_arrive_once_and_in_order,
        outbound::a_transaction_that_comes_again_changes_nothing,
        outbound::a_network_in_trouble_gets_each_answer_once,
        outbound::an_answer_of_unknown_fate_is_resolved_or_asked_about,
        outbound::receipts_in_any_order_end_at_the_highest,
        outbound::a_receipt_before_the_answer_counts,
        outbound::too_many_requests_pause_and_nothing_is_lost,
        outbound::a_revoked_token_is_told_and_messages_wait,
        outbound::a_closed_window_is_told_with_the_next_step,
        outbound::a_blocked_conversation_blocks_only_itself,
        outbound::changes_and_files_of_agents_follow,
        outbound::own_events_and_notices_stay_home,
        crashes::on_the_way_in,
        crashes::on_the_way_out,
        crashes::again_and_again_in_both_directions,
        doors::forged_stale_and_huge_calls_are_refused_and_nothing_is_stored,
        doors::only_the_homeserver_may_hand_over_transactions,
    ];
    let lacks = |name: &str| subject.lacks().iter().any(|lack| name.contains(lack));
    let chosen = all.into_iter().filter(|(name, _)| name.contains(filter) && !lacks(name));
    let runs = futures_util::stream::iter(chosen.map(|(name, scenario)| {
        let subject = Arc::clone(&subject);
        async move {
            let began = std::time::Instant::now();
            let run = async { scenario(World::new(subject, db, name).await).await };
            let done = AssertUnwindSafe(run).catch_unwind().await;
            let verdict = if done.is_ok() { "ok" } else { "FAILED" };
            eprintln!("{name}: {verdict} ({} ms)", began.elapsed().as_millis());
            (name, done.is_ok())
        }
    }));
    let done: Vec<(&str, bool)> =
        futures_util::StreamExt::collect(futures_util::StreamExt::buffer_unordered(runs, AT_ONCE)).await;
    let failed: Vec<&str> = done.into_iter().filter(|(_, ok)| !ok).map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "{} on {db:?}: failed: {failed:?}", subject.name());
}
