//! Who gets into restricted rooms.

use super::*;
use crate::presets::Preset;
use crate::world::{becomes, creation, make, sets, user};

const RULES: &str = r#"{"join_rule":"RULE","allow":[{"type":"m.room_membership","room_id":"!hall:x"},{"type":"other","room_id":"!no:x"}, 7]}"#;

fn restricted(version: &str, rule: &str) -> Head {
    let head = make(&creation(version, Preset::PrivateChat)).unwrap();
    sets(&head, "@anna:x", "m.room.join_rules", &RULES.replace("RULE", rule)).unwrap()
}

fn elsewhere(rooms: &[(&str, bool)]) -> Elsewhere {
    let room = |(id, joined): &(&str, bool)| (OwnedRoomId::try_from(*id).unwrap(), *joined);
    Elsewhere(rooms.iter().map(room).collect())
}

fn ask(head: &Head, id: &str, rooms: &[(&str, bool)]) -> Result<Option<OwnedUserId>> {
    let server = ServerName::parse("x").unwrap();
    authoriser(head, &user(id), &server, &elsewhere(rooms))
}

#[test]
fn members_of_the_named_room_are_let_in_by_somebody_who_may_invite() {
    for version in ["10", "11", "12"] {
        for rule in ["restricted", "knock_restricted"] {
            let head = restricted(version, rule);
            assert_eq!(allowed_rooms(&head).unwrap(), ["!hall:x"]);
            let by = ask(&head, "@bob:x", &[("!hall:x", true)]).unwrap();
            assert_eq!(by, Some(user("@anna:x")));
        }
    }
}

#[test]
fn the_reasons_of_a_refusal_differ() {
    let head = restricted("12", "restricted");
    assert_eq!(ask(&head, "@bob:x", &[("!hall:x", false)]).unwrap_err().code, Code::Forbidden);
    assert_eq!(ask(&head, "@bob:x", &[]).unwrap_err().code, Code::UnableToAuthoriseJoin);
    let levels = r#"{"invite":50,"users_default":0}"#;
    let head = sets(&head, "@anna:x", "m.room.power_levels", levels).unwrap();
    assert_eq!(ask(&head, "@bob:x", &[("!hall:x", true)]).unwrap(), Some(user("@anna:x")));
    let head = becomes(&head, "@anna:x", "leave").unwrap();
    assert_eq!(ask(&head, "@bob:x", &[("!hall:x", true)]).unwrap_err().code, Code::UnableToGrantJoin);
}

#[test]
fn an_ordinary_member_lets_in_where_everybody_may_invite() {
    let head = sets(
        &make(&creation("12", Preset::PublicChat)).unwrap(),
        "@anna:x",
        "m.room.power_levels",
        r#"{"invite":0}"#,
    )
    .unwrap();
    let head = becomes(&head, "@carl:x", "join").unwrap();
    let head = sets(&head, "@anna:x", "m.room.join_rules", &RULES.replace("RULE", "restricted")).unwrap();
    let head = becomes(&head, "@anna:x", "leave").unwrap();
    assert_eq!(ask(&head, "@bob:x", &[("!hall:x", true)]).unwrap(), Some(user("@carl:x")));
}

#[test]
fn open_and_closed_rooms_need_nobody() {
    let head = make(&creation("11", Preset::PublicChat)).unwrap();
    assert_eq!(ask(&head, "@bob:x", &[]).unwrap(), None);
    let head = make(&creation("11", Preset::PrivateChat)).unwrap();
    assert_eq!(ask(&head, "@bob:x", &[]).unwrap(), None);
    assert!(becomes(&head, "@bob:x", "join").is_err());
}

#[test]
fn guests_need_a_word_of_the_room() {
    assert!(admits_guests(&make(&creation("12", Preset::PrivateChat)).unwrap()).is_ok());
    let refused = admits_guests(&make(&creation("12", Preset::PublicChat)).unwrap());
    assert_eq!(refused.unwrap_err().code, Code::GuestAccessForbidden);
}
