//! Tokens that clients carry from one answer to the next request: whatever is taken for one is in
//! the spelling in which it is given out.

use kontor_flows::discovery::TreePlace;
use kontor_flows::mutual_rooms::MutualPlace;
use kontor_flows::search::SearchToken;
use kontor_flows::sliding::Token;
use kontor_model::position::{Pos, RoomToken, SyncToken};
use kontor_rooms::directory::Since;
use std::fmt::{Debug, Display};
use std::str::FromStr;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let taken = [
        survives::<SyncToken>(text),
        survives::<SearchToken>(text),
        survives::<TreePlace>(text),
        survives::<MutualPlace>(text),
        survives::<Since>(text),
        survives::<Token>(text),
        // Tokens of sync are places in rooms as well.
        room_token(text) && !text.starts_with("s1_"),
    ];
    let kinds = taken.into_iter().filter(|taken| *taken).count();
    assert!(kinds <= 1, "{text:?} is a token of {kinds} kinds");
    if let Ok(token) = text.parse::<SyncToken>() {
        assert!(token.to_device <= token.pos && token.to_device >= Pos(0));
    }
}

/// Whether the text is a token of this kind.
fn survives<T: FromStr + Display + PartialEq + Debug>(text: &str) -> bool {
    let Ok(token) = text.parse::<T>() else { return false };
    assert_eq!(token.to_string(), text, "another spelling was taken");
    true
}

fn room_token(text: &str) -> bool {
    let Ok(token) = text.parse::<RoomToken>() else { return false };
    assert_eq!(token.to_string().parse::<RoomToken>().ok(), Some(token));
    match text.parse::<SyncToken>() {
        Ok(sync) => assert_eq!(RoomToken(sync.pos.0), token),
        Err(_) => assert_eq!(token.to_string(), text, "another spelling was taken"),
    }
    true
}
