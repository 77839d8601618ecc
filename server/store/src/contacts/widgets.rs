//! The way through backstage rooms that are to show the card, or another one, or none any more.

use crate::Change;
use crate::db::Source;
use crate::value::Row;
use kontor_model::Result;

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Where cards are, empty when none are shown.
    pub base: String,
    /// The last conversation whose room shows it so; none when all do.
    pub at: Option<String>,
}

/// How far it is; nothing before the first time.
///
/// # Errors
/// See [`Source::all`].
pub async fn walk<S: Source>(source: &mut S) -> Result<Option<Walk>> {
    let row = source.first("SELECT base, at FROM conversation_widget WHERE one = 1", Vec::new()).await?;
    row.map(|row| Ok(Walk { base: row.text(0)?, at: row.text_opt(1)? })).transpose()
}

/// A conversation on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backstage {
    /// Its id.
    pub conversation: String,
    /// The backstage room, Matrix id.
    pub room_id: String,
    /// Language: the contact's, else the channel's.
    pub language: Option<String>,
}

/// The next conversations on the way.
///
/// # Errors
/// See [`Source::all`].
pub async fn ahead<S: Source>(source: &mut S, at: &str, limit: i64) -> Result<Vec<Backstage>> {
    let sql = "SELECT v.conversation_id, r.room_id, coalesce(t.language, c.language) FROM conversation v \
               JOIN room r ON r.room_nid = v.backstage_nid \
               JOIN contact_identity i ON i.identity_nid = v.identity_nid \
               JOIN contact t ON t.contact_id = i.contact_id LEFT JOIN channel c ON c.channel_id = v.channel_id \
               WHERE v.conversation_id > $1 ORDER BY v.conversation_id LIMIT $2";
    let read = |row: &Row| {
        Ok(Backstage { conversation: row.text(0)?, room_id: row.text(1)?, language: row.text_opt(2)? })
    };
    source.all(sql, vec![at.into(), limit.into()]).await?.iter().map(read).collect()
}

impl Change {
    /// Begins anew, with cards at another place.
    pub fn begin_widgets(&mut self, base: &str) {
        let sql = "INSERT INTO conversation_widget (one, base, at) VALUES (1, $1, '') \
                   ON CONFLICT (one) DO UPDATE SET base = excluded.base, at = excluded.at";
        self.run(sql, vec![base.into()]);
    }

    /// Goes on from a place to the next, or to the end; refused with `Conflict` when another process was there
    /// first.
    pub fn walk_widgets(&mut self, base: &str, from: &str, to: Option<&str>) {
        let sql = "UPDATE conversation_widget SET at = $3 WHERE one = 1 AND base = $1 AND at = $2";
        self.guard(sql, vec![base.into(), from.into(), to.into()]);
    }
}
