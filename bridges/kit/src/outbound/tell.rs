//! Rooms are told where agents' messages stand, and administrators and agents what needs them.

use crate::db::inbox::{self, Dead};
use crate::db::outbox::{self, Sending};
use crate::db::{Change, lane, notice};
use crate::engine::Engine;
use crate::ladder::{FailureKind, Rung, Standing};
use crate::matrix::HomeError;
use crate::steps::Step;
use crate::{ids, json, text};
use kontor_model::{Language, Ms, Result};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Changes within so long are told as one, milliseconds.
const REST: Ms = 1000;

/// Tells until `closing`.
pub(crate) async fn work(engine: Arc<Engine>, mut closing: watch::Receiver<bool>) {
    while !*closing.borrow() {
        if engine.home_gate.closed(engine.now()).is_none()
            && let Err(error) = round(&engine).await
        {
            tracing::error!(channel = engine.name(), ?error, "Rooms cannot be told where messages stand.");
        }
        tokio::select! {
            () = engine.tell_news.notified() => {}
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
            _ = closing.changed() => {}
        }
    }
}

async fn round(engine: &Engine) -> Result<()> {
    let mut told = HashSet::new();
    for row in outbox::to_tell(engine.db(), engine.name(), engine.now() - REST).await? {
        if row.act == "send" && !told.insert(row.event_id.clone()) {
            continue;
        }
        if let Err(error) = one(engine, &row).await? {
            engine.home_failed(&error);
            return Ok(());
        }
    }
    for dead in inbox::dead_to_tell(engine.db(), engine.name()).await? {
        if let Err(error) = bury(engine, &dead).await? {
            engine.home_failed(&error);
            return Ok(());
        }
    }
    Ok(())
}

/// `Err` inside when the homeserver is away; what it refuses is logged and not told again.
type Told = std::result::Result<(), HomeError>;

fn given_up(engine: &Engine, error: HomeError) -> Told {
    match error {
        HomeError::Refused { errcode, text } => {
            tracing::error!(channel = engine.name(), errcode, text, "A room cannot be told what happened.");
            Ok(())
        }
        away => Err(away),
    }
}

/// Where an event stands as a whole: the worst of its parts.
fn whole(rows: &[Sending]) -> Option<&Sending> {
    let urgency = |row: &&Sending| match row.standing.rung {
        Rung::Failed => 0,
        Rung::Uncertain => 1,
        other => 2 + other.number(),
    };
    rows.iter().filter(|row| row.act == "send").min_by_key(urgency)
}

async fn one(engine: &Engine, row: &Sending) -> Result<Told> {
    let lane = lane::get(engine.db(), engine.name(), &row.lane).await?;
    let language = lane.map_or(engine.config.language, |lane| lane.whom.language);
    let rows = outbox::of_event(engine.db(), engine.name(), &row.event_id).await?;
    let shown = if row.act == "send" { whole(&rows).unwrap_or(row) } else { row };
    let mut change = Change::default();
    let mut said = Ok(());
    if row.act == "send" {
        said = status(engine, shown, language).await;
    }
    for part in rows.iter().filter(|part| part.act == row.act && part.changed_at <= engine.now()) {
        if said.is_ok() {
            said = notify(engine, part, language).await;
        }
        outbox::told(&mut change, part);
    }
    match said {
        Ok(()) => {}
        Err(error) => match given_up(engine, error) {
            Ok(()) => {}
            away => return Ok(away),
        },
    }
    engine.reached(Step::Told).await;
    engine.db().write(change).await?;
    Ok(Ok(()))
}

/// The delivery status, for clients that show it. Nothing above what the network ever reports.
async fn status(engine: &Engine, row: &Sending, language: Language) -> Told {
    let rung = match row.standing.rung {
        rung @ (Rung::Failed | Rung::Uncertain) => rung,
        rung => rung.min(engine.caps.best_receipt),
    };
    let mut content = json!({ "rung": rung.name() });
    json::set(&mut content, "m.relates_to", json!({ "rel_type": "m.reference", "event_id": row.event_id }));
    if let Standing { failure: Some(failure), rung: Rung::Failed } = &row.standing {
        json::set(
            &mut content,
            "error",
            json!({
                "kind": failure.kind,
                "code": failure.code,
                "text": failure.text,
                "next": text::failed(language, failure),
            }),
        );
    }
    let txn = ids::note(engine.name(), &["delivery", &row.ours, &row.changed_at.to_string()]);
    engine.say(&row.room, "dev.kontor.delivery", &txn, &content).await.map(drop)
}

/// What an agent should not miss, as a notice.
async fn notify(engine: &Engine, row: &Sending, language: Language) -> Told {
    let at = row.changed_at.to_string();
    let txn = |what: &str| ids::note(engine.name(), &[what, &row.ours, &at]);
    match (&row.standing.failure, row.standing.rung) {
        (Some(failure), Rung::Failed) if failure.kind != FailureKind::Withdrawn => {
            let content = answer(row, text::failed(language, failure), "failed");
            engine.say(&row.room, "m.room.message", &txn("failed"), &content).await.map(drop)
        }
        (_, Rung::Uncertain) if !row.open => {
            let content = answer(row, text::uncertain(language), "uncertain");
            let about = (notice::UNCERTAIN, row.id);
            ask(engine, &row.room, (&txn("uncertain"), &content), about, &[text::AGAIN, text::ARRIVED]).await
        }
        (_, Rung::Queued) if row.waiting => {
            let content = answer(row, text::waiting(language), "waiting");
            let txn = ids::note(engine.name(), &["waiting", &row.ours]);
            engine.say(&row.room, "m.room.message", &txn, &content).await.map(drop)
        }
        _ => Ok(()),
    }
}

/// Asks something by a notice with buttons. What a button is for is known before it shows: nobody presses it in vain.
async fn ask(
    engine: &Engine,
    room: &str,
    (txn, content): (&str, &Value),
    (kind, about): (&str, i64),
    buttons: &[&str],
) -> Told {
    let event_id = engine.say(room, "m.room.message", txn, content).await?;
    let mut change = Change::default();
    notice::add(&mut change, engine.name(), &event_id, kind, about, engine.now());
    engine.db().write(change).await.map_err(|error| HomeError::away(error.message))?;
    for button in buttons {
        press_here(engine, room, &event_id, button).await?;
    }
    Ok(())
}

/// Shows a button: a reaction that somebody else need only repeat.
async fn press_here(engine: &Engine, room: &str, event_id: &str, key: &str) -> Told {
    let mut content = json!({});
    json::set(
        &mut content,
        "m.relates_to",
        json!({ "rel_type": "m.annotation", "event_id": event_id, "key": key }),
    );
    let txn = ids::note(engine.name(), &["button", event_id, key]);
    engine.say(room, "m.reaction", &txn, &content).await.map(drop)
}

fn answer(row: &Sending, body: String, what: &str) -> Value {
    let target = if row.act == "send" { &row.event_id } else { &row.target };
    json!({
        "msgtype": "m.notice",
        "body": body,
        "dev.kontor.notice": what,
        "m.relates_to": { "m.in_reply_to": { "event_id": target } },
    })
}

/// A dead item: told in its room, or to the administrators.
async fn bury(engine: &Engine, dead: &Dead) -> Result<Told> {
    let lane = lane::get(engine.db(), engine.name(), &dead.lane).await?;
    let language = lane.as_ref().filter(|lane| lane.home.is_some()).map(|lane| lane.whom.language);
    let home = lane.and_then(|lane| lane.home).map(|home| home.room);
    let mut change = Change::default();
    inbox::told(&mut change, dead.id);
    if let Some(room) = home.or_else(|| engine.config.admin_room.clone()) {
        let body = text::dead(language.unwrap_or(engine.config.language), dead.id);
        let content = json!({ "msgtype": "m.notice", "body": body, "dev.kontor.notice": "dead" });
        let replays = dead.replays.to_string();
        let txn = ids::note(engine.name(), &["dead", &dead.key, &replays]);
        let asked = ask(engine, &room, (&txn, &content), (notice::DEAD, dead.id), &[text::AGAIN]).await;
        if let Err(error) = asked
            && let Err(away) = given_up(engine, error)
        {
            return Ok(Err(away));
        }
    }
    engine.db().write(change).await?;
    Ok(Ok(()))
}
