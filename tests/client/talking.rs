//! People really talk.

use harness::{Homeserver, both_databases, timeline};
use serde_json::json;

both_databases!(a_message_reaches_the_other_member_at_once);

async fn a_message_reaches_the_other_member_at_once(server: Homeserver) {
    let alice = server.register("alice").await;
    let bob = server.register("bob").await;
    let room = alice.create_room(json!({ "preset": "private_chat" })).await;
    alice.invite(&room, &bob).await;
    bob.join(&room).await;
    let mut since = bob.now().await;
    let message = alice.text(&room, "good morning").await;
    let seen = bob.sync_until_event(&mut since, &room, &message).await;
    assert_eq!(seen["content"]["body"], "good morning");
    assert_eq!(seen["sender"], alice.user_id());
    let nothing = bob.sync(Some(&since), 0).await;
    assert!(timeline(&nothing, &room).is_empty(), "delivered twice: {nothing}");
}
