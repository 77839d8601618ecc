//! Two people with clients on matrix-rust-sdk: room list and timelines by sliding sync, an encrypted
//! direct chat, and a fresh device that finds it all again. Prints what it does; ends with `done`.
//!
//!     kontor-sdk-story URL USER_A USER_B PASSWORD

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{StreamExt, pin_mut};
use matrix_sdk::room::edit::EditedContent;
use matrix_sdk::ruma::api::client::room::create_room;
use matrix_sdk::ruma::events::room::message::{
    RoomMessageEventContent, RoomMessageEventContentWithoutRelation,
};
use matrix_sdk::ruma::{OwnedRoomId, RoomId, UserId, assign};
use matrix_sdk::sliding_sync::VersionBuilder;
use matrix_sdk::{Client, Room, RoomState};
use matrix_sdk_ui::eyeball_im::Vector;
use matrix_sdk_ui::room_list_service::RoomListItem;
use matrix_sdk_ui::room_list_service::filters::new_filter_non_left;
use matrix_sdk_ui::sync_service::{State, SyncService};
use matrix_sdk_ui::timeline::{EventTimelineItem, RoomExt, Timeline};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Long enough for a busy machine; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// One person at one device.
struct Person {
    client: Client,
    sync: SyncService,
}

impl Person {
    async fn enters(url: &str, user: &str, password: &str) -> Result<Self> {
        let client = Client::builder()
            .homeserver_url(url)
            .sliding_sync_version_builder(VersionBuilder::DiscoverNative)
            // What stands between here and the server must not be passed by.
            .respect_login_well_known(false)
            .build()
            .await?;
        client.matrix_auth().login_username(user, password).initial_device_display_name("story").await?;
        let sync = SyncService::builder(client.clone()).build().await?;
        sync.start().await;
        let person = Self { client, sync };
        until("the sync service to run", async || match person.sync.state().get() {
            State::Running => Ok(Some(())),
            State::Error(error) => bail!("sync: {error}"),
            _ => Ok(None),
        })
        .await?;
        Ok(person)
    }

    fn user_id(&self) -> Result<&UserId> {
        self.client.user_id().context("not logged in")
    }

    /// The room, once this person's sync knows it in this state.
    async fn room(&self, id: &RoomId, state: RoomState) -> Result<Room> {
        until(&format!("{id} to be {state:?}"), async || {
            Ok(self.client.get_room(id).filter(|room| room.state() == state))
        })
        .await
    }

    /// Waits until the room list shows these rooms in this order: it sorts anew whenever it hears more.
    async fn lists(&self, expected: &[&RoomId]) -> Result<()> {
        let rooms = self.sync.room_list_service().all_rooms().await?;
        let (entries, controller) = rooms.entries_with_dynamic_adapters(50);
        pin_mut!(entries);
        controller.set_filter(Box::new(new_filter_non_left()));
        let mut list: Vector<RoomListItem> = Vector::new();
        let begin = Instant::now();
        while !list.iter().map(|entry| entry.room_id()).eq(expected.iter().copied()) {
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let shown: Vec<&RoomId> = list.iter().map(|entry| entry.room_id()).collect();
            let changes = timeout(left, entries.next())
                .await
                .with_context(|| format!("the room list is {shown:?}, not {expected:?}"))?;
            for change in changes.context("the room list ended")? {
                change.apply(&mut list);
            }
        }
        Ok(())
    }
}

/// Asks again until there is an answer.
async fn until<T, F: Future<Output = Result<Option<T>>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> Result<T> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        sleep(Duration::from_millis(50)).await;
    }
    Err(anyhow!("waited in vain for {what}"))
}

fn body(item: &EventTimelineItem) -> Option<String> {
    item.content().as_message().map(|message| message.body().to_owned())
}

/// Waits for a message with this text in a timeline.
async fn sees(timeline: &Timeline, text: &str) -> Result<EventTimelineItem> {
    until(&format!("'{text}'"), async || {
        let items = timeline.items().await;
        let mut events = items.iter().filter_map(|item| item.as_event());
        Ok(events.find(|event| body(event).as_deref() == Some(text) && event.event_id().is_some()).cloned())
    })
    .await
}

async fn says(timeline: &Timeline, text: &str) -> Result<EventTimelineItem> {
    timeline.send(RoomMessageEventContent::text_plain(text).into()).await?;
    sees(timeline, text).await
}

async fn open_room(alice: &Person, bob: &Person) -> Result<OwnedRoomId> {
    let request = assign!(create_room::v3::Request::new(), {
        name: Some("Sales".to_owned()),
        invite: vec![bob.user_id()?.to_owned()],
    });
    let id = alice.client.create_room(request).await?.room_id().to_owned();
    bob.room(&id, RoomState::Invited).await?.join().await?;
    let (ours, theirs) = (alice.room(&id, RoomState::Joined).await?, bob.room(&id, RoomState::Joined).await?);
    println!("both are in the room");
    let (ours, theirs_timeline) = (ours.timeline().await?, theirs.timeline().await?);
    let first = says(&ours, "Good morning").await?;
    let seen = sees(&theirs_timeline, "Good morning").await?;
    theirs_timeline.toggle_reaction(&seen.identifier(), "👍").await?;
    until("the reaction", async || {
        let item = ours.item_by_event_id(first.event_id().context("an id")?).await;
        Ok(item.filter(|item| item.content().reactions().is_some_and(|all| all.get("👍").is_some())))
    })
    .await?;
    let edited = RoomMessageEventContentWithoutRelation::text_plain("Good evening");
    ours.edit(&first.identifier(), EditedContent::RoomMessage(edited)).await?;
    sees(&theirs_timeline, "Good evening").await?;
    println!("reaction and edit arrived");
    let reply = RoomMessageEventContentWithoutRelation::text_plain("And to you");
    theirs_timeline.send_reply(reply, seen.event_id().context("an id")?.to_owned()).await?;
    let answer = sees(&ours, "And to you").await?;
    if answer.content().in_reply_to().is_none() {
        bail!("the reply does not say to what");
    }
    ours.redact(&sees(&ours, "Good evening").await?.identifier(), Some("wrong room")).await?;
    until("the redaction", async || {
        let item = theirs_timeline.item_by_event_id(first.event_id().context("an id")?).await;
        Ok(item.filter(|item| item.content().is_redacted()))
    })
    .await?;
    println!("reply and redaction arrived");
    until("the room's name", async || Ok(theirs.name().filter(|name| name == "Sales"))).await?;
    Ok(id)
}

async fn talk_in_private(alice: &Person, bob: &Person) -> Result<OwnedRoomId> {
    let id = alice.client.create_dm(bob.user_id()?).await?.room_id().to_owned();
    bob.room(&id, RoomState::Invited).await?.join().await?;
    let (ours, theirs) = (alice.room(&id, RoomState::Joined).await?, bob.room(&id, RoomState::Joined).await?);
    for room in [&ours, &theirs] {
        if !room.latest_encryption_state().await?.is_encrypted() {
            bail!("the direct chat is not encrypted");
        }
    }
    until("both members", async || Ok((ours.active_members_count() == 2).then_some(()))).await?;
    let (ours, theirs) = (ours.timeline().await?, theirs.timeline().await?);
    says(&ours, "between us").await?;
    let seen = sees(&theirs, "between us").await?;
    if seen.encryption_info().is_none() {
        bail!("the message came in plain text");
    }
    says(&theirs, "only us").await?;
    sees(&ours, "only us").await?;
    println!("the direct chat is encrypted both ways");
    Ok(id)
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, a, b, password] = arguments.as_slice() else {
        bail!("usage: kontor-sdk-story URL USER_A USER_B PASSWORD");
    };
    let alice = Person::enters(url, a, password).await?;
    let bob = Person::enters(url, b, password).await?;
    println!("both sync by sliding sync");
    let room = open_room(&alice, &bob).await?;
    let direct = talk_in_private(&alice, &bob).await?;
    let fresh = Person::enters(url, b, password).await?;
    fresh.lists(&[&direct, &room]).await?;
    let timeline = fresh.room(&room, RoomState::Joined).await?.timeline().await?;
    timeline.paginate_backwards(20).await?;
    sees(&timeline, "And to you").await?;
    println!("a fresh device finds the rooms, the newest first, and what was said");
    for person in [&alice, &bob, &fresh] {
        person.sync.stop().await;
    }
    println!("done");
    Ok(())
}
