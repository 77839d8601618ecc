//! Finding the room of a conversation, opened when it is new.

use super::Stop;
use crate::channel::Profile;
use crate::db::lane::{self, Home, Lane};
use crate::engine::Engine;
use crate::matrix::{As, HomeError, Opening};
use crate::steps::Step;
use kontor_model::{Code, Error};
use std::time::Duration;

/// Largest picture of a customer, bytes.
const LARGEST_AVATAR: u64 = 1 << 20;

/// Where the conversation is at home.
pub(super) async fn home(engine: &Engine, lane: &str, from: Option<&Profile>) -> Result<(Lane, Home), Stop> {
    let known = lane::get(engine.db(), engine.name(), lane).await?;
    if let Some(lane) = &known
        && let Some(home) = &lane.home
    {
        return Ok((lane.clone(), home.clone()));
    }
    // Known from before: who it is, but not where.
    let remembered = known.map(|lane| lane.whom).filter(|whom| !whom.external_id.is_empty());
    let remembered = remembered.map(|whom| Profile {
        account: whom.account,
        id_type: whom.id_type,
        external_id: whom.external_id,
        ..Profile::default()
    });
    let Some(profile) = from.cloned().or(remembered) else {
        return Err(Stop::NotYet { patience: 30_000 });
    };
    tell(engine, lane, profile).await
}

/// Tells the directory who the customer is, and remembers what it says.
pub(super) async fn tell(engine: &Engine, lane: &str, mut profile: Profile) -> Result<(Lane, Home), Stop> {
    if profile.account.is_empty() {
        profile.account.clone_from(&engine.config.account);
    }
    let avatar_mxc = picture(engine, profile.avatar.as_deref()).await;
    let window = engine.channel.window(lane);
    let opening =
        Opening { channel: engine.name().to_owned(), lane: lane.to_owned(), profile, avatar_mxc, window };
    let opened = engine.directory.open(&opening).await.map_err(stop)?;
    engine.reached(Step::Opened).await;
    lane::settle(engine.db(), engine.name(), lane, &opening.profile, &opened).await?;
    let lane = lane::get(engine.db(), engine.name(), lane).await?;
    let found = lane.and_then(|lane| lane.home.clone().map(|home| (lane, home)));
    found.ok_or_else(|| Stop::Failed(Error::internal("a lane that is gone")))
}

/// What an error of the directory means for an item.
pub(super) fn stop(error: Error) -> Stop {
    let cause = error.cause.as_ref().map(ToString::to_string).unwrap_or_default();
    match error.code {
        Code::Unavailable => Stop::Home(HomeError::Away { after: None, cause }),
        _ => Stop::Home(HomeError::Refused { errcode: format!("{:?}", error.code), text: cause }),
    }
}

/// A customer's picture at the homeserver. None is better than no conversation.
async fn picture(engine: &Engine, locator: Option<&str>) -> Option<String> {
    let locator = locator?;
    let upload = async {
        let download = engine.channel.fetch(&engine.context, locator).await.ok()?;
        if download.size.is_some_and(|size| size > LARGEST_AVATAR) {
            return None;
        }
        let media_type = download.media_type.clone().unwrap_or_else(|| "image/jpeg".to_owned());
        let bytes = super::media::capped(download.bytes, LARGEST_AVATAR);
        engine.home().upload("avatar", &media_type, As::default(), bytes).await.ok()
    };
    tokio::time::timeout(Duration::from_secs(5), upload).await.ok().flatten()
}
