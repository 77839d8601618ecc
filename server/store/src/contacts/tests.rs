//! Contacts, addresses, claims, conversations and webhooks as the archive keeps them, on both databases.

use super::cards::{self, ContactRow, FieldRow};
use super::channels::{self, ChannelRow};
use super::conversations::{self, NewConversation};
use super::identities::{self, ClaimRow, ConsentRow, Key, NewIdentity};
use super::moves;
use super::queue::{self, Place, Reader, Wanted};
use super::versions;
use super::visitors;
use super::webhooks::{self, News, WebhookRow};
use crate::Value;
use crate::db::Source as _;
use crate::testing::{TestStore, stores};
use crate::value::text_set;
use crate::{Change, Store, Stream};
use kontor_model::{Nid, Result};

const KEY: Key<'_> = Key { channel: "web", account: "", id_type: "visitor", external_id: "v1" };

async fn submit(store: &Store, act: impl FnOnce(&mut Change)) -> Result<()> {
    let mut change = Change::default();
    act(&mut change);
    store.submit(change).await.map(|_| ())
}

fn channel() -> ChannelRow {
    ChannelRow {
        id: "web".into(),
        kind: "webchat".into(),
        account: String::new(),
        name: "Shop".into(),
        service: "web".into(),
        language: "pl".into(),
        exclusive: false,
        visibility: "team".into(),
        version: 1,
        created_ts: 1,
        health: None,
        health_ts: None,
    }
}

fn contact(id: &str, visibility: &str) -> ContactRow {
    ContactRow {
        id: id.into(),
        redirect_to: None,
        kind: "person".into(),
        stage: "visitor".into(),
        owner: None,
        owner_id: None,
        team: Some("web".into()),
        visibility: visibility.into(),
        language: None,
        version: 1,
        created_ts: 1,
        updated_ts: 1,
        own: None,
    }
}

/// A channel with one member and one conversation in rooms 501 and 502.
async fn house(store: &TestStore, visibility: &str) -> (Nid, Nid) {
    let (anna, ghost) = (store.name("@anna:x").await.unwrap(), store.name("@ghost:x").await.unwrap());
    submit(store, |change| {
        change.add_channel(&channel());
        change.add_channel_members("web", &[anna]);
        for (room, id) in [(501_i64, "!a"), (502, "!b")] {
            change.run(
                "INSERT INTO room (room_nid, room_id, version, revision, depth, extremities, linear, published, \
                 created_ts) VALUES ($1, $2, '12', $1, 1, '[]', 1, 0, 1)",
                vec![room.into(), id.into()],
            );
        }
        change.add_contact(&contact("C1", visibility));
        change.add_identity(NewIdentity { identity: 9, key: KEY, contact: "C1", ghost, now: 5 });
        change.open_conversation(NewConversation {
            id: "V1",
            identity: 9,
            channel: "web",
            lane: "l",
            room: 501,
            backstage: 502,
            exclusive: false,
            now: 5,
        });
    })
    .await
    .unwrap();
    (anna, ghost)
}

#[tokio::test]
async fn a_known_address_leads_to_its_conversation_also_by_its_old_id() {
    for store in stores().await {
        house(&store, "team").await;
        let mut reader = store.reader();
        let known = identities::known(&mut reader, KEY).await.unwrap().unwrap();
        assert_eq!(
            (known.conversation.as_str(), known.contact.as_str(), known.room_id.as_str()),
            ("V1", "C1", "!a")
        );
        let moved = Key { external_id: "v2", ..KEY };
        submit(&store, |change| change.rekey_identity(9, KEY, moved, 7)).await.unwrap();
        for key in [KEY, moved] {
            assert_eq!(identities::known(&mut reader, key).await.unwrap().unwrap().identity, 9);
        }
        let again = NewIdentity { identity: 10, key: moved, contact: "C1", ghost: 1, now: 5 };
        assert!(submit(&store, |change| change.add_identity(again)).await.unwrap_err().is_conflict());
        assert_eq!(identities::of_contact(&mut reader, "C1").await.unwrap().len(), 1);
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_said_with_more_trust_stays_and_an_act_is_recorded_once() {
    for store in stores().await {
        house(&store, "team").await;
        let claim = |value: &str, trust| ClaimRow {
            kind: "email".into(),
            key: "a@x".into(),
            value: value.into(),
            trust,
            source: "form".into(),
            event_id: None,
            since_ts: 3,
            until_ts: None,
            conversation: None,
        };
        let consent = ConsentRow {
            purpose: "contact".into(),
            state: "given".into(),
            text_version: "1".into(),
            text_sha256: None,
            act: "ticked".into(),
            source: "form".into(),
            event_id: None,
            given_ts: 3,
        };
        for (nid, (value, trust)) in [("a@x", 0), ("A@x", 3), ("a@X", 1)].into_iter().enumerate() {
            submit(&store, |change| {
                change.add_claim("C1", &claim(value, trust));
                change.add_consent(nid as i64, "C1", "V1", &consent, 9);
            })
            .await
            .unwrap();
        }
        let mut reader = store.reader();
        assert_eq!(identities::claims(&mut reader, "C1").await.unwrap(), [claim("A@x", 3)]);
        assert_eq!(identities::consents(&mut reader, "C1").await.unwrap().len(), 1);
        store.close().await;
    }
}

#[tokio::test]
async fn only_those_who_may_see_a_contact_see_it_and_its_conversations() {
    for (visibility, member, stranger) in [("team", true, false), ("owner", true, false), ("all", true, true)]
    {
        for store in stores().await {
            let (anna, _) = house(&store, visibility).await;
            let bob = store.name("@bob:x").await.unwrap();
            let mut reader = store.reader();
            for (user, admin, sees) in [(anna, false, member), (bob, false, stranger), (bob, true, true)] {
                let by = Reader { user, admin };
                assert_eq!(cards::by_id(&mut reader, by, "C1").await.unwrap().is_some(), sees);
                assert_eq!(
                    cards::page(&mut reader, by, "", 9, cards::Wanted::default()).await.unwrap().len(),
                    usize::from(sees)
                );
                assert_eq!(queue::one(&mut reader, by, "V1").await.unwrap().is_some(), sees);
                let wanted = Wanted { unassigned: true, ..Wanted::default() };
                let listed = queue::page(&mut reader, by, &wanted, &Place::default(), 9).await.unwrap();
                assert_eq!(listed.rows.len(), usize::from(sees), "{visibility}");
            }
            submit(&store, |change| change.assign_conversation("V1", None, Some(bob), 9)).await.unwrap();
            assert!(
                queue::one(&mut reader, Reader { user: bob, admin: false }, "V1").await.unwrap().is_some()
            );
            let seen = queue::one(&mut reader, Reader { user: anna, admin: false }, "V1").await.unwrap();
            assert_eq!(seen.is_some(), visibility != "owner", "it is bob's now");
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_conversation_is_taken_once_and_its_clocks_run() {
    for store in stores().await {
        let (anna, _) = house(&store, "team").await;
        let bob = store.name("@bob:x").await.unwrap();
        let mut reader = store.reader();
        let by = Reader { user: anna, admin: false };
        submit(&store, |change| change.assign_conversation("V1", None, Some(anna), 9)).await.unwrap();
        let late = submit(&store, |change| change.assign_conversation("V1", None, Some(bob), 9)).await;
        assert!(late.unwrap_err().is_conflict());
        submit(&store, |change| change.expect_owner("V1", bob)).await.unwrap();
        let mut exclusive = channel();
        exclusive.exclusive = true;
        submit(&store, |change| change.change_channel(&exclusive)).await.unwrap();
        assert!(submit(&store, |change| change.expect_owner("V1", bob)).await.unwrap_err().is_conflict());
        submit(&store, |change| change.expect_owner("V1", anna)).await.unwrap();
        submit(&store, |change| change.set_conversation_status("V1", 2, "snoozed", Some(50))).await.unwrap();
        assert!(conversations::awake(&mut reader, 49, 9).await.unwrap().is_empty());
        assert_eq!(conversations::awake(&mut reader, 50, 9).await.unwrap().len(), 1);
        submit(&store, |change| change.customer_wrote("V1", 9, 20)).await.unwrap();
        submit(&store, |change| change.customer_wrote("V1", 9, 30)).await.unwrap();
        let row = conversations::of_room(&mut reader, 502).await.unwrap().unwrap();
        assert_eq!((row.status.as_str(), row.waits_since, row.snoozed_until), ("open", Some(20), None));
        assert_eq!((row.assignee, row.language.as_deref()), (Some(anna), Some("pl")));
        let waiting = Wanted { waiting: true, ..Wanted::default() };
        for (after, some) in [(Place::default(), 1), (Place { since: 20, id: "V1".into() }, 0)] {
            let listed = queue::page(&mut reader, by, &waiting, &after, 9).await.unwrap();
            assert_eq!((listed.rows.len(), listed.next), (some, None));
        }
        submit(&store, |change| change.customer_answered("V1", 40)).await.unwrap();
        let row = conversations::by_id(&mut reader, "V1").await.unwrap().unwrap();
        assert_eq!((row.waits_since, row.last_answered), (None, Some(40)));
        submit(&store, |change| change.move_conversation_room(501, 503)).await.unwrap();
        assert!(
            conversations::of_room(&mut reader, 503).await.unwrap().is_none(),
            "there is no such room yet"
        );
        store.close().await;
    }
}

#[tokio::test]
async fn members_are_found_missing_until_they_were_there_and_leave_when_taken_out() {
    for store in stores().await {
        let (anna, _) = house(&store, "team").await;
        let mut reader = store.reader();
        let missing =
            async |reader: &mut crate::Reader| moves::missing(reader, 1, &["V1"]).await.unwrap().len();
        assert_eq!(missing(&mut reader).await, 0, "there is no such account");
        submit(&store, |change| {
            change.create_account(crate::identity::accounts::NewAccount {
                user: anna,
                admin: false,
                guest: false,
                user_type: None,
                created_ts: 1,
                password_hash: None,
            });
        })
        .await
        .unwrap();
        assert_eq!(missing(&mut reader).await, 2);
        let member = |membership: &'static str, sender: i64| {
            let store = &store;
            async move {
                submit(store, |change| {
                    for room in [501_i64, 502] {
                        let sql = "INSERT INTO membership (room_nid, user_nid, membership, event_nid, pos, ord, \
                                   sender_nid, forgotten) VALUES ($1, $2, $3, 1, 1, 1, $4, 0) \
                                   ON CONFLICT (room_nid, user_nid) DO UPDATE SET membership = $3, sender_nid = $4";
                        change.run(sql, vec![room.into(), anna.into(), membership.into(), sender.into()]);
                    }
                })
                .await
                .unwrap();
            }
        };
        member("leave", anna).await;
        assert_eq!(missing(&mut reader).await, 0, "who leaves stays out");
        member("leave", 1).await;
        assert_eq!(missing(&mut reader).await, 2);
        member("join", anna).await;
        assert!(conversations::is_backstage(&mut reader, anna).await.unwrap());
        submit(&store, |change| change.take_out_of_channel("web", &[anna])).await.unwrap();
        assert!(store.has_leaving_members().await.unwrap());
        submit(&store, Change::forget_gone_members).await.unwrap();
        assert_eq!(moves::leaving(&mut reader, 9).await.unwrap().len(), 2);
        member("leave", 1).await;
        submit(&store, Change::forget_gone_members).await.unwrap();
        assert!(channels::members(&mut reader, Some("web")).await.unwrap().is_empty());
        assert!(channels::members(&mut reader, None).await.unwrap().is_empty());
        submit(&store, |change| change.set_channel_health("web", "{}", 4)).await.unwrap();
        assert_eq!(channels::by_id(&mut reader, "web").await.unwrap().unwrap().health_ts, Some(4));
        submit(&store, |change| change.remove_channel("web")).await.unwrap();
        assert!(channels::all(&mut reader).await.unwrap().is_empty());
        store.close().await;
    }
}

#[tokio::test]
async fn a_new_member_walks_through_what_was_there_and_everything_else_is_named_once() {
    for store in stores().await {
        let (anna, _) = house(&store, "team").await;
        let mut reader = store.reader();
        let walk = moves::walks(&mut reader, 9).await.unwrap().pop().unwrap();
        assert_eq!((walk.channel.as_str(), walk.user, walk.at.as_str()), ("web", anna, ""));
        assert_eq!(moves::ahead(&mut reader, &walk, 9).await.unwrap(), ["V1"]);
        submit(&store, |change| change.walk_on(&walk, Some("V1"))).await.unwrap();
        assert!(submit(&store, |change| change.walk_on(&walk, None)).await.unwrap_err().is_conflict());
        let walk = moves::walks(&mut reader, 9).await.unwrap().pop().unwrap();
        assert!(moves::ahead(&mut reader, &walk, 9).await.unwrap().is_empty());
        submit(&store, |change| change.walk_on(&walk, None)).await.unwrap();
        assert!(moves::walks(&mut reader, 9).await.unwrap().is_empty());
        // It was opened.
        let first = moves::due(&mut reader, 5, 9).await.unwrap().pop().unwrap();
        submit(&store, |change| change.assign_conversation("V1", None, Some(anna), 7)).await.unwrap();
        submit(&store, |change| change.settle_conversation(&first)).await.unwrap();
        assert!(moves::due(&mut reader, 6, 9).await.unwrap().is_empty(), "not yet");
        let second = moves::due(&mut reader, 7, 9).await.unwrap().pop().unwrap();
        assert!(second.turn > first.turn, "due again, and not settled by what was done before");
        submit(&store, |change| change.postpone_conversation(&second, 90)).await.unwrap();
        assert!(moves::due(&mut reader, 89, 9).await.unwrap().is_empty());
        let third = moves::due(&mut reader, 90, 9).await.unwrap().pop().unwrap();
        assert_eq!(third.tries, 1);
        submit(&store, |change| change.settle_conversation(&third)).await.unwrap();
        assert!(moves::due(&mut reader, 90, 9).await.unwrap().is_empty());
        store.close().await;
    }
}

/// Asks the database how it would go about every statement that pages and sweeps are made of.
async fn no_statement_reads_all_conversations(store: &TestStore, user: Nid) {
    let text = |text: &str| Value::from(text);
    let page = |wanted: Wanted| {
        let (sql, asked) = queue::candidates(&wanted);
        (sql, [text(""), 9.into()].into_iter().chain(asked).collect::<Vec<_>>())
    };
    let some = || Some("web".to_owned());
    let statements = [
        page(Wanted::default()),
        page(Wanted { contact: some(), ..Wanted::default() }),
        page(Wanted { assignee: Some(user), ..Wanted::default() }),
        page(Wanted { unassigned: true, ..Wanted::default() }),
        page(Wanted { channel: some(), ..Wanted::default() }),
        page(Wanted { status: some(), ..Wanted::default() }),
        (queue::WAITING, vec![text(""), 9.into(), 0.into()]),
        (moves::WALKS, vec![9.into()]),
        (moves::AHEAD, vec![text("web"), text(""), 9.into()]),
        (moves::DUE, vec![9.into(), 9.into()]),
        (moves::MISSING, vec![text_set(["V1"]), 1.into()]),
        (moves::LEAVING, vec![9.into()]),
    ];
    if !store.is_sqlite() {
        submit(store, |change| change.run("ANALYZE conversation", Vec::new())).await.unwrap();
    }
    for (sql, values) in statements {
        let explain = if store.is_sqlite() { "EXPLAIN QUERY PLAN" } else { "EXPLAIN" };
        let asked: &'static str = Box::leak(format!("{explain} {sql}").into_boxed_str());
        let rows = store.reader().all(asked, values).await.unwrap();
        let column = if store.is_sqlite() { 3 } else { 0 };
        let plan: Vec<String> = rows.iter().map(|row| row.text(column).unwrap()).collect();
        let whole = |step: &String| {
            ["SCAN v", "SCAN conversation", "Seq Scan on conversation "].iter().any(|bad| step.contains(bad))
        };
        assert!(!plan.iter().any(whole), "{sql}\n{plan:#?}");
    }
}

#[tokio::test]
async fn a_page_looks_at_so_many_conversations_and_no_more_and_loses_none() {
    for store in stores().await {
        let (anna, _) = house(&store, "team").await;
        let bob = store.name("@bob:x").await.unwrap();
        // Many that bob may not see, then one that he has.
        submit(&store, |change| {
            let many = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 5000) ";
            let text = Box::leak(
                format!(
                    "{many} INSERT INTO conversation (conversation_id, identity_nid, channel_id, lane, room_nid, \
                     backstage_nid, status, exclusive, waits_ts, opened_ts, version) SELECT 'A' || \
                     CAST(10000 + i AS TEXT), -i, 'web', '', -i, -10000 - i, 'open', 0, i, 1, 1 FROM s"
                )
                .into_boxed_str(),
            );
            change.run(text, Vec::new());
            change.assign_conversation("V1", None, Some(bob), 9);
            change.customer_wrote("V1", 9, 6000);
        })
        .await
        .unwrap();
        let mut reader = store.reader();
        for (user, waiting, status) in
            [(bob, false, None), (bob, true, None), (anna, false, Some("open")), (bob, false, Some("open"))]
        {
            let wanted = Wanted { waiting, status: status.map(str::to_owned), ..Wanted::default() };
            let (mut found, mut pages, mut after) = (Vec::new(), 0, Some(Place::default()));
            while let Some(place) = after {
                let by = Reader { user, admin: false };
                let listed = queue::page(&mut reader, by, &wanted, &place, 9).await.unwrap();
                found.extend(listed.rows.into_iter().map(|row| row.id));
                after = listed.next;
                pages += 1;
            }
            assert_eq!((found, pages), (vec!["V1".to_owned()], 3), "{wanted:?}");
        }
        no_statement_reads_all_conversations(&store, bob).await;
        // What is asked for by name is found at once.
        for wanted in [
            Wanted { assignee: Some(bob), ..Wanted::default() },
            Wanted { contact: Some("C1".into()), ..Wanted::default() },
        ] {
            let by = Reader { user: bob, admin: false };
            let listed = queue::page(&mut reader, by, &wanted, &Place::default(), 9).await.unwrap();
            assert_eq!((listed.rows.len(), listed.next), (1, None), "{wanted:?}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_contact_changes_once_at_each_version_and_keeps_every_sources_value() {
    for store in stores().await {
        house(&store, "all").await;
        let mut reader = store.reader();
        let by = Reader { user: 1, admin: true };
        let mut row = cards::by_id(&mut reader, by, "C1").await.unwrap().unwrap();
        row.stage = "lead".into();
        submit(&store, |change| change.change_contact(&row, 8)).await.unwrap();
        assert!(submit(&store, |change| change.change_contact(&row, 9)).await.unwrap_err().is_conflict());
        let field = |source: &str, value: &str| FieldRow {
            contact: "C1".into(),
            field: "phone".into(),
            source: source.into(),
            value: value.into(),
            trust: 0,
            ts: 1,
        };
        submit(&store, |change| {
            change.set_contact_field(&field("form", "1"));
            change.set_contact_field(&field("employee", "2"));
        })
        .await
        .unwrap();
        submit(&store, |change| change.set_contact_field(&field("form", "3"))).await.unwrap();
        let found = cards::fields(&mut reader, &["C1"]).await.unwrap();
        assert_eq!(found, [field("employee", "2"), field("form", "3")]);
        submit(&store, |change| change.clear_contact_field("C1", "phone", "employee")).await.unwrap();
        assert_eq!(cards::fields(&mut reader, &["C1"]).await.unwrap().len(), 1);
        submit(&store, |change| change.touch_contact("C1", 20)).await.unwrap();
        assert_eq!(cards::by_id(&mut reader, by, "C1").await.unwrap().unwrap().version, 3);
        assert!(conversations::backstage_among(&mut reader, &[501, 502]).await.unwrap().is_empty());
        assert_eq!(conversations::of_contact(&mut reader, "C1").await.unwrap().len(), 1);
        assert!(conversations::account_kind(&mut reader, "@anna:x").await.unwrap().is_none());
        assert!(versions::of_event(&mut reader, 501, "$e", 9).await.unwrap().is_empty());
        submit(&store, |change| change.keep_version(77, 1, 1)).await.unwrap();
        store.close().await;
    }
}

#[tokio::test]
async fn webhooks_hear_of_one_contact_in_order_and_of_others_meanwhile() {
    for store in stores().await {
        let hook = |id: &str, kinds: &str| WebhookRow {
            id: id.into(),
            url: "http://x".into(),
            secret: "s".into(),
            kinds: kinds.into(),
            created_ts: 1,
            waiting: 0,
        };
        submit(&store, |change| {
            change.add_webhook(&hook("W1", r#"["message.received"]"#));
            change.add_webhook(&hook("W2", r#"["contact.created"]"#));
        })
        .await
        .unwrap();
        for (delivery, contact, kind) in [
            (9, "A", "message.received"),
            (8, "A", "message.received"),
            (7, "B", "message.received"),
            (6, "A", "contact"),
        ] {
            submit(&store, |change| {
                let pos = change.position(Stream::Profile, None, Some(1));
                change.tell_webhooks(News { delivery, kind, contact, body: "{}", now: 100 }, pos);
            })
            .await
            .unwrap();
        }
        let mut reader = store.reader();
        let due = async |reader: &mut crate::Reader, now| {
            let rows = webhooks::due(reader, now, 9).await.unwrap();
            rows.iter().map(|row| row.delivery).collect::<Vec<_>>()
        };
        assert_eq!(due(&mut reader, 100).await, [9, 7]);
        submit(&store, |change| change.delay_delivery("W1", 9, 200)).await.unwrap();
        assert_eq!(due(&mut reader, 150).await, [7], "the later news of A wait for the first");
        submit(&store, |change| change.drop_delivery("W1", 9)).await.unwrap();
        assert_eq!(due(&mut reader, 150).await, [8, 7]);
        assert_eq!(webhooks::all(&mut reader).await.unwrap()[0].waiting, 2);
        submit(&store, |change| change.pause_webhook("W1", 900)).await.unwrap();
        assert!(due(&mut reader, 899).await.is_empty());
        assert_eq!(webhooks::due(&mut reader, 900, 9).await.unwrap()[0].failures, 1);
        submit(&store, |change| change.resume_webhook("W1")).await.unwrap();
        assert_eq!(due(&mut reader, 150).await, [8, 7]);
        submit(&store, |change| change.drop_oldest_deliveries("W1", 0)).await.unwrap();
        assert_eq!(due(&mut reader, 150).await, [7], "one too many, and the oldest goes");
        submit(&store, |change| change.drop_old_deliveries(101)).await.unwrap();
        assert!(due(&mut reader, 150).await.is_empty());
        submit(&store, |change| change.remove_webhook("W1")).await.unwrap();
        assert_eq!(webhooks::all(&mut reader).await.unwrap().len(), 1);
        store.close().await;
    }
}

#[tokio::test]
async fn visitors_are_forgotten_when_nothing_is_known_of_them_and_they_were_silent() {
    for store in stores().await {
        house(&store, "team").await;
        let named = |change: &mut Change, id: &str| {
            change.set_contact_field(&FieldRow {
                contact: id.into(),
                field: "display_name".into(),
                source: "network".into(),
                value: "somebody".into(),
                trust: 1,
                ts: 5,
            });
        };
        submit(&store, |change| {
            for id in ["C2", "C3", "C4"] {
                change.add_contact(&contact(id, "team"));
            }
            ["C1", "C2", "C3", "C4"].into_iter().for_each(|id| named(change, id));
            change.add_claim(
                "C3",
                &ClaimRow {
                    kind: "phone".into(),
                    key: "+48512342152".into(),
                    value: "512342152".into(),
                    trust: 0,
                    source: "customer".into(),
                    event_id: None,
                    since_ts: 5,
                    until_ts: None,
                    conversation: None,
                },
            );
            let sql =
                "INSERT INTO contact_tag (contact_id, tag, since_ts, user_nid) VALUES ('C4', 'vip', 5, 1)";
            change.run(sql, Vec::new());
        })
        .await
        .unwrap();
        let mut reader = store.reader();
        let ids = visitors::next(&mut reader, "", "C9", 9).await.unwrap();
        assert_eq!(ids, ["C1", "C2", "C3", "C4"]);
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        let silent = async |before| {
            let rows = visitors::silent(&mut store.reader(), &all, before).await.unwrap();
            rows.into_iter().map(|row| (row.contact, row.talks)).collect::<Vec<_>>()
        };
        // The one with a conversation was seen at 5; of the others one has a number, one a tag.
        assert_eq!(silent(5).await, [("C2".to_owned(), false)]);
        assert_eq!(silent(6).await, [("C1".to_owned(), true), ("C2".to_owned(), false)]);
        submit(&store, |change| {
            change.forget_visitors(&["C1", "C2"], 9);
            change.remove_contacts(&["C2"]);
        })
        .await
        .unwrap();
        assert_eq!(silent(6).await, []);
        assert_eq!(visitors::next(&mut reader, "", "C9", 9).await.unwrap(), ["C1", "C3", "C4"]);
        assert!(cards::fields(&mut reader, &["C1"]).await.unwrap().is_empty());
        // What it writes later finds its room.
        assert_eq!(identities::known(&mut reader, KEY).await.unwrap().unwrap().contact, "C1");
        store.close().await;
    }
}
