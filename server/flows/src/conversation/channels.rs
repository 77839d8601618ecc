//! How channels are, told to whom it concerns: administrators by a notice, those who answer by a banner in the
//! backstage rooms, once for each change; and pausing, resuming and testing a channel at its bridge.
//!
//! What rooms are to show is decided in the department (`kontor_contacts::health`). A sweep walks through the
//! conversations of a channel when that changes: what a room shows is its own state, so that walking the same way
//! twice tells nothing twice.

use crate::Flows;
use crate::appservice::link::{Method, Reply};
use crate::notices::Notice;
use crate::post::Post;
use kontor_contacts::health::{self, States};
use kontor_model::json::event_content;
use kontor_model::{Code, Draft, Error, Language, Ms, Nid, Result};
use kontor_rooms::Head;
use kontor_store::Change;
use kontor_store::audit::Actor;
use kontor_store::contacts::channel_state::{self, Affected, StateRow};
use kontor_store::contacts::channels::{self, ChannelRow};
use kontor_store::rooms::events::{self, Asker};
use ruma::{CanonicalJsonObject, OwnedRoomId, OwnedUserId};
use serde_json::{Value, json};
use std::time::Duration;

/// State of backstage rooms that says how the channel is.
pub const CHANNEL: &str = "dev.kontor.channel";
/// Conversations of one step, and steps of one round.
const STEP: i64 = 100;
const STEPS: usize = 10;
/// How long a bridge may take to ask its network.
const PATIENCE: Duration = Duration::from_secs(25);

/// What a bridge said when it was asked for something.
#[derive(Clone, Debug)]
pub enum Said {
    /// Its answer.
    Done(Value),
    /// It did not answer, and why.
    Silent(String),
}

impl Flows {
    /// Asks the bridge of a channel for something: `test`, `pause` or `resume`.
    ///
    /// # Errors
    /// `InvalidParam` when no application service speaks for the channel any more.
    pub async fn ask_bridge(&self, channel: &ChannelRow, what: &str) -> Result<Said> {
        let services = self.identity.services().now();
        let service = services.by_id(&channel.service).cloned().ok_or_else(|| {
            Error::invalid_param("The application service of this channel is not registered any more.")
        })?;
        let path = format!("/_bridge/v1/{what}");
        let reply = self.services.call_once(&service, Method::Post, &path, Some(b"{}"), PATIENCE).await;
        Ok(match &reply {
            Reply::Answer { status: 200, body } => {
                Said::Done(serde_json::from_slice(body).unwrap_or_default())
            }
            Reply::Answer { status: 403, .. } => {
                Said::Silent("the bridge does not know the server's token: register it again".to_owned())
            }
            _ => Said::Silent(reply.why()),
        })
    }

    /// Pauses a channel or lets it go on, and tells its bridge; a bridge that is away hears it when it comes back.
    ///
    /// # Errors
    /// `NotFound` without such a channel.
    pub async fn pause_channel(&self, id: &str, paused: bool, actor: Actor) -> Result<Said> {
        let channel = self.contacts.channel(id).await?;
        let change = self.contacts.plan_pause(&channel, paused, actor).await?;
        self.store.submit(change).await?;
        let said = self.ask_bridge(&channel, if paused { "pause" } else { "resume" }).await;
        let said = said.unwrap_or_else(|error| Said::Silent(error.message.into_owned()));
        self.tend_channels().await?;
        Ok(said)
    }

    /// Tells of channels what is to be told.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn tend_channels(&self) -> Result<()> {
        self.in_turn("channels", self.channel_round()).await.map(drop)
    }

    async fn channel_round(&self) -> Result<()> {
        let now = self.clock.now();
        // In one moment: a channel that was just made is none that was removed.
        let (rows, states) = {
            let mut snapshot = self.store.snapshot().await?;
            (channels::all(&mut snapshot).await?, channel_state::all(&mut snapshot).await?)
        };
        for row in &rows {
            let state = states.iter().find(|state| state.channel == row.id);
            self.note_channel(row, state, now).await?;
        }
        for state in states.iter().filter(|state| rows.iter().all(|row| row.id != state.channel)) {
            self.note_removed(state).await?;
        }
        for _ in 0..STEPS {
            let walks = channel_state::all(&mut self.store.reader()).await?;
            let Some(walk) = walks.into_iter().find(|state| state.walk.is_some()) else { return Ok(()) };
            let row = channels::by_id(&mut self.store.reader(), &walk.channel).await?;
            self.walk_channel(&walk, row.as_ref()).await?;
        }
        Ok(())
    }

    /// Writes down what people are to know of a channel, when that is something else than before.
    async fn note_channel(&self, row: &ChannelRow, state: Option<&StateRow>, now: Ms) -> Result<()> {
        let told = state.map(|state| state.told.as_str());
        let before: States = told.and_then(|told| serde_json::from_str(told).ok()).unwrap_or_default();
        let paused = state.is_some_and(|state| state.paused_since.is_some());
        record(row, paused, now);
        let wanted = health::to_tell(row, paused, &before, now);
        if wanted == before {
            return Ok(());
        }
        let wanted = serde_json::to_string(&wanted).map_err(Error::internal)?;
        self.begin_walk(&row.id, told, &wanted).await
    }

    async fn note_removed(&self, state: &StateRow) -> Result<()> {
        let wanted = json!({ "": "removed" }).to_string();
        if state.told != wanted {
            return self.begin_walk(&state.channel, Some(&state.told), &wanted).await;
        }
        let mut change = Change::default();
        change.forget_channel_state(&state.channel);
        self.store.submit(change).await.map(drop)
    }

    async fn begin_walk(&self, channel: &str, told: Option<&str>, wanted: &str) -> Result<()> {
        let mut change = Change::default();
        change.tell_of_channel(channel, told, wanted, self.store.nid().await?);
        match self.store.submit(change).await {
            // Another process was quicker.
            Err(error) if error.is_conflict() => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// One step of a walk: administrators first, then some rooms.
    async fn walk_channel(&self, walk: &StateRow, row: Option<&ChannelRow>) -> Result<()> {
        let at = walk.walk.as_deref().unwrap_or_default();
        let states: States = serde_json::from_str(&walk.told).unwrap_or_default();
        let name = row.map_or(walk.channel.as_str(), |row| row.name.as_str());
        if at.is_empty() {
            self.tell_administrators(walk, row, &states).await?;
        }
        let ahead = channel_state::ahead(&mut self.store.reader(), &walk.channel, at, STEP).await?;
        for room in &ahead {
            match self.show_channel(name, walk, room, &states).await {
                Err(error) if error.code == Code::Unavailable => return Err(error),
                Err(error) => {
                    tracing::warn!(room.id = %room.room_id, error.cause = ?error, "A room was not told how its channel is.");
                }
                Ok(()) => {}
            }
        }
        let to_the_end = i64::try_from(ahead.len()).is_ok_and(|count| count < STEP);
        let last = ahead.last().filter(|_| !to_the_end).map(|room| room.conversation.as_str());
        let mut change = Change::default();
        change.walk_channel(walk, last);
        match self.store.submit(change).await {
            // It is something else by now, or another process takes the same steps.
            Err(error) if error.is_conflict() => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    async fn tell_administrators(
        &self,
        walk: &StateRow,
        row: Option<&ChannelRow>,
        states: &States,
    ) -> Result<()> {
        let language = row.and_then(|row| Language::of(&row.language)).unwrap_or_default();
        let name = row.map_or(walk.channel.as_str(), |row| row.name.as_str());
        let worst = states.get("").or_else(|| states.values().next());
        let state = worst.map_or("connected", String::as_str);
        let mut body = health::sentence(language, name, state);
        if let Some(row) = row {
            let detail = health::now_of(row, false, self.clock.now()).detail;
            if !detail.is_empty() && state != "connected" {
                body.push_str(&format!("\n{detail}"));
            }
        }
        let kind = Some("dev.kontor.channel".to_owned());
        let notice = Notice { body, server_notice_type: kind, ..Notice::default() };
        for (user, user_id) in channel_state::administrators(&mut self.store.reader()).await? {
            let user_id = OwnedUserId::try_from(user_id.as_str()).map_err(Error::internal)?;
            if let Err(error) = self.tell_once(user, &user_id, walk.notice, &notice).await {
                if error.code == Code::Unavailable {
                    return Err(error);
                }
                tracing::warn!(user.id = %user_id, error.cause = ?error, "An administrator was not told how a channel is.");
            }
        }
        Ok(())
    }

    /// Makes a backstage room show how its channel is, with a word about it, unless it shows that already.
    async fn show_channel(
        &self,
        name: &str,
        walk: &StateRow,
        room: &Affected,
        states: &States,
    ) -> Result<()> {
        let state = health::of_account(states, &room.account);
        let language = room.language.as_deref().and_then(Language::of).unwrap_or_default();
        let content = json!({ "channel_id": walk.channel, "state": state });
        let text = health::sentence(language, name, state);
        self.show_state(room, CHANNEL, content, (state == "connected", &text)).await
    }

    /// Sets a state of a backstage room and says what it means, in one; nothing when the room shows it already, or
    /// shows nothing and all is `usual`.
    pub(super) async fn show_state(
        &self,
        room: &Affected,
        kind: &str,
        content: Value,
        (usual, text): (bool, &str),
    ) -> Result<()> {
        let room_id = OwnedRoomId::try_from(room.room_id.as_str()).map_err(Error::internal)?;
        let company = self.company().await?;
        let head = self.rooms.lanes.peek(&room_id).await?;
        let seen = head.get(&kind.into(), "").map(|entry| entry.nid);
        let shown = match seen {
            Some(event) => match self.content_of(company.user, event).await? {
                // It is on its way to the disk: somebody else tells it at this moment.
                None => return Ok(()),
                shown => shown,
            },
            None => None,
        };
        if shown.as_ref() == Some(&content) || (shown.is_none() && usual) {
            return Ok(());
        }
        let now = self.clock.now();
        let notice = json!({ "msgtype": "m.notice", "body": text, "dev.kontor.notice": kind });
        let drafts = vec![
            Draft::state(kind, "", object(&content)?, company.user_id.clone(), now),
            Draft::message("m.room.message", object(&notice)?, company.user_id.clone(), now),
        ];
        // Of two who tell it at the same moment the second tells nothing.
        let decide = |head: &Head| {
            let same = head.get(&kind.into(), "").map(|entry| entry.nid) == seen;
            Ok(if same { drafts.clone() } else { Vec::new() })
        };
        self.post(&room_id, Post { decide: Some(&decide), ..Post::default() }).await.map(drop)
    }

    async fn content_of(&self, company: Nid, event: Nid) -> Result<Option<Value>> {
        let rows =
            events::by_nids(&mut self.store.reader(), Asker { user: company, device: "" }, &[event]).await?;
        Ok(rows.first().and_then(|row| serde_json::from_str(row.content.get()).ok()))
    }
}

fn object(value: &Value) -> Result<CanonicalJsonObject> {
    event_content(&serde_json::value::to_raw_value(value).map_err(Error::internal)?)
}

/// The channel's figures.
fn record(row: &ChannelRow, paused: bool, now: Ms) {
    let state = health::now_of(row, paused, now).state;
    let report: Value =
        row.health.as_deref().and_then(|health| serde_json::from_str(health).ok()).unwrap_or_default();
    let number = |field: &str| report.get(field).and_then(Value::as_i64).unwrap_or(0);
    for known in health::STATES {
        let is = i64::from(known == state);
        tracing::event!(
            target: "kontor::metrics", tracing::Level::TRACE, gauge.kontor_channel_state = is,
            channel = row.id.as_str(), state = known
        );
    }
    let (backlog, dead) = (number("backlog"), number("dead"));
    tracing::event!(
        target: "kontor::metrics", tracing::Level::TRACE, gauge.kontor_channel_backlog_items = backlog,
        channel = row.id.as_str()
    );
    tracing::event!(
        target: "kontor::metrics", tracing::Level::TRACE, gauge.kontor_channel_dead_letters = dead,
        channel = row.id.as_str()
    );
}
