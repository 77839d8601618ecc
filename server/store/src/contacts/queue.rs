//! Conversations as employees see them: lists and queues, with what the reader may not see left out.

use super::cards::visible;
use super::conversations::{ConversationRow, conversations, read};
use crate::db::Source;
use kontor_model::{Ms, Nid, Result};

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// The account.
    pub user: Nid,
    /// Whether it administers the server, and so sees everything.
    pub admin: bool,
}

/// Which conversations are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this status.
    pub status: Option<String>,
    /// With this employee.
    pub assignee: Option<Nid>,
    /// With nobody; closed ones only if their status is asked for.
    pub unassigned: bool,
    /// Of this channel.
    pub channel: Option<String>,
    /// Of this contact.
    pub contact: Option<String>,
}

/// A conversation, if the reader may see it.
///
/// # Errors
/// See [`Source::all`].
pub async fn one<S: Source>(source: &mut S, reader: Reader, id: &str) -> Result<Option<ConversationRow>> {
    let sql = conversations!("WHERE v.conversation_id = $3 AND ", visible!());
    let values = vec![reader.user.into(), reader.admin.into(), id.into()];
    source.first(sql, values).await?.as_ref().map(read).transpose()
}

macro_rules! wanted {
    () => {
        " AND ($3 IS NULL OR v.status = $3) AND ($4 IS NULL OR v.assignee_nid = $4) \
         AND ($5 = 0 OR (v.assignee_nid IS NULL AND ($3 IS NOT NULL OR v.status <> 'closed'))) AND ($6 IS NULL OR v.channel_id = $6) \
         AND ($7 IS NULL OR t.contact_id = $7) "
    };
}

fn values(reader: Reader, wanted: &Wanted) -> Vec<crate::Value> {
    vec![
        reader.user.into(),
        reader.admin.into(),
        wanted.status.as_deref().into(),
        wanted.assignee.into(),
        wanted.unassigned.into(),
        wanted.channel.as_deref().into(),
        wanted.contact.as_deref().into(),
    ]
}

/// Conversations in the order in which they were opened, after one of them.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_opening<S: Source>(
    source: &mut S,
    reader: Reader,
    wanted: &Wanted,
    after: &str,
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    let sql = conversations!(
        "WHERE v.conversation_id > $8 AND ",
        visible!(),
        wanted!(),
        "ORDER BY v.conversation_id LIMIT $9"
    );
    let mut values = values(reader, wanted);
    values.extend([after.into(), limit.into()]);
    source.all(sql, values).await?.iter().map(read).collect()
}

/// Conversations whose customer waits, the longest wait first, after one of them.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_waiting<S: Source>(
    source: &mut S,
    reader: Reader,
    wanted: &Wanted,
    after: (Ms, &str),
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    let sql = conversations!(
        "WHERE v.waits_ts IS NOT NULL AND (v.waits_ts > $8 OR (v.waits_ts = $8 AND v.conversation_id > $9)) AND ",
        visible!(),
        wanted!(),
        "ORDER BY v.waits_ts, v.conversation_id LIMIT $10"
    );
    let mut values = values(reader, wanted);
    values.extend([after.0.into(), after.1.into(), limit.into()]);
    source.all(sql, values).await?.iter().map(read).collect()
}
