//! From a row of the outbox to what the network is told: what the row is about is looked up last, when
//! everything before it in the conversation is done.

use super::transaction::Stored;
use crate::channel::{Act, Author, Outgoing};
use crate::db::lane::Lane;
use crate::db::link;
use crate::db::outbox::{self, Sending};
use crate::engine::Engine;
use crate::ladder::{Failure, FailureKind, Rung};
use kontor_model::{Error, Result};

/// What a row comes to.
pub(super) enum Resolved {
    /// This.
    Send(Box<Outgoing>),
    /// Nothing is left to do.
    Nothing,
    /// It can never be done.
    Never(Failure),
}

fn unsupported() -> Resolved {
    Resolved::Never(Failure::new(FailureKind::Unsupported, ""))
}

/// # Errors
/// `Unavailable` when the database is gone, `Internal` when the key file is not the right one.
pub(super) async fn resolve(engine: &Engine, lane: &Lane, row: &Sending) -> Result<Resolved> {
    let content = engine.seal().open("outbox", &row.content)?;
    let stored: Stored = serde_json::from_slice(&content).map_err(Error::internal)?;
    let caps = engine.channel.caps_in(&lane.whom);
    let act = match row.act.as_str() {
        "send" => send(engine, stored.clone()).await?,
        "edit" if !caps.edits => return Ok(unsupported()),
        "edit" => match about(engine, &row.target).await? {
            About::Network(remote) => {
                Some(Act::Edit { remote, text: stored.text, html: stored.html.clone() })
            }
            About::Withdrawn => return Ok(Resolved::Nothing),
            About::Unknown => return Ok(unsupported()),
        },
        "delete" => return delete(engine, lane, row, &stored).await,
        "react" if !caps.reactions => return Ok(Resolved::Nothing),
        "react" => match about(engine, &row.target).await? {
            About::Network(remote) => Some(Act::React { remote, key: stored.text }),
            About::Withdrawn | About::Unknown => return Ok(Resolved::Nothing),
        },
        _ => None,
    };
    let Some(act) = act else { return Ok(Resolved::Nothing) };
    Ok(outgoing(engine, lane, row, &stored.sender, stored.ts, act).await)
}

async fn outgoing(engine: &Engine, lane: &Lane, row: &Sending, sender: &str, at: i64, act: Act) -> Resolved {
    let author = Author { user_id: sender.to_owned(), name: engine.name_of(sender).await };
    Resolved::Send(Box::new(Outgoing {
        to: lane.whom.clone(),
        ours: row.ours.clone(),
        part: row.part,
        act,
        author,
        at,
        event_id: row.event_id.clone(),
    }))
}

async fn send(engine: &Engine, stored: Stored) -> Result<Option<Act>> {
    let reply_to = match &stored.reply_to {
        Some(event_id) => link::remote(engine.db(), engine.name(), event_id).await?.map(|(remote, _)| remote),
        None => None,
    };
    Ok(Some(match stored.file {
        Some(file) => Act::File { file: file.into(), reply_to },
        None => Act::Text { text: stored.text, html: stored.html, reply_to },
    }))
}

/// The message of a row whose fate is not known, to be compared with what the network tells of ours.
///
/// # Errors
/// As [`resolve`].
pub(super) fn message(engine: &Engine, row: &Sending) -> Result<Act> {
    let stored: Stored =
        serde_json::from_slice(&engine.seal().open("outbox", &row.content)?).map_err(Error::internal)?;
    Ok(match stored.file {
        Some(file) => Act::File { file: file.into(), reply_to: None },
        None => Act::Text { text: stored.text, html: stored.html, reply_to: None },
    })
}

/// Taking back a message, or a reaction.
async fn delete(engine: &Engine, lane: &Lane, row: &Sending, stored: &Stored) -> Result<Resolved> {
    let caps = engine.channel.caps_in(&lane.whom);
    let targets = outbox::of_event(engine.db(), engine.name(), &row.target).await?;
    if let Some(reaction) = targets.iter().find(|target| target.act == "react") {
        if !caps.reactions || !reaction.standing.rung.is_settled() {
            return Ok(Resolved::Nothing);
        }
        let About::Network(remote) = about(engine, &reaction.target).await? else {
            return Ok(Resolved::Nothing);
        };
        let act = Act::React { remote, key: String::new() };
        return Ok(outgoing(engine, lane, row, &stored.sender, stored.ts, act).await);
    }
    // One row per part of the message: this row's part names which.
    let target = targets.iter().find(|target| target.act == "send" && target.part == row.part);
    let Some(target) = target else { return Ok(Resolved::Nothing) };
    match (&target.remote, target.standing.rung) {
        (_, Rung::Queued | Rung::Failed) => Ok(Resolved::Nothing),
        (Some(remote), _) if caps.deletes => {
            let act = Act::Delete { remote: remote.clone() };
            Ok(outgoing(engine, lane, row, &stored.sender, stored.ts, act).await)
        }
        _ => Ok(unsupported()),
    }
}

enum About {
    Network(String),
    /// It was never sent.
    Withdrawn,
    Unknown,
}

/// Which message of the network an event is.
async fn about(engine: &Engine, event_id: &str) -> Result<About> {
    if let Some((remote, _)) = link::remote(engine.db(), engine.name(), event_id).await? {
        return Ok(About::Network(remote));
    }
    let rows = outbox::of_event(engine.db(), engine.name(), event_id).await?;
    let row = rows.into_iter().find(|row| row.act == "send");
    Ok(match row {
        Some(row) => match (row.remote, row.standing.failure) {
            (Some(remote), _) => About::Network(remote),
            (None, Some(_)) => About::Withdrawn,
            (None, None) => About::Unknown,
        },
        None => About::Unknown,
    })
}
