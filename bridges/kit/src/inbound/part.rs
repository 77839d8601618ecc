//! One thing that an item says, done in its room.

use super::{Leaves, Stop, content, linked, open};
use crate::channel::{Body, Message, Part, Party, Profile, Receipt};
use crate::db::inbox::Taken;
use crate::db::lane::{self, Home, Lane};
use crate::db::{link, media};
use crate::engine::Engine;
use crate::matrix::As;
use crate::steps::Step;
use crate::{ids, json, outbound, text};
use kontor_model::Ms;
use serde_json::{Value, json};

/// How long to wait for a message that something is about, milliseconds.
const FOR_MESSAGE: Ms = 30_000;
/// How long a receipt waits for the answer that it belongs to.
const FOR_ANSWER: Ms = 600_000;
/// What came so long after it was written is called late.
const LATE: Ms = 300_000;

/// Which part of which item is being done.
pub(super) struct Spot<'a> {
    pub taken: &'a Taken,
    pub index: usize,
    /// Nothing is waited for any more.
    pub last: bool,
}

impl Spot<'_> {
    fn lane(&self) -> &str {
        &self.taken.item.lane
    }

    /// The transaction id of what this part says; after a replay what failed before is said anew by the
    /// same id, so that what got through then is not said twice.
    fn txn(&self, engine: &Engine, what: &str) -> String {
        ids::inbound(engine.name(), &self.taken.item.key, &format!("{}{what}", self.index))
    }

    /// Not yet, or never.
    fn not_yet(&self, patience: Ms) -> Result<(), Stop> {
        if self.last { Ok(()) } else { Err(Stop::NotYet { patience }) }
    }
}

pub(super) async fn apply(
    engine: &Engine,
    spot: &Spot<'_>,
    part: &Part,
    leaves: &mut Leaves,
) -> Result<(), Stop> {
    match part {
        Part::Message(message) => written(engine, spot, message, leaves).await,
        Part::Edit { remote, party, body } => edit(engine, spot, remote, party, body, leaves).await,
        Part::Delete { remote, .. } => delete(engine, spot, remote, leaves).await,
        Part::Reaction { remote, key, .. } => reaction(engine, spot, remote, key, leaves).await,
        Part::Receipt(about) => receipt(engine, spot, about, leaves).await,
        Part::Typing(on) => {
            if let Some(home) = lane::get(engine.db(), engine.name(), spot.lane()).await?.and_then(|l| l.home)
            {
                let _ = engine.home().typing(&home.room, &home.ghost, *on).await;
            }
            Ok(())
        }
        Part::Profile(profile) => described(engine, spot, profile).await,
        Part::Consents(consents) => {
            let (_, home) = open::home(engine, spot.lane(), None).await?;
            engine.directory.consents(&home.conversation, consents).await.map_err(open::stop)
        }
        Part::Moved { external_id } => {
            if let Some(home) = lane::get(engine.db(), engine.name(), spot.lane()).await?.and_then(|l| l.home)
            {
                engine.directory.moved(&home.conversation, external_id).await.map_err(open::stop)?;
            }
            lane::moved(&mut leaves.change, engine.name(), spot.lane(), external_id);
            Ok(())
        }
        Part::Unsupported { what, from, .. } => {
            let say = |lane: &Lane| text::unsupported(lane.whom.language, what);
            notice(engine, spot, from.as_ref(), say, &serde_json::Map::new()).await
        }
        Part::Notice { text, facts, from } => {
            notice(engine, spot, from.as_ref(), |_| text.clone(), facts).await
        }
        Part::Ignore => Ok(()),
    }
}

async fn written(
    engine: &Engine,
    spot: &Spot<'_>,
    message: &Message,
    leaves: &mut Leaves,
) -> Result<(), Stop> {
    match &message.party {
        Party::Customer => {}
        Party::Company { .. } => {}
        Party::Echo { ours } => {
            let mut receipt = Receipt {
                ours: ours.clone(),
                remote: Some(message.remote.clone()),
                standing: crate::Standing::at(crate::Rung::Accepted),
                up_to: false,
            };
            let mut found = outbound::heard(engine, spot.lane(), &receipt, leaves).await?;
            if !found && ours.is_none() {
                receipt.ours = outbound::alike(engine, spot.lane(), &message.body).await?;
                found =
                    receipt.ours.is_some() && outbound::heard(engine, spot.lane(), &receipt, leaves).await?;
            }
            // With our key it can only be ours; without, it may be ours that has no answer yet.
            if found || ours.is_some() {
                return if found { Ok(()) } else { spot.not_yet(FOR_ANSWER) };
            }
            spot.not_yet(FOR_MESSAGE)?;
        }
    }
    post(engine, spot, message, leaves).await
}

/// A message in the room.
async fn post(engine: &Engine, spot: &Spot<'_>, message: &Message, leaves: &mut Leaves) -> Result<(), Stop> {
    let customer = message.party == Party::Customer;
    let (lane, home) = open::home(engine, spot.lane(), Some(&message.from)).await?;
    let mut content = content::of(&message.body);
    content::origin(&mut content, engine.name(), spot, Some(&message.remote));
    if let Some(remote) = &message.reply_to {
        let events = link::events(engine.db(), engine.name(), spot.lane(), remote).await?;
        match (events.first(), &message.quote) {
            (Some((event_id, _)), _) => content::in_reply_to(&mut content, event_id),
            (None, Some(quote)) => content::quoting(&mut content, quote),
            (None, None) => {}
        }
    }
    if !customer {
        let name = match &message.party {
            Party::Company { name } => name.as_deref(),
            _ => None,
        };
        let body = json::text(&content, "body").to_owned();
        json::set(
            &mut content,
            "body",
            json!(format!("{}: {body}", text::by_company(lane.whom.language, name))),
        );
    }
    let ts = Some(spot.taken.item.at).filter(|at| *at > 0);
    let by = As { user: customer.then_some(home.ghost.as_str()), ts };
    let txn = spot.txn(engine, "");
    let event_id = engine.home().send(&home.room, "m.room.message", &txn, by, &content).await?;
    engine.reached(Step::Posted).await;
    if let Body::File(file) = &message.body {
        let at = (spot.lane(), home.room.as_str(), event_id.as_str());
        media::want(&mut leaves.change, engine.name(), engine.seal(), at, file, engine.now())?;
        leaves.media = true;
    }
    let author = if customer { link::CUSTOMER } else { link::COMPANY };
    late(engine, spot, &lane, &home, &event_id).await?;
    linked(engine, spot.lane(), &message.remote, 0, event_id, author, leaves);
    Ok(())
}

/// Says that a message was on its way for long: its time in the room is the one when it was written.
async fn late(
    engine: &Engine,
    spot: &Spot<'_>,
    lane: &Lane,
    home: &Home,
    event_id: &str,
) -> Result<(), Stop> {
    let item = &spot.taken.item;
    if item.at <= 0 || spot.taken.received_at - item.at < LATE {
        return Ok(());
    }
    let mut content = json!({ "msgtype": "m.notice", "body": text::late(lane.whom.language) });
    content::in_reply_to(&mut content, event_id);
    json::set(&mut content, "dev.kontor.notice", json!("late"));
    engine.say(&home.room, "m.room.message", &spot.txn(engine, "late"), &content).await?;
    Ok(())
}

async fn edit(
    engine: &Engine,
    spot: &Spot<'_>,
    remote: &str,
    party: &Party,
    body: &Body,
    leaves: &mut Leaves,
) -> Result<(), Stop> {
    let events = link::events(engine.db(), engine.name(), spot.lane(), remote).await?;
    let Some((event_id, author)) = events.first() else {
        spot.not_yet(FOR_MESSAGE)?;
        // The message never came: what it says now is better than nothing.
        let from = Profile::default();
        let (remote, party, body) = (remote.to_owned(), party.clone(), body.clone());
        let message = Message { remote, party, body, reply_to: None, quote: None, from };
        return match lane::get(engine.db(), engine.name(), spot.lane()).await?.and_then(|lane| lane.home) {
            Some(_) => Box::pin(post(engine, spot, &message, leaves)).await,
            None => Ok(()),
        };
    };
    // An agent's own message is changed in the room already.
    if author == link::AGENT {
        return Ok(());
    }
    let (_, home) = open::home(engine, spot.lane(), None).await?;
    let mut content = content::replacing(content::of(body), event_id);
    content::origin(&mut content, engine.name(), spot, Some(remote));
    let by = As {
        user: (author == link::CUSTOMER).then_some(home.ghost.as_str()),
        ts: Some(spot.taken.item.at).filter(|at| *at > 0),
    };
    let txn = spot.txn(engine, "");
    let change_id = engine.home().send(&home.room, "m.room.message", &txn, by, &content).await?;
    engine.reached(Step::Posted).await;
    if let Body::File(file) = body {
        let _ = change_id;
        let at = (spot.lane(), home.room.as_str(), event_id.as_str());
        media::want(&mut leaves.change, engine.name(), engine.seal(), at, file, engine.now())?;
        leaves.media = true;
    }
    Ok(())
}

async fn delete(engine: &Engine, spot: &Spot<'_>, remote: &str, leaves: &mut Leaves) -> Result<(), Stop> {
    let events = link::events(engine.db(), engine.name(), spot.lane(), remote).await?;
    if events.is_empty() {
        return spot.not_yet(FOR_MESSAGE);
    }
    let (_, home) = open::home(engine, spot.lane(), None).await?;
    for (index, (event_id, author)) in events.iter().enumerate() {
        let user = (author == link::CUSTOMER).then_some(home.ghost.as_str());
        let txn = spot.txn(engine, &format!("d{index}"));
        engine.home().redact(&home.room, event_id, &txn, As { user, ts: None }).await?;
    }
    engine.reached(Step::Posted).await;
    link::remove(&mut leaves.change, engine.name(), spot.lane(), remote);
    Ok(())
}

/// The link under which the customer's reaction to a message is found again.
fn reaction_link(remote: &str) -> String {
    format!("\u{1}reaction:{remote}")
}

async fn reaction(
    engine: &Engine,
    spot: &Spot<'_>,
    remote: &str,
    key: &str,
    leaves: &mut Leaves,
) -> Result<(), Stop> {
    let events = link::events(engine.db(), engine.name(), spot.lane(), remote).await?;
    let Some((event_id, _)) = events.first() else { return spot.not_yet(FOR_MESSAGE) };
    let (_, home) = open::home(engine, spot.lane(), None).await?;
    let by = As { user: Some(home.ghost.as_str()), ts: None };
    let own = reaction_link(remote);
    for (before, _) in link::events(engine.db(), engine.name(), spot.lane(), &own).await? {
        engine.home().redact(&home.room, &before, &spot.txn(engine, "u"), by).await?;
    }
    link::remove(&mut leaves.change, engine.name(), spot.lane(), &own);
    if key.is_empty() {
        return Ok(());
    }
    let mut content = json!({});
    json::set(
        &mut content,
        "m.relates_to",
        json!({ "rel_type": "m.annotation", "event_id": event_id, "key": key }),
    );
    content::origin(&mut content, engine.name(), spot, None);
    let txn = spot.txn(engine, "");
    let event_id = engine.home().send(&home.room, "m.reaction", &txn, by, &content).await?;
    engine.reached(Step::Posted).await;
    linked(engine, spot.lane(), &own, 0, event_id, link::CUSTOMER, leaves);
    Ok(())
}

async fn receipt(engine: &Engine, spot: &Spot<'_>, about: &Receipt, leaves: &mut Leaves) -> Result<(), Stop> {
    if outbound::heard(engine, spot.lane(), about, leaves).await? {
        return Ok(());
    }
    spot.not_yet(FOR_ANSWER)
}

async fn described(engine: &Engine, spot: &Spot<'_>, profile: &Profile) -> Result<(), Stop> {
    let (_, home) = open::tell(engine, spot.lane(), profile.clone()).await?;
    if !profile.claims.is_empty() {
        engine.directory.claims(&home.conversation, &profile.claims).await.map_err(open::stop)?;
    }
    Ok(())
}

async fn notice(
    engine: &Engine,
    spot: &Spot<'_>,
    from: Option<&Profile>,
    say: impl FnOnce(&Lane) -> String,
    facts: &serde_json::Map<String, Value>,
) -> Result<(), Stop> {
    let (lane, home) = match open::home(engine, spot.lane(), from).await {
        // Nobody knows whose it is, and nobody will.
        Err(Stop::NotYet { .. }) if spot.last => return Ok(()),
        found => found?,
    };
    let mut content = json!({ "msgtype": "m.notice", "body": say(&lane) });
    json::set(&mut content, "dev.kontor.notice", json!("network"));
    content::origin(&mut content, engine.name(), spot, None);
    if let Some(fields) = content.as_object_mut() {
        fields.extend(
            facts
                .iter()
                .filter(|(name, _)| name.starts_with("dev.kontor."))
                .map(|(k, v)| (k.clone(), v.clone())),
        );
    }
    engine.say(&home.room, "m.room.message", &spot.txn(engine, ""), &content).await?;
    engine.reached(Step::Posted).await;
    Ok(())
}
