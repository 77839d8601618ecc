//! Rooms: timelines and their expansion, subscriptions, invitations, names, who may see what.

use harness::{Homeserver, both_databases, enc};
use serde_json::{Value, json};

use super::{Slider, list, rooms, sorted};
use crate::client::support::{ids, in_room, list as items, room_showing, state_event, text};

both_databases!(
    timelines_are_cut_and_joined,
    a_higher_limit_tells_the_wider_timeline_at_once,
    subscriptions_tell_rooms_wherever_they_stand,
    strangers_cannot_subscribe,
    invitations_and_knocks_are_told_with_stripped_state,
    a_refused_invitation_is_told_as_left,
    rooms_without_a_name_have_heroes,
    direct_chats_are_marked,
    history_and_ignored_users_stay_hidden,
    relations_and_redactions_are_told_with_events,
);

async fn timelines_are_cut_and_joined(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let mut sent = Vec::new();
    for n in 0..6 {
        sent.push(alice.text(&room, &n.to_string()).await);
    }
    let body = list([0, 9], 3, json!([]));
    let mut slider = Slider::new(&alice);
    let answer = slider.slide(&body).await;
    let told = &answer["rooms"][&room];
    assert_eq!(ids(&told["timeline"]), sent[3..]);
    assert_eq!((told["limited"].clone(), told["num_live"].clone()), (json!(true), json!(0)));
    // Older events follow at prev_batch, without a gap and without repeats.
    let path = format!("messages?dir=b&limit=3&from={}", enc(&text(&told["prev_batch"])));
    let page = alice.get(&in_room(&room, &path)).await.ok();
    let mut older = ids(&page["chunk"]);
    older.reverse();
    assert_eq!(older, sent[..3]);
    let next = alice.text(&room, "next").await;
    let told = &slider.slide(&body).await["rooms"][&room];
    assert_eq!(ids(&told["timeline"]), [next]);
    assert_eq!((told["limited"].clone(), told["num_live"].clone()), (json!(false), json!(1)));
    let none = Slider::new(&alice).slide(&list([0, 9], 0, json!([["m.room.create", ""]]))).await;
    assert!(none["rooms"][&room].get("timeline").is_none());
    assert!(state_event(&none["rooms"][&room]["required_state"], "m.room.create", "").is_some());
}

async fn a_higher_limit_tells_the_wider_timeline_at_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let mut sent = Vec::new();
    for n in 0..6 {
        sent.push(alice.text(&room, &n.to_string()).await);
    }
    let mut slider = Slider::new(&alice);
    slider.slide(&list([0, 9], 1, json!([]))).await;
    let wide = slider.slide(&list([0, 9], 4, json!([]))).await;
    let told = &wide["rooms"][&room];
    assert_eq!(ids(&told["timeline"]), sent[2..]);
    assert_eq!(told["unstable_expanded_timeline"], true);
    assert!(told.get("initial").is_none() && told["num_live"] == 0, "{told}");
    // It is told once; fewer, and as many again, bring nothing.
    for limit in [4, 1, 4] {
        let answer = slider.slide(&list([0, 9], limit, json!([]))).await;
        assert!(rooms(&answer).is_empty(), "{limit}: {answer}");
    }
    // A gap behind a smaller limit makes the wider timeline news.
    slider.slide(&list([0, 9], 1, json!([]))).await;
    for n in 0..3 {
        sent.push(alice.text(&room, &format!("gap {n}")).await);
    }
    let answer = slider.slide(&list([0, 9], 1, json!([]))).await;
    assert_eq!(answer["rooms"][&room]["limited"], true);
    let answer = slider.slide(&list([0, 9], 4, json!([]))).await;
    assert_eq!(ids(&answer["rooms"][&room]["timeline"]), sent[5..]);
}

async fn subscriptions_tell_rooms_wherever_they_stand(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let low = alice.room_with(&[&bob]).await;
    let top = alice.room_with(&[&bob]).await;
    let mut body = list([0, 0], 1, json!([]));
    let mut slider = Slider::new(&bob);
    assert_eq!(rooms(&slider.slide(&body).await), sorted(&[&top]));
    body["room_subscriptions"] =
        json!({ &low: { "timeline_limit": 20, "required_state": [["m.room.create", ""]] } });
    let answer = slider.slide(&body).await;
    assert_eq!(rooms(&answer), sorted(&[&low]));
    assert!(items(&answer["rooms"][&low]["timeline"]).len() > 5);
    let event = alice.text(&low, "x").await;
    alice.text(&top, "and up again").await;
    let answer = slider.slide(&body).await;
    assert_eq!(ids(&answer["rooms"][&low]["timeline"]), [event]);
    // Without the subscription it is out of reach again.
    let gone = list([0, 0], 1, json!([]));
    slider.slide(&gone).await;
    alice.text(&low, "y").await;
    alice.text(&top, "top").await;
    assert_eq!(rooms(&slider.slide(&gone).await), sorted(&[&top]));
}

async fn strangers_cannot_subscribe(server: Homeserver) {
    let alice = server.register("alice").await;
    let mallory = server.register("mallory").await;
    let secret = alice.create_room(json!({ "name": "secret" })).await;
    let open = room_showing(&alice, "world_readable").await;
    let banned = alice.public_room().await;
    alice.ban(&banned, &mallory).await;
    let wanted = json!({ "timeline_limit": 10, "required_state": [["*", "*"]] });
    let subscriptions =
        json!({ &secret: wanted, &open: wanted, &banned: wanted, "!no:where": wanted, "x\u{0}": wanted });
    let mut body = list([0, 99], 10, json!([["*", "*"]]));
    body["room_subscriptions"] = subscriptions;
    let answer = Slider::new(&mallory).slide(&body).await;
    assert!(rooms(&answer).is_empty(), "{answer}");
    assert_eq!(answer["lists"]["all"]["count"], 0);
}

async fn invitations_and_knocks_are_told_with_stripped_state(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let body = list([0, 9], 10, json!([["*", "*"]]));
    let mut slider = Slider::new(&bob);
    slider.slide(&body).await;
    let invited = alice.create_room(json!({ "name": "Come in", "invite": [bob.user_id()] })).await;
    alice.text(&invited, "private").await;
    let rules = json!({ "type": "m.room.join_rules", "content": { "join_rule": "knock" } });
    let knocked = alice.create_room(json!({ "initial_state": [rules] })).await;
    bob.post(&format!("/knock/{}", enc(&knocked)), &json!({})).await.ok();
    let answer = slider.slide(&body).await;
    assert_eq!(rooms(&answer), sorted(&[&invited, &knocked]));
    for (room, membership) in [(&invited, "invite"), (&knocked, "knock")] {
        let told = &answer["rooms"][room];
        let own = state_event(&told["invite_state"], "m.room.member", bob.user_id()).expect("own membership");
        assert_eq!(own["content"]["membership"], membership);
        assert_eq!(told["initial"], true);
        assert!(told["bump_stamp"].is_i64());
        for field in ["timeline", "required_state", "name", "joined_count", "heroes", "notification_count"] {
            assert!(told.get(field).is_none(), "{field}: {told}");
        }
    }
    let name = state_event(&answer["rooms"][&invited]["invite_state"], "m.room.name", "").expect("the name");
    assert_eq!(name["content"]["name"], "Come in");
    alice.text(&invited, "more").await;
    assert!(rooms(&slider.slide(&body).await).is_empty());
    bob.join(&invited).await;
    let answer = slider.slide(&body).await;
    let told = &answer["rooms"][&invited];
    assert_eq!((told["initial"].clone(), told["name"].clone()), (json!(true), json!("Come in")));
    assert!(told.get("invite_state").is_none() && told.to_string().contains("private"));
}

async fn a_refused_invitation_is_told_as_left(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({ "invite": [bob.user_id()] })).await;
    let body = list([0, 9], 10, json!([]));
    let mut slider = Slider::new(&bob);
    assert_eq!(rooms(&slider.slide(&body).await), sorted(&[&room]));
    alice.text(&room, "secret").await;
    bob.leave(&room).await;
    let answer = slider.slide(&body).await;
    let told = &answer["rooms"][&room];
    let own = state_event(&told["required_state"], "m.room.member", bob.user_id()).expect("the refusal");
    assert_eq!(own["content"]["membership"], "leave");
    assert!(told.get("invite_state").is_none() && !answer.to_string().contains("secret"), "{answer}");
    let answer = slider.slide(&body).await;
    assert!(rooms(&answer).is_empty() && answer["lists"]["all"]["count"] == 0, "{answer}");
}

async fn rooms_without_a_name_have_heroes(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let path = format!("/profile/{}/displayname", enc(bob.user_id()));
    bob.put(&path, &json!({ "displayname": "Bob" })).await.ok();
    let nameless = alice.room_with(&[&bob]).await;
    let named = alice.create_room(json!({ "name": "N", "invite": [bob.user_id()] })).await;
    let answer = Slider::new(&alice).slide(&list([0, 9], 1, json!([]))).await;
    let hero = &answer["rooms"][&nameless]["heroes"][0];
    assert_eq!((hero["user_id"].clone(), hero["displayname"].clone()), (json!(bob.user_id()), json!("Bob")));
    assert!(answer["rooms"][&nameless].get("name").is_none());
    let told = &answer["rooms"][&named];
    assert!(told.get("heroes").is_none() && told["name"] == "N", "{told}");
    assert_eq!((told["joined_count"].clone(), told["invited_count"].clone()), (json!(1), json!(1)));
}

async fn direct_chats_are_marked(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let path = format!("/user/{}/account_data/m.direct", enc(alice.user_id()));
    let body = list([0, 9], 1, json!([]));
    let mut slider = Slider::new(&alice);
    assert!(slider.slide(&body).await["rooms"][&room].get("is_dm").is_none());
    alice.put(&path, &json!({ "@x:localhost": [&room] })).await.ok();
    assert_eq!(slider.slide(&body).await["rooms"][&room]["is_dm"], true);
    assert_eq!(Slider::new(&alice).slide(&body).await["rooms"][&room]["is_dm"], true);
    alice.put(&path, &json!({})).await.ok();
    assert_eq!(slider.slide(&body).await["rooms"][&room]["is_dm"], false);
    assert!(rooms(&slider.slide(&body).await).is_empty());
}

async fn history_and_ignored_users_stay_hidden(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = room_showing(&alice, "joined").await;
    alice.text(&room, "before").await;
    alice.invite(&room, &bob).await;
    bob.join(&room).await;
    let body = list([0, 9], 20, json!([]));
    let answer = Slider::new(&bob).slide(&body).await;
    assert_eq!(rooms(&answer), sorted(&[&room]));
    assert!(!answer.to_string().contains("before"), "{answer}");
    let path = format!("/user/{}/account_data/m.ignored_user_list", enc(bob.user_id()));
    bob.put(&path, &json!({ "ignored_users": { alice.user_id(): {} } })).await.ok();
    let mut slider = Slider::new(&bob);
    slider.slide(&body).await;
    alice.text(&room, "ignored").await;
    let unasked = alice.create_room(json!({ "invite": [bob.user_id()] })).await;
    let answer = slider.slide(&body).await;
    assert!(rooms(&answer).is_empty() && answer["lists"]["all"]["count"] == 1, "{answer}");
    bob.put(&path, &json!({ "ignored_users": {} })).await.ok();
    assert_eq!(rooms(&slider.slide(&body).await), sorted(&[&unasked]));
}

async fn relations_and_redactions_are_told_with_events(server: Homeserver) {
    let alice = server.register("alice").await;
    let room = alice.create_room(json!({})).await;
    let root = alice.text(&room, "root").await;
    let relation = json!({ "rel_type": "m.thread", "event_id": root });
    let reply = json!({ "msgtype": "m.text", "body": "reply", "m.relates_to": relation });
    alice.send(&room, "m.room.message", &reply).await;
    let gone = alice.text(&room, "gone").await;
    alice.redact(&room, &gone).await;
    let answer = Slider::new(&alice).slide(&list([0, 9], 10, json!([]))).await;
    let timeline = items(&answer["rooms"][&room]["timeline"]);
    let find =
        |id: &str| -> Value { timeline.iter().find(|event| event["event_id"] == id).cloned().unwrap() };
    assert_eq!(find(&root)["unsigned"]["m.relations"]["m.thread"]["count"], 1, "{answer}");
    assert!(find(&gone)["unsigned"]["redacted_because"].is_object());
    assert_eq!(find(&gone)["content"], json!({}));
}
