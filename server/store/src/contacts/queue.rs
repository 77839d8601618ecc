//! Conversations as employees see them: lists and queues, with what the reader may not see left out.

use super::cards::visible;
use super::conversations::{ConversationRow, conversations, read};
use crate::Value;
use crate::db::Source;
use crate::value::text_set;
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
    /// Whose customer waits for an answer.
    pub waiting: bool,
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

/// How many conversations are looked at for one page at most, besides those that it could hold: what a page costs does
/// not grow with the company.
const LOOK: i64 = 2_000;

/// A place in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Since when the customer waits, in lists of those who wait.
    pub since: Ms,
    /// The conversation.
    pub id: String,
}

/// A page of a list.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Conversations.
    pub rows: Vec<ConversationRow>,
    /// After what the list goes on, if it does. A page may be short, or empty, and yet not the last one.
    pub next: Option<Place>,
}

macro_rules! wanted {
    () => {
        " AND ($3 IS NULL OR v.status = $3) AND ($4 IS NULL OR v.assignee_nid = $4) \
         AND ($5 = 0 OR (v.assignee_nid IS NULL AND ($3 IS NOT NULL OR v.status <> 'closed'))) AND ($6 IS NULL OR v.channel_id = $6) \
         AND ($7 IS NULL OR t.contact_id = $7) "
    };
}

/// The next conversations that an index gives for what is wanted, whether they are seen or not: the statement and what
/// it asks for besides place and number.
pub(super) fn candidates(wanted: &Wanted) -> (&'static str, Option<Value>) {
    macro_rules! next {
        ($from:literal) => {
            concat!(
                "SELECT v.conversation_id, CAST(0 AS BIGINT) FROM ",
                $from,
                " AND v.conversation_id > $1 ORDER BY v.conversation_id LIMIT $2"
            )
        };
    }
    let status = wanted.status.as_deref();
    if let Some(contact) = &wanted.contact {
        let sql = next!(
            "contact_identity i JOIN conversation v ON v.identity_nid = i.identity_nid WHERE i.contact_id = $3"
        );
        return (sql, Some(contact.as_str().into()));
    }
    if let Some(assignee) = wanted.assignee {
        return (next!("conversation v WHERE v.assignee_nid = $3"), Some(assignee.into()));
    }
    if wanted.unassigned && status != Some("closed") {
        return (next!("conversation v WHERE v.assignee_nid IS NULL AND v.status <> 'closed'"), None);
    }
    if let Some(channel) = &wanted.channel {
        return (next!("conversation v WHERE v.channel_id = $3"), Some(channel.as_str().into()));
    }
    if let Some(status) = status {
        return (next!("conversation v WHERE v.status = $3"), Some(status.into()));
    }
    (next!("conversation v WHERE 1 = 1"), None)
}

/// Conversations that the reader may see in the order in which they were opened, or, if only those are wanted whose
/// customer waits, the longest wait first; after a place.
///
/// # Errors
/// See [`Source::all`].
pub async fn page<S: Source>(
    source: &mut S,
    reader: Reader,
    wanted: &Wanted,
    after: &Place,
    limit: i64,
) -> Result<Listed> {
    let mut rows: Vec<ConversationRow> = Vec::new();
    let mut place = after.clone();
    // Most pages are full of what comes first.
    for look in [limit + 1, LOOK] {
        let room = limit - i64::try_from(rows.len()).unwrap_or(limit);
        let ahead = ahead(source, wanted, &place, look).await?;
        let found = seen(source, reader, wanted, &ahead, room).await?;
        let full = i64::try_from(found.len()).is_ok_and(|found| found == room);
        rows.extend(found);
        let end = ahead.last().cloned();
        let shown =
            rows.last().filter(|_| full).and_then(|row| ahead.iter().find(|place| place.id == row.id));
        let Some(last) = shown.cloned().or_else(|| end.clone()) else {
            return Ok(Listed { rows, next: None });
        };
        let all = i64::try_from(ahead.len()).is_ok_and(|seen| seen < look);
        if all && Some(&last) == end.as_ref() {
            return Ok(Listed { rows, next: None });
        }
        place = last;
        if full {
            break;
        }
    }
    Ok(Listed { rows, next: Some(place) })
}

pub(super) const WAITING: &str = "SELECT conversation_id, waits_ts FROM conversation WHERE waits_ts IS NOT NULL \
    AND (waits_ts, conversation_id) > ($3, $1) ORDER BY waits_ts, conversation_id LIMIT $2";

async fn ahead<S: Source>(source: &mut S, wanted: &Wanted, after: &Place, look: i64) -> Result<Vec<Place>> {
    let rows = if wanted.waiting {
        source.all(WAITING, vec![after.id.as_str().into(), look.into(), after.since.into()]).await?
    } else {
        let (sql, asked) = candidates(wanted);
        let mut values = vec![after.id.as_str().into(), look.into()];
        values.extend(asked);
        source.all(sql, values).await?
    };
    rows.iter().map(|row| Ok(Place { id: row.text(0)?, since: row.int(1)? })).collect()
}

/// Of some conversations those that are wanted and seen, in their order.
async fn seen<S: Source>(
    source: &mut S,
    reader: Reader,
    wanted: &Wanted,
    among: &[Place],
    limit: i64,
) -> Result<Vec<ConversationRow>> {
    let ids: Vec<&str> = among.iter().map(|place| place.id.as_str()).collect();
    let values = vec![
        reader.user.into(),
        reader.admin.into(),
        wanted.status.as_deref().into(),
        wanted.assignee.into(),
        wanted.unassigned.into(),
        wanted.channel.as_deref().into(),
        wanted.contact.as_deref().into(),
        text_set(&ids),
        limit.into(),
    ];
    let sql = match wanted.waiting {
        false => conversations!(
            "WHERE v.conversation_id IN TEXT_SET($8) AND ",
            visible!(),
            wanted!(),
            "ORDER BY v.conversation_id LIMIT $9"
        ),
        true => conversations!(
            "WHERE v.conversation_id IN TEXT_SET($8) AND v.waits_ts IS NOT NULL AND ",
            visible!(),
            wanted!(),
            "ORDER BY v.waits_ts, v.conversation_id LIMIT $9"
        ),
    };
    source.all(sql, values).await?.iter().map(read).collect()
}
