//! Who is shown a room that they are not in, by its rules.

use super::*;

fn row(version: &str, membership: Option<&str>, state: &[(&str, &str)]) -> CardRow {
    CardRow {
        room: 7,
        room_id: "!r:x".into(),
        version: version.into(),
        published: false,
        joined: 3,
        membership: membership.map(str::to_owned),
        state: state
            .iter()
            .map(|(kind, content)| (format!("m.room.{kind}"), (*content).to_owned()))
            .collect(),
    }
}

fn known(row: CardRow, inside: &[&str]) -> bool {
    let inside = inside.iter().map(|room| (*room).to_owned()).collect();
    Card::read(row).preview(&inside).is_some()
}

#[test]
fn who_is_in_or_could_come_in_may_know_of_a_room() {
    let rule = |rule: &str| {
        format!(r#"{{"join_rule":"{rule}","allow":[{{"type":"m.room_membership","room_id":"!s:x"}}]}}"#)
    };
    for (version, membership, join_rule, inside, may) in [
        ("12", None, "invite", vec![], false),
        ("12", Some("leave"), "invite", vec![], false),
        ("12", Some("join"), "invite", vec![], true),
        ("12", Some("invite"), "invite", vec![], true),
        ("12", None, "public", vec![], true),
        ("12", Some("ban"), "public", vec![], false),
        ("12", None, "knock", vec![], true),
        ("6", None, "knock", vec![], false),
        ("12", None, "knock_restricted", vec![], true),
        ("9", None, "knock_restricted", vec![], false),
        ("12", None, "restricted", vec![], false),
        ("12", None, "restricted", vec!["!s:x"], true),
        ("12", None, "restricted", vec!["!t:x"], false),
        ("7", None, "restricted", vec!["!s:x"], false),
        ("12", Some("ban"), "restricted", vec!["!s:x"], false),
    ] {
        let row = row(version, membership, &[("join_rules", &rule(join_rule))]);
        assert_eq!(known(row, &inside), may, "{version} {membership:?} {join_rule} {inside:?}");
    }
    assert!(!known(row("12", None, &[]), &[]), "no rule means by invitation");
    let open = [("history_visibility", r#"{"history_visibility":"world_readable"}"#)];
    assert!(known(row("12", Some("ban"), &open), &[]));
}

#[test]
fn a_card_says_what_the_state_says_and_leaves_out_the_rest() {
    let told = |state: &[(&str, &str)]| {
        let preview = Card::read(row("11", Some("join"), state)).preview(&HashSet::new()).unwrap();
        serde_json::to_value(preview).unwrap()
    };
    assert_eq!(
        told(&[("name", r#"{"name":""}"#), ("topic", "[]"), ("avatar", r#"{"url":1}"#)]),
        serde_json::json!({ "room_id": "!r:x", "num_joined_members": 3, "world_readable": false,
            "guest_can_join": false, "join_rule": "invite", "room_version": "11" })
    );
    let full = told(&[
        ("name", r#"{"name":"N"}"#),
        (
            "topic",
            r#"{"topic":"old","m.topic":{"m.text":[{"mimetype":"text/html","body":"<b>"},{"body":"plain"}]}}"#,
        ),
        ("avatar", r#"{"url":"mxc://x/y"}"#),
        ("canonical_alias", r##"{"alias":"#a:x"}"##),
        ("create", r#"{"type":"m.space"}"#),
        ("guest_access", r#"{"guest_access":"can_join"}"#),
        ("encryption", r#"{"algorithm":"m.megolm.v1.aes-sha2"}"#),
        (
            "join_rules",
            r#"{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":"!s:x"},{"type":"other"}]}"#,
        ),
    ]);
    for (field, value) in [
        ("name", "N"),
        ("topic", "plain"),
        ("avatar_url", "mxc://x/y"),
        ("canonical_alias", "#a:x"),
        ("room_type", "m.space"),
        ("encryption", "m.megolm.v1.aes-sha2"),
    ] {
        assert_eq!(full[field], value);
    }
    assert_eq!(
        (&full["guest_can_join"], &full["allowed_room_ids"]),
        (&true.into(), &serde_json::json!(["!s:x"]))
    );
}

#[test]
fn children_stand_in_the_order_of_the_specification() {
    let child = |id: &str, ts: i64, content: &str| ChildRow {
        space: 7,
        child: id.into(),
        sender: "@a:x".into(),
        origin_ts: ts,
        content: content.into(),
    };
    let long = format!(r#"{{"via":["x"],"order":"{}"}}"#, "a".repeat(51));
    let rows = [
        child("!a:x", 1, r#"{"via":["x"],"order":"aaaa"}"#),
        child("!b:x", 9, r#"{"via":["x"],"order":" "}"#),
        child("!c:x", 8, r#"{"via":["x"],"order":"first"}"#),
        child("!d:x", 7, r#"{"via":["x"]}"#),
        child("!e:x", 6, r#"{"via":["x"],"order":"ż"}"#),
        child("!g:x", 5, &long),
        child("!f:x", 5, r#"{"via":["x"],"order":1,"suggested":true}"#),
        child("!out:x", 0, r#"{"order":"a"}"#),
        child("!empty:x", 0, r#"{"via":[]}"#),
        child("nonsense", 0, r#"{"via":["x"]}"#),
        ChildRow { space: 8, ..child("!other:x", 0, r#"{"via":["x"]}"#) },
    ];
    let space = row("12", Some("join"), &[("create", r#"{"type":"m.space"}"#)]);
    let space = Card::read(space).preview(&HashSet::new()).unwrap();
    let children = space.children(&rows);
    let found: Vec<_> = children.iter().map(Child::room_id).collect();
    assert_eq!(found, ["!b:x", "!a:x", "!c:x", "!f:x", "!g:x", "!e:x", "!d:x"]);
    assert_eq!(children.iter().filter(|child| child.is_suggested()).count(), 1);
    let room = Card::read(row("12", Some("join"), &[])).preview(&HashSet::new()).unwrap();
    assert!(room.children(&rows).is_empty(), "only spaces have children");
}
