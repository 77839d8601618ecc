//! Notices of the server: the room of each person, and rounds to everybody.

use crate::Change;
use crate::db::Source;
use crate::table::Table;
use kontor_model::{Ms, Nid, Result};

/// A notice on its way to everybody.
#[derive(Clone, Debug)]
pub struct RoundRow {
    /// Numeric id.
    pub notice: Nid,
    /// Content of the message, JSON.
    pub content: String,
    /// Accounts up to this one have it.
    pub after: Nid,
}

/// The room in which the server tells somebody something.
///
/// # Errors
/// See [`Source::all`].
pub async fn room_of<S: Source>(source: &mut S, user: Nid) -> Result<Option<String>> {
    let sql = "SELECT room_id FROM notice_room WHERE user_nid = $1";
    source.first(sql, vec![user.into()]).await?.map(|row| row.text(0)).transpose()
}

/// The oldest notice that not everybody has.
///
/// # Errors
/// See [`Source::all`].
pub async fn next_round<S: Source>(source: &mut S) -> Result<Option<RoundRow>> {
    let sql = "SELECT notice_nid, content, after_nid FROM notice_round ORDER BY notice_nid LIMIT 1";
    let row = source.first(sql, Vec::new()).await?;
    row.map(|row| Ok(RoundRow { notice: row.int(0)?, content: row.text(1)?, after: row.int(2)? })).transpose()
}

/// People who can be told something: numeric ids above `after`, in that order, with user ids. Not
/// guests, not closed accounts, and not the server's own.
///
/// # Errors
/// See [`Source::all`].
pub async fn people<S: Source>(source: &mut S, after: Nid, limit: i64) -> Result<Vec<(Nid, String)>> {
    let sql = "SELECT a.user_nid, n.text FROM account a JOIN name n ON n.nid = a.user_nid \
               WHERE a.user_nid > $1 AND a.state <> 'deactivated' AND a.guest = 0 \
               AND (a.user_type IS NULL OR a.user_type <> 'service') ORDER BY a.user_nid LIMIT $2";
    let rows = source.all(sql, vec![after.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.text(1)?))).collect()
}

impl Change {
    /// Notes somebody's room.
    pub fn set_notice_room(&mut self, user: Nid, room_id: &str) {
        self.insert(Table::NoticeRoom, vec![user.into(), room_id.into()]);
    }

    /// Begins a round.
    pub fn begin_notice_round(&mut self, notice: Nid, content: &str, now: Ms) {
        self.insert(Table::NoticeRound, vec![notice.into(), content.into(), 0_i64.into(), now.into()]);
    }

    /// Accounts up to this one have the notice.
    pub fn move_notice_round(&mut self, notice: Nid, after: Nid) {
        let sql = "UPDATE notice_round SET after_nid = $2 WHERE notice_nid = $1";
        self.run(sql, vec![notice.into(), after.into()]);
    }

    /// Everybody has the notice.
    pub fn end_notice_round(&mut self, notice: Nid) {
        self.run("DELETE FROM notice_round WHERE notice_nid = $1", vec![notice.into()]);
    }
}
