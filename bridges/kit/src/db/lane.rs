//! Conversations: whose they are, their rooms, and when there is work in them.

use super::value::text_set;
use super::{Change, Db, Row};
use crate::channel::{Profile, Whom};
use crate::matrix::Opened;
use kontor_model::{Language, Ms, Result};

/// A conversation.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub whom: Whom,
    pub home: Option<Home>,
}

/// Where a conversation is at home.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    pub room: String,
    pub conversation: String,
    pub ghost: String,
}

/// Which way work goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    In,
    Out,
}

fn read(row: &Row) -> Result<Lane> {
    let home = match (row.text_opt(5)?, row.text_opt(6)?, row.text_opt(7)?) {
        (Some(room), Some(conversation), Some(ghost)) => Some(Home { room, conversation, ghost }),
        _ => None,
    };
    let whom = Whom {
        lane: row.text(0)?,
        account: row.text(1)?,
        id_type: row.text(2)?,
        external_id: row.text(3)?,
        language: Language::of(&row.text(4)?).unwrap_or_default(),
        last_customer_at: row.int(8)?,
    };
    Ok(Lane { whom, home })
}

/// A conversation by its lane.
///
/// # Errors
/// `Unavailable` when the database is gone; so do all others here.
pub(crate) async fn get(db: &Db, channel: &str, lane: &str) -> Result<Option<Lane>> {
    let sql = "SELECT lane, account, id_type, external_id, language, room, conversation, ghost, \
               last_customer_at FROM lane WHERE channel = $1 AND lane = $2";
    let row = db.first(sql, vec![channel.into(), lane.into()]).await?;
    row.as_ref().map(read).transpose()
}

/// The conversations of rooms.
pub(crate) async fn of_rooms(db: &Db, channel: &str, rooms: &[&str]) -> Result<Vec<Lane>> {
    let sql = "SELECT lane, account, id_type, external_id, language, room, conversation, ghost, \
               last_customer_at FROM lane WHERE room IN TEXT_SET($1) AND channel = $2";
    let rows = db.all(sql, vec![text_set(rooms), channel.into()]).await?;
    rows.iter().map(read).collect()
}

/// Remembers where a conversation is at home.
pub(crate) async fn settle(db: &Db, channel: &str, lane: &str, who: &Profile, at: &Opened) -> Result<()> {
    db.run(
        "UPDATE lane SET account = $3, id_type = $4, external_id = $5, room = $6, conversation = $7, \
         contact = $8, ghost = $9, language = $10 WHERE channel = $1 AND lane = $2",
        vec![
            channel.into(),
            lane.into(),
            (&who.account).into(),
            (&who.id_type).into(),
            (&who.external_id).into(),
            (&at.room_id).into(),
            (&at.conversation_id).into(),
            (&at.contact_id).into(),
            (&at.ghost_user_id).into(),
            at.language.unwrap_or_default().code().into(),
        ],
    )
    .await
    .map(drop)
}

/// Forgets the room, so that it is asked for again; the rest stays.
pub(crate) async fn unsettle(db: &Db, channel: &str, lane: &str) -> Result<()> {
    let sql = "UPDATE lane SET room = NULL WHERE channel = $1 AND lane = $2";
    db.run(sql, vec![channel.into(), lane.into()]).await.map(drop)
}

/// The customer has a new id.
pub(crate) fn moved(change: &mut Change, channel: &str, lane: &str, external_id: &str) {
    let sql = "UPDATE lane SET external_id = $3 WHERE channel = $1 AND lane = $2";
    change.run(sql, vec![channel.into(), lane.into(), external_id.into()]);
}

/// The customer wrote.
pub(crate) fn heard(change: &mut Change, channel: &str, lane: &str, at: Ms) {
    let sql = "UPDATE lane SET last_customer_at = $3 \
               WHERE channel = $1 AND lane = $2 AND last_customer_at < $3";
    change.run(sql, vec![channel.into(), lane.into(), at.into()]);
}

/// Lanes with work at `now`, those that wait longest first.
pub(crate) async fn due(db: &Db, channel: &str, way: Way, now: Ms, limit: usize) -> Result<Vec<String>> {
    let sql = match way {
        Way::In => "SELECT lane FROM lane WHERE channel = $1 AND in_at <= $2 ORDER BY in_at LIMIT $3",
        Way::Out => "SELECT lane FROM lane WHERE channel = $1 AND out_at <= $2 ORDER BY out_at LIMIT $3",
    };
    let limit = i64::try_from(limit).unwrap_or(64);
    let rows = db.all(sql, vec![channel.into(), now.into(), limit.into()]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// When there will be work next.
pub(crate) async fn next(db: &Db, channel: &str, way: Way) -> Result<Option<Ms>> {
    let sql = match way {
        Way::In => "SELECT min(in_at) FROM lane WHERE channel = $1 AND in_at IS NOT NULL",
        Way::Out => "SELECT min(out_at) FROM lane WHERE channel = $1 AND out_at IS NOT NULL",
    };
    db.first(sql, vec![channel.into()]).await?.map_or(Ok(None), |row| row.int_opt(0))
}

/// There is work at `at`, unless it was earlier already.
pub(crate) fn wake(change: &mut Change, channel: &str, lane: &str, way: Way, at: Ms) {
    let sql = match way {
        Way::In => {
            "UPDATE lane SET in_at = CASE WHEN in_at < $3 THEN in_at ELSE $3 END \
             WHERE channel = $1 AND lane = $2"
        }
        Way::Out => {
            "UPDATE lane SET out_at = CASE WHEN out_at < $3 THEN out_at ELSE $3 END \
             WHERE channel = $1 AND lane = $2"
        }
    };
    change.run(sql, vec![channel.into(), lane.into(), at.into()]);
}

/// No work before `at`.
pub(crate) async fn later(db: &Db, channel: &str, lane: &str, way: Way, at: Ms) -> Result<()> {
    let sql = match way {
        Way::In => "UPDATE lane SET in_at = $3 WHERE channel = $1 AND lane = $2",
        Way::Out => "UPDATE lane SET out_at = $3 WHERE channel = $1 AND lane = $2",
    };
    db.run(sql, vec![channel.into(), lane.into(), at.into()]).await.map(drop)
}

/// No work, if that is so.
pub(crate) async fn rest(db: &Db, channel: &str, lane: &str, way: Way) -> Result<()> {
    let sql = match way {
        Way::In => {
            "UPDATE lane SET in_at = NULL WHERE channel = $1 AND lane = $2 AND NOT EXISTS \
             (SELECT 1 FROM inbox WHERE channel = $1 AND lane = $2 AND state = 0)"
        }
        Way::Out => {
            "UPDATE lane SET out_at = NULL WHERE channel = $1 AND lane = $2 AND NOT EXISTS \
             (SELECT 1 FROM outbox WHERE channel = $1 AND lane = $2 AND open = 1)"
        }
    };
    db.run(sql, vec![channel.into(), lane.into()]).await.map(drop)
}
