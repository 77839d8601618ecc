//! Rows of contacts that those backstage were shown, by their numbers, and of suggestions that nobody was
//! told of yet.

use super::cards::visible;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::{Row, text_set};
use kontor_model::{Nid, Result};

/// A contact that those backstage were shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalRow {
    /// The conversation.
    pub conversation: String,
    /// What it is called there.
    pub number: i64,
    /// The contact that was shown.
    pub other: String,
    /// The one that it is by now.
    pub now: String,
}

macro_rules! proposals {
    ($($rest:tt)*) => {
        concat!(
            "SELECT p.conversation_id, p.number, p.other_id, coalesce(o.redirect_to, p.other_id) \
             FROM conversation_proposal p \
             LEFT JOIN contact o ON o.contact_id = p.other_id ",
            $($rest)*
        )
    };
}

fn read(row: &Row) -> Result<ProposalRow> {
    Ok(ProposalRow {
        conversation: row.text(0)?,
        number: row.int(1)?,
        other: row.text(2)?,
        now: row.text(3)?,
    })
}

/// Contacts that were shown in some conversations, in their order.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_conversations<S: Source>(source: &mut S, conversations: &[&str]) -> Result<Vec<ProposalRow>> {
    let sql = proposals!("WHERE p.conversation_id IN TEXT_SET($1) ORDER BY p.conversation_id, p.number");
    source.all(sql, vec![text_set(conversations)]).await?.iter().map(read).collect()
}

/// The contact that a message shows.
///
/// # Errors
/// See [`Source::all`].
pub async fn of_event<S: Source>(source: &mut S, event_id: &str) -> Result<Option<ProposalRow>> {
    let sql = proposals!("JOIN event e ON e.event_nid = p.event_nid WHERE e.event_id = $1");
    source.first(sql, vec![event_id.into()]).await?.as_ref().map(read).transpose()
}

/// A contact that is perhaps the same person as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggested {
    /// The contact that it is by now.
    pub other: String,
    /// Hundredths of a bit.
    pub weight: i64,
    /// Reasons, JSON.
    pub evidence: String,
}

/// Contacts that are perhaps the same person as `contact`, which nobody decided yet; the likeliest first.
///
/// # Errors
/// See [`Source::all`].
pub async fn suggested<S: Source>(source: &mut S, contact: &str, limit: i64) -> Result<Vec<Suggested>> {
    let sql = "WITH m AS (SELECT contact_id FROM contact WHERE contact_id = $1 OR redirect_to = $1), \
               s AS (SELECT s.other AS id, s.weight, s.evidence FROM m JOIN contact_suggestion s \
               ON s.one = m.contact_id WHERE s.state = 'open' UNION ALL \
               SELECT s.one, s.weight, s.evidence FROM m JOIN contact_suggestion s \
               ON s.other = m.contact_id WHERE s.state = 'open') \
               SELECT coalesce(o.redirect_to, o.contact_id), s.weight, s.evidence FROM s \
               JOIN contact o ON o.contact_id = s.id WHERE coalesce(o.redirect_to, o.contact_id) <> $1 \
               ORDER BY s.weight DESC, o.contact_id LIMIT $2";
    let read = |row: &Row| Ok(Suggested { other: row.text(0)?, weight: row.int(1)?, evidence: row.text(2)? });
    source.all(sql, vec![contact.into(), limit.into()]).await?.iter().map(read).collect()
}

/// A suggestion that nobody was told of, after all merges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// How the archive names the pair.
    pub pair: (String, String),
    /// The contacts that they are by now.
    pub now: (String, String),
    /// Reasons, JSON.
    pub evidence: String,
    /// The newest conversation of each that is not closed.
    pub open: (Option<String>, Option<String>),
}

/// Suggestions that nobody was told of yet.
///
/// # Errors
/// See [`Source::all`].
pub async fn untold<S: Source>(source: &mut S, limit: i64) -> Result<Vec<Untold>> {
    macro_rules! newest {
        ($contact:literal) => {
            concat!(
                "(SELECT max(v.conversation_id) FROM contact m JOIN contact_identity i ON i.contact_id = m.contact_id \
                 JOIN conversation v ON v.identity_nid = i.identity_nid WHERE v.status <> 'closed' \
                 AND (m.contact_id = ", $contact, " OR m.redirect_to = ", $contact, "))"
            )
        };
    }
    let sql = concat!(
        "WITH s AS (SELECT s.one, s.other, coalesce(a.redirect_to, s.one) AS a, coalesce(b.redirect_to, s.other) AS b, \
         s.evidence, s.state FROM contact_suggestion s LEFT JOIN contact a ON a.contact_id = s.one \
         LEFT JOIN contact b ON b.contact_id = s.other WHERE s.told = 0 ORDER BY s.one, s.other LIMIT $1) \
         SELECT s.one, s.other, s.a, s.b, s.evidence, \
         CASE WHEN s.state = 'open' AND s.a <> s.b THEN ",
        newest!("s.a"),
        " END, CASE WHEN s.state = 'open' AND s.a <> s.b THEN ",
        newest!("s.b"),
        " END FROM s"
    );
    let read = |row: &Row| {
        Ok(Untold {
            pair: (row.text(0)?, row.text(1)?),
            now: (row.text(2)?, row.text(3)?),
            evidence: row.text(4)?,
            open: (row.text_opt(5)?, row.text_opt(6)?),
        })
    };
    source.all(sql, vec![limit.into()]).await?.iter().map(read).collect()
}

/// Of some pairs of a conversation and a contact, those where everybody backstage may see the contact.
///
/// # Errors
/// See [`Source::all`].
pub async fn may_all_see<S: Source>(
    source: &mut S,
    company: Nid,
    pairs: &[(&str, &str)],
) -> Result<Vec<(String, String)>> {
    let sql = concat!(
        "SELECT v.conversation_id, t.contact_id FROM TEXT_SET($2) x \
         JOIN conversation v ON v.conversation_id = substr(x.text, 1, 26) \
         JOIN contact t ON t.contact_id = substr(x.text, 28) WHERE NOT EXISTS (SELECT 1 \
         FROM membership mm WHERE mm.room_nid = v.backstage_nid AND mm.membership = 'join' AND mm.user_nid <> $1 \
         AND NOT ",
        visible!("mm.user_nid", ""),
        ")"
    );
    // Both ids have 26 letters.
    let pairs: Vec<String> = pairs.iter().map(|(one, other)| format!("{one} {other}")).collect();
    let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
    let rows = source.all(sql, vec![company.into(), text_set(&pairs)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

impl Change {
    /// Notes that those backstage are shown a contact under a number; refused with `Conflict` when the number
    /// or the contact is there already. `event` shows it alone.
    pub fn propose(&mut self, conversation: &str, number: i64, other: &str, event: Option<Nid>) {
        let row = vec![conversation.into(), number.into(), other.into(), event.into()];
        self.insert(Table::ConversationProposal, row);
    }

    /// Suggestions that need not be told any more.
    pub fn suggestions_told<'a>(&mut self, pairs: impl Iterator<Item = &'a (String, String)>) {
        let pairs: Vec<&(String, String)> = pairs.collect();
        let ones: Vec<&str> = pairs.iter().map(|pair| pair.0.as_str()).collect();
        let both: Vec<String> = pairs.iter().map(|pair| format!("{} {}", pair.0, pair.1)).collect();
        let both: Vec<&str> = both.iter().map(String::as_str).collect();
        let sql = "UPDATE contact_suggestion SET told = 1 WHERE told = 0 AND one IN TEXT_SET($1) \
                   AND one || ' ' || other IN TEXT_SET($2)";
        self.run(sql, vec![text_set(&ones), text_set(&both)]);
    }
}
