//! Delayed events over one archive: kept once, sent once, however many processes there are.

use super::*;
use crate::create_room::NewRoom;
use crate::testing::{Town, by};
use kontor_store::rooms::events::{self, Asker, Page};
use kontor_store::rooms::head;
use ruma::OwnedRoomId;
use std::sync::Arc;

async fn room(town: &Town, owner: &Requester) -> OwnedRoomId {
    town.processes[0].create_room(&by(owner), NewRoom::default()).await.unwrap()
}

fn later<'a>(room_id: &'a RoomId, txn_id: Option<&'a str>, state_key: Option<&'a str>) -> Later<'a> {
    let content = serde_json::from_str(r#"{"body":"later"}"#).unwrap();
    Later { room_id, kind: "dev.kontor.test", state_key, txn_id, content, delay: 500 }
}

/// The caller of a procedure, half a second before the town's clock: what it delays is due.
fn before(requester: &Requester) -> Caller<'_> {
    Caller { now: 500, ..by(requester) }
}

async fn sent(town: &Town, owner: &Requester, room_id: &RoomId) -> usize {
    let mut reader = town.store.reader();
    let room = head::room(&mut reader, room_id.as_str()).await.unwrap().unwrap().room;
    let asker = Asker { user: owner.user, device: "DEVICE" };
    let page = Page { room, after: i64::MIN, until: i64::MAX, limit: 100 };
    let rows = events::backward(&mut reader, asker, page).await.unwrap();
    rows.iter().filter(|row| row.kind == "dev.kontor.test").count()
}

#[tokio::test]
async fn fifty_repeats_of_one_request_keep_one_event() {
    let town = Town::of(2).await;
    let anna = town.person("anna").await;
    let room_id = room(&town, &anna).await;
    let repeats = (0..50).map(|n| {
        let (flows, anna, room_id) = (Arc::clone(&town.processes[n % 2]), anna.clone(), room_id.clone());
        tokio::spawn(async move { flows.delay(&by(&anna), later(&room_id, Some("t"), None)).await.unwrap() })
    });
    let ids = futures_util::future::join_all(repeats).await;
    let ids: std::collections::HashSet<_> = ids.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(town.processes[0].delayed_events(&anna).await.unwrap().0.len(), 1);
}

#[tokio::test]
async fn an_event_is_sent_once_however_many_processes_send_it() {
    let town = Town::of(3).await;
    let anna = town.person("anna").await;
    let room_id = room(&town, &anna).await;
    for state_key in [None, Some("")] {
        let before_it = sent(&town, &anna, &room_id).await;
        let id = town.processes[0].delay(&before(&anna), later(&room_id, None, state_key)).await.unwrap();
        let tries = town.processes.iter().flat_map(|flows| {
            let (flows, id) = (Arc::clone(flows), id.clone());
            let again = Arc::clone(&flows);
            [
                tokio::spawn(async move { flows.manage_delayed(&id, DelayedAction::Send).await.is_ok() }),
                tokio::spawn(async move { again.send_due().await.is_ok() }),
            ]
        });
        for tried in futures_util::future::join_all(tries).await {
            tried.unwrap();
        }
        assert_eq!(sent(&town, &anna, &room_id).await, before_it + 1, "{state_key:?}");
        let row = town.processes[1].delayed_event(&anna, &id).await.unwrap();
        assert!(row.event_id.is_some() && row.due_ts.is_none(), "{row:?}");
    }
}

#[tokio::test]
async fn what_was_cancelled_is_not_sent_and_what_was_sent_not_cancelled() {
    let town = Town::of(2).await;
    let anna = town.person("anna").await;
    let room_id = room(&town, &anna).await;
    for _ in 0..2 {
        let count = sent(&town, &anna, &room_id).await;
        let id = town.processes[0].delay(&by(&anna), later(&room_id, None, None)).await.unwrap();
        let [send, cancel] =
            [(0, DelayedAction::Send), (1, DelayedAction::Cancel)].map(|(process, action)| {
                let (flows, id) = (Arc::clone(&town.processes[process]), id.clone());
                tokio::spawn(async move { flows.manage_delayed(&id, action).await.is_ok() })
            });
        let (send, cancel) = (send.await.unwrap(), cancel.await.unwrap());
        assert!(send != cancel, "{send} {cancel}");
        assert_eq!(sent(&town, &anna, &room_id).await - count, usize::from(send));
    }
}

#[tokio::test]
async fn limits_hold_and_errors_are_remembered() {
    let town = Town::of(1).await;
    let (anna, bert) = (town.person("anna").await, town.person("bert").await);
    let room_id = room(&town, &anna).await;
    let flows = &town.processes[0];
    // A stranger may ask; when it is due the room refuses.
    let id = flows.delay(&before(&bert), later(&room_id, None, None)).await.unwrap();
    flows.send_due().await.unwrap();
    let row = flows.delayed_event(&bert, &id).await.unwrap();
    assert!(row.due_ts.is_none() && row.error.unwrap().contains("Forbidden"));
    assert!(flows.delayed_event(&anna, &id).await.is_err(), "another's event");
    for _ in 0..3 {
        flows.delay(&by(&anna), later(&room_id, None, None)).await.unwrap();
    }
    let refused = flows.delay(&by(&anna), later(&room_id, None, None)).await.unwrap_err();
    assert_eq!(refused.code, Code::LimitExceeded { retry_after_ms: 500 });
    for delay in [0, -1, 86_400_001, i64::MAX] {
        let refused = flows.delay(&by(&bert), Later { delay, ..later(&room_id, None, None) }).await;
        assert_eq!(refused.unwrap_err().code, Code::InvalidParam);
    }
    // Sending now what cannot be sent leaves it waiting.
    let id = flows.delay(&by(&bert), later(&room_id, None, None)).await.unwrap();
    assert_eq!(flows.manage_delayed(&id, DelayedAction::Send).await.unwrap_err().code, Code::Forbidden);
    assert!(flows.delayed_event(&bert, &id).await.unwrap().due_ts.is_some());
}
