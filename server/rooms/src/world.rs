//! For tests: rooms in memory, made the way that real ones are.

use crate::chain::{Chain, EventNids, Judge, Signer};
use crate::create::{Creation, empty};
use crate::head::Head;
use crate::member::{Membership, Person, Profile};
use crate::presets::Preset;
use kontor_model::{Draft, Pdu, Result, RoomVersion};
use ruma::signatures::Ed25519KeyPair;
use ruma::{CanonicalJsonObject, OwnedRoomId, OwnedUserId, ServerName};

/// The smallest PKCS#8 document of an ed25519 key (RFC 8410) before its 32 bytes of seed.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Nothing is news here.
pub struct Silent;

impl Judge for Silent {
    fn notifies(&self, _: &Pdu, _: &str, _: &Head) -> i64 {
        0
    }
}

/// A signer of `x`.
pub fn signer() -> Signer {
    let document = [PKCS8_HEAD.as_slice(), &[7; 32]].concat();
    Signer {
        server_name: ServerName::parse("x").unwrap(),
        key: Ed25519KeyPair::from_der(&document, "1".to_owned()).unwrap(),
    }
}

/// A user id.
pub fn user(id: &str) -> OwnedUserId {
    OwnedUserId::try_from(id).unwrap()
}

/// A user without a profile.
pub fn person(id: &str) -> Person {
    Person { user_id: user(id), profile: Profile::default() }
}

/// Content, from JSON.
pub fn content(text: &str) -> CanonicalJsonObject {
    serde_json::from_str(text).unwrap()
}

/// What a room of `@anna:x` is made of, unless a test says otherwise.
pub fn creation(version: &str, preset: Preset) -> Creation {
    Creation {
        creator: person("@anna:x"),
        version: RoomVersion::parse(version).unwrap(),
        preset,
        alias: None,
        creation_content: CanonicalJsonObject::new(),
        power_levels: CanonicalJsonObject::new(),
        initial_state: Vec::new(),
        name: None,
        topic: None,
        invitees: Vec::new(),
        is_direct: false,
        now: 1,
    }
}

/// Adds an event; numeric ids of names are made up.
pub fn push(chain: &mut Chain, draft: &Draft) -> Result<()> {
    let event = chain.head().revision + 1;
    let state_key = draft.state_key.as_ref().map(|_| 1);
    let nids = EventNids { event, sender: 1, state_key };
    chain.push(draft, nids, &signer(), &Silent, 1).map(|_| ())
}

/// Makes the room.
pub fn make(creation: &Creation) -> Result<Head> {
    let room_id = OwnedRoomId::try_from("!room:x").unwrap();
    let mut chain = Chain::create(empty(1, room_id, creation.version.clone()));
    for draft in creation.state()?.iter().chain(&creation.invitations()) {
        push(&mut chain, draft)?;
    }
    Ok(chain.finish(false, 1)?.1)
}

/// The room after one more event.
pub fn after(head: &Head, draft: &Draft) -> Result<Head> {
    let mut chain = Chain::on(head);
    push(&mut chain, draft)?;
    Ok(chain.finish(false, 1)?.1)
}

/// A change of somebody's own membership.
pub fn becomes(head: &Head, id: &str, membership: &str) -> Result<Head> {
    let content = Membership { membership, ..Membership::default() }.content();
    after(head, &Draft::state("m.room.member", id, content, user(id), 1))
}

/// A state event of somebody.
pub fn sets(head: &Head, id: &str, kind: &str, text: &str) -> Result<Head> {
    after(head, &Draft::state(kind, "", content(text), user(id), 1))
}
