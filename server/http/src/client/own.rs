//! What the endpoints of a user's own data have in common.

use crate::app::App;
use crate::extract::Caller;
use kontor_model::{Code, Error, Nid, Result};
use kontor_store::rooms::members::{self, MyRoom};
use kontor_store::{Change, Store};
use ruma::{OwnedRoomId, RoomId};
use tokio::sync::Mutex;

/// How often a plan is made anew when another process was quicker.
const ATTEMPTS: usize = 8;

/// Within a process a user's changes take turns: planning anew at the same moment would only let one
/// of many through each time. Users who share a turn by chance wait a little.
static TURNS: [Mutex<()>; 64] = [const { Mutex::const_new(()) }; 64];

/// Refuses addresses of other users' data.
///
/// # Errors
/// `Forbidden` unless the caller is the user.
pub(super) fn only_own(caller: &Caller, user_id: &str) -> Result<()> {
    if caller.requester.user_id == user_id {
        return Ok(());
    }
    Err(Error::forbidden("You can do this with your own account only."))
}

/// Reads a room id of an address.
///
/// # Errors
/// `InvalidParam` when it is none.
pub(super) fn room_id(text: &str) -> Result<OwnedRoomId> {
    RoomId::parse(text).map_err(|_| Error::invalid_param("This is not a room id. It begins with \"!\"."))
}

/// The caller's membership of a room, of whatever kind.
///
/// # Errors
/// `InvalidParam` when the id is none; `Forbidden` for rooms that the caller never had to do with.
pub(super) async fn known_room(app: &App, caller: &Caller, room: &str) -> Result<MyRoom> {
    let room_id = room_id(room)?;
    let user = caller.requester.user;
    let mine = members::membership_of(&mut app.store.reader(), room_id.as_str(), user).await?;
    mine.ok_or_else(|| Error::forbidden("You are not a member of this room."))
}

/// Submits a plan for a user's data; when it was changed elsewhere meanwhile, plans again.
///
/// # Errors
/// The plan's; `Unavailable` when others are quicker again and again.
pub(super) async fn submit<P, F>(store: &Store, user: Nid, plan: P) -> Result<()>
where
    P: Fn() -> F,
    F: Future<Output = Result<Change>>,
{
    let silent = || {
        let planned = plan();
        async { planned.await.map(|change| (change, ())) }
    };
    submit_told(store, user, silent).await
}

/// As [`submit`], for plans that say what the answer is once they are written.
///
/// # Errors
/// As [`submit`].
pub(super) async fn submit_told<P, F, T>(store: &Store, user: Nid, plan: P) -> Result<T>
where
    P: Fn() -> F,
    F: Future<Output = Result<(Change, T)>>,
{
    let turn = usize::try_from(user).unwrap_or_default() % TURNS.len();
    let _turn = match TURNS.get(turn) {
        Some(turn) => Some(turn.lock().await),
        None => None,
    };
    for _ in 0..ATTEMPTS {
        let (change, told) = plan().await?;
        if change.is_empty() {
            return Ok(told);
        }
        match store.submit(change).await {
            Err(error) if error.is_conflict() => {}
            done => return done.map(|_| told),
        }
    }
    Err(Error::new(
        Code::Unavailable,
        "Your other devices are changing this right now. Try again in a moment.",
    ))
}
