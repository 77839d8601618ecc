//! What a new room takes over from the one that it replaces.

use super::*;
use crate::chain::Chain;
use crate::create::empty;
use crate::world::{after, becomes, content, creation, make, person, push, sets, user};
use ruma::OwnedRoomId;

fn upgrade<'a>(old: &'a Head, by: &str, version: &str) -> Upgrade<'a> {
    let repeated = REPEATED.iter().filter_map(|kind| {
        Some((*kind, old.content::<CanonicalJsonObject>(&StateEventType::from(*kind), "")?))
    });
    Upgrade {
        by: person(by),
        version: RoomVersion::parse(version).unwrap(),
        additional_creators: Vec::new(),
        repeated: repeated.collect(),
        aliases: Vec::new(),
        now: 5,
        old,
    }
}

/// The new room, with the bans that could be repeated.
fn replacement(upgrade: &Upgrade<'_>) -> Result<Head> {
    let id = OwnedRoomId::try_from("!new:x").unwrap();
    let mut chain = Chain::create(empty(2, id, upgrade.version.clone()));
    push(&mut chain, &upgrade.create(None)?)?;
    for draft in upgrade.set_up()? {
        push(&mut chain, &draft)?;
    }
    for draft in upgrade.bans() {
        let _ = push(&mut chain, &draft);
    }
    Ok(chain.finish(false, 1)?.1)
}

fn of(head: &Head, kind: &str) -> CanonicalJsonObject {
    head.content(&StateEventType::from(kind), "").unwrap()
}

fn old_room(version: &str) -> Head {
    let mut wish = creation(version, Preset::PublicChat);
    wish.name = Some("Old".into());
    wish.creation_content = content(r#"{"type":"m.space","m.federate":false,"dev.x":1}"#);
    let head = make(&wish).unwrap();
    let head = becomes(&head, "@bob:x", "join").unwrap();
    let head = becomes(&head, "@carl:x", "join").unwrap();
    let ban = Membership { membership: "ban", ..Membership::default() }.content();
    after(&head, &Draft::state("m.room.member", "@carl:x", ban, user("@anna:x"), 1)).unwrap()
}

#[test]
fn the_new_room_says_where_it_comes_from_and_repeats_what_may_be_repeated() {
    for (from, to) in [("10", "11"), ("11", "12"), ("12", "12"), ("12", "11"), ("10", "10")] {
        let old = old_room(from);
        let new = replacement(&upgrade(&old, "@anna:x", to)).unwrap();
        let create = of(&new, "m.room.create");
        let predecessor = serde_json::to_value(create.get("predecessor")).unwrap();
        assert_eq!(predecessor["room_id"], old.room_id.as_str());
        assert_eq!(
            (&create["type"], create.get("dev.x")),
            (&CanonicalJsonValue::String("m.space".into()), None)
        );
        assert_eq!(create["m.federate"], CanonicalJsonValue::Bool(false));
        for kind in ["m.room.join_rules", "m.room.name", "m.room.history_visibility"] {
            assert_eq!(of(&new, kind), of(&old, kind), "{from} {to}");
        }
        assert_eq!(new.membership(&user("@carl:x")), "ban");
        assert_eq!(new.membership(&user("@bob:x")), "leave");
        let stronger = new.powers().of_user("@anna:x");
        assert!(if to == "12" { stronger == i64::MAX } else { stronger >= 100 }, "{from} {to}: {stronger}");
    }
}

#[test]
fn powers_are_those_of_before_also_of_one_who_had_little() {
    let old = old_room("11");
    let levels =
        r#"{"users":{"@anna:x":150,"@bob:x":50},"events":{"m.room.tombstone":50,"m.room.name":120}}"#;
    let old =
        sets(&old, "@anna:x", "m.room.power_levels", &levels.replace("150", "100").replace("120", "99"))
            .unwrap();
    let new = replacement(&upgrade(&old, "@bob:x", "11")).unwrap();
    assert_eq!(of(&new, "m.room.power_levels"), of(&old, "m.room.power_levels"));
    let new = replacement(&upgrade(&old, "@bob:x", "12")).unwrap();
    assert_eq!((new.powers().of_user("@bob:x"), new.powers().of_user("@anna:x")), (i64::MAX, 100));
}

#[test]
fn further_creators_are_named_where_the_version_knows_them() {
    let old = old_room("11");
    let mut wish = upgrade(&old, "@anna:x", "12");
    wish.additional_creators = vec![user("@bob:x"), user("@anna:x"), user("@bob:x")];
    let new = replacement(&wish).unwrap();
    assert_eq!(new.powers().of_user("@bob:x"), i64::MAX);
    wish.version = RoomVersion::parse("11").unwrap();
    let new = replacement(&wish).unwrap();
    assert_eq!(new.powers().of_user("@bob:x"), 0);
    assert!(!of(&new, "m.room.create").contains_key("additional_creators"));
}

#[test]
fn the_old_room_grows_quiet() {
    for (levels, wanted) in [
        (r#"{"users":{"@anna:x":100}}"#, 50),
        (r#"{"users":{"@anna:x":100},"users_default":60,"invite":20}"#, 61),
        (r#"{"users":{"@anna:x":100},"events_default":70,"invite":80}"#, -1),
    ] {
        let old = sets(&old_room("11"), "@anna:x", "m.room.power_levels", levels).unwrap();
        let drafts = upgrade(&old, "@anna:x", "11").farewell().unwrap();
        let found = drafts.first().map(|draft| (&draft.content["events_default"], &draft.content["invite"]));
        let wanted = CanonicalJsonValue::Integer(Int::new(wanted).unwrap());
        match found {
            Some(found) => assert_eq!(found, (&wanted, &wanted)),
            None => assert_eq!(wanted, CanonicalJsonValue::Integer(Int::new(-1).unwrap())),
        }
    }
}

#[test]
fn aliases_of_this_server_move_and_others_stay() {
    let old = old_room("11");
    let listed = r##"{"alias":"#a:x","alt_aliases":["#b:x","#c:y"]}"##;
    let old = sets(&old, "@anna:x", "m.room.canonical_alias", listed).unwrap();
    let mut wish = upgrade(&old, "@anna:x", "12");
    assert_eq!(wish.farewell().unwrap().len(), 1, "no alias moves");
    wish.aliases = vec![crate::alias::parse("#a:x").unwrap(), crate::alias::parse("#b:x").unwrap()];
    let left = wish.farewell().unwrap();
    assert_eq!(left[0].content, content(r##"{"alt_aliases":["#c:y"]}"##));
    let new = replacement(&wish).unwrap();
    assert_eq!(of(&new, "m.room.canonical_alias"), content(r##"{"alias":"#a:x","alt_aliases":["#b:x"]}"##));
}

#[test]
fn levels_that_old_rooms_wrote_as_texts_become_numbers() {
    let levels = content(r#"{"ban":" 50 ","users":{"@a:x":"7","@b:x":"much","@c:x":3},"x":null,"y":[1]}"#);
    assert_eq!(whole_numbers(levels), content(r#"{"ban":50,"users":{"@a:x":7,"@c:x":3}}"#));
}
