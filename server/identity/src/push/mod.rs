//! Push rules: what an event means to the members of its room.
//!
//! Most members have the server's own rules, so most of the answer is the same for everybody: bits
//! computed once for each event ([`notifies`]). Only members whom the event mentions and members
//! with rules of their own are asked one by one ([`Listeners`]); what the others' rules make of a
//! whole room is derived when the rules change ([`modes`]). Rules are kept and edited as the
//! specification's ruleset ([`ruleset`], [`edit`]) and evaluated in a form of this crate's own
//! ([`rules`]): patterns and message texts come from strangers, and an evaluation that can neither
//! panic, nor recurse, nor take long is what they must meet.

pub mod edit;
pub mod event;
pub mod listeners;
pub mod modes;
pub mod pushers;
pub mod rules;
pub mod ruleset;

pub use edit::Edit;
pub use event::Event;
pub use listeners::{Listeners, Notice};
pub use rules::{Tweaks, Verdict};

use ruma::UserId;
use ruma::push::Ruleset;
use std::sync::{Arc, OnceLock};

/// Bit of `event.notifies`: counts as unread for members with the usual rules.
pub const UNREAD: i64 = 1;
/// Bit of `event.notifies`: highlights for every member with the usual rules.
pub const HIGHLIGHT: i64 = 2;

/// The bits of an event: what the server's own rules make of it for a member who neither sent it
/// nor is mentioned in it.
pub fn notifies(event: &Event<'_>) -> i64 {
    let Some(usual) = usual() else { return 0 };
    let verdict = usual.judge(event, None);
    i64::from(verdict.notify) * UNREAD + i64::from(verdict.highlight) * HIGHLIGHT
}

/// How the server's own rules present an event to a member who neither sent it nor is mentioned in
/// it; `None` when they do not.
pub fn usual_wish(event: &Event<'_>) -> Option<Arc<Tweaks>> {
    usual()?.wish(event, None)
}

/// The server's own rules, of nobody in particular.
fn usual() -> Option<&'static rules::Rules> {
    static USUAL: OnceLock<Option<rules::Rules>> = OnceLock::new();
    // No user id of the network: nobody can mention it or be it.
    let usual = USUAL.get_or_init(|| {
        let nobody = UserId::parse("@:nobody.invalid").ok()?;
        Some(rules::Rules::compile(&Ruleset::server_default(&nobody)))
    });
    usual.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn bits(kind: &str, state_key: Option<&str>, content: Value, may_notify_room: bool) -> i64 {
        let event = Event::new(kind, "@a:x", state_key, "!r:x", &content);
        notifies(&event.in_room_of(3).sent_by_somebody_who_may_notify(may_notify_room))
    }

    #[test]
    fn events_mean_to_a_generic_member_what_the_default_rules_say() {
        let text = json!({"msgtype": "m.text", "body": "hi"});
        assert_eq!(bits("m.room.message", None, text.clone(), false), UNREAD);
        assert_eq!(bits("m.room.encrypted", None, json!({}), false), UNREAD);
        assert_eq!(bits("m.call.invite", None, json!({}), false), UNREAD);
        assert_eq!(bits("m.room.tombstone", Some(""), json!({}), false), UNREAD | HIGHLIGHT);
        assert_eq!(bits("m.room.message", None, json!({"msgtype": "m.notice", "body": "x"}), false), 0);
        assert_eq!(bits("m.reaction", None, json!({}), false), 0);
        assert_eq!(bits("m.room.topic", Some(""), json!({"topic": "x"}), false), 0);
        assert_eq!(bits("m.room.member", Some("@b:x"), json!({"membership": "join"}), false), 0);
        let edit = json!({"body": "x", "m.relates_to": {"rel_type": "m.replace", "event_id": "$e"}});
        assert_eq!(bits("m.room.message", None, edit, false), 0);
        let call = json!({"body": "x", "m.mentions": {"room": true}});
        assert_eq!(bits("m.room.message", None, call.clone(), true), UNREAD | HIGHLIGHT);
        assert_eq!(bits("m.room.message", None, call, false), UNREAD);
        let mention = json!({"body": "x", "m.mentions": {"user_ids": ["@b:x"]}});
        assert_eq!(bits("m.room.message", None, mention, false), UNREAD);
    }
}
