//! Rows of suggestions: what finds contacts that are perhaps one, and what was found.

use crate::Change;
use crate::db::Source;
use crate::value::{Row, text_set};
use kontor_model::{Ms, Result};
use std::collections::BTreeMap;

/// Contacts that are to be weighed anew, each with since when, in the order of their ids.
///
/// # Errors
/// See [`Source::all`].
pub async fn due<S: Source>(source: &mut S, limit: i64) -> Result<Vec<(String, Ms)>> {
    let sql = "SELECT contact_id, since_ts FROM contact_due ORDER BY contact_id LIMIT $1";
    let rows = source.all(sql, vec![limit.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
}

/// How many contacts there are, merged ones not counted.
///
/// # Errors
/// See [`Source::all`].
pub async fn contacts<S: Source>(source: &mut S) -> Result<i64> {
    let sql = "SELECT count(*) FROM contact WHERE redirect_to IS NULL";
    source.first(sql, Vec::new()).await?.map_or(Ok(0), |row| row.int(0))
}

/// How many contacts have each of these words.
///
/// # Errors
/// See [`Source::all`].
pub async fn counts<S: Source>(source: &mut S, tokens: &[&str]) -> Result<BTreeMap<String, i64>> {
    let sql =
        "SELECT token AS c1, count(*) AS c2 FROM contact_token WHERE token IN TEXT_SET($1) GROUP BY token";
    let rows = source.packed(sql, 2, vec![text_set(tokens)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
}

/// Which contacts have these words, after all merges.
///
/// # Errors
/// See [`Source::all`].
pub async fn with_tokens<S: Source>(source: &mut S, tokens: &[&str]) -> Result<Vec<(String, String)>> {
    let sql = "SELECT DISTINCT k.token AS c1, coalesce(t.redirect_to, t.contact_id) AS c2 FROM contact_token k \
               JOIN contact t ON t.contact_id = k.contact_id WHERE k.token IN TEXT_SET($1)";
    let rows = source.packed(sql, 2, vec![text_set(tokens)]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// A pair that is perhaps one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestionRow {
    /// A contact, or `arrival:` and an arrival that is nobody's yet.
    pub one: String,
    /// A contact.
    pub other: String,
    /// Hundredths of a bit.
    pub weight: i64,
    /// Reasons, JSON.
    pub evidence: String,
    /// Since when.
    pub ts: Ms,
    /// The pair after all merges.
    pub now: (String, String),
}

/// Open suggestions after a pair, in the order of their pairs; what both sides say is told once, and what
/// is one contact by now not at all.
///
/// # Errors
/// See [`Source::all`].
pub async fn page<S: Source>(source: &mut S, after: (&str, &str), limit: i64) -> Result<Vec<SuggestionRow>> {
    let sql = "SELECT s.one, s.other, s.weight, s.evidence, s.ts, coalesce(a.redirect_to, s.one), \
               coalesce(b.redirect_to, s.other) FROM contact_suggestion s \
               LEFT JOIN contact a ON a.contact_id = s.one LEFT JOIN contact b ON b.contact_id = s.other \
               WHERE s.state = 'open' AND (s.one < s.other OR NOT EXISTS (SELECT 1 FROM contact_suggestion r \
               WHERE r.one = s.other AND r.other = s.one)) \
               AND coalesce(a.redirect_to, s.one) <> coalesce(b.redirect_to, s.other) AND (s.one > $1 OR (s.one = $1 AND s.other > $2)) \
               ORDER BY s.one, s.other LIMIT $3";
    let read = |row: &Row| {
        Ok(SuggestionRow {
            one: row.text(0)?,
            other: row.text(1)?,
            weight: row.int(2)?,
            evidence: row.text(3)?,
            ts: row.int(4)?,
            now: (row.text(5)?, row.text(6)?),
        })
    };
    source.all(sql, vec![after.0.into(), after.1.into(), limit.into()]).await?.iter().map(read).collect()
}

impl Change {
    /// Writes down by which words a contact is found; those of contacts merged into it go.
    pub fn set_contact_tokens(&mut self, contact: &str, tokens: &[&str]) {
        let sql = "DELETE FROM contact_token WHERE contact_id IN (SELECT contact_id FROM contact \
                   WHERE redirect_to = $1)";
        self.run(sql, vec![contact.into()]);
        let sql = "DELETE FROM contact_token WHERE contact_id = $1 AND token NOT IN TEXT_SET($2)";
        self.run(sql, vec![contact.into(), text_set(tokens)]);
        let sql = "INSERT INTO contact_token (token, contact_id) SELECT text, $2 FROM TEXT_SET($1) x \
                   WHERE 1 = 1 ON CONFLICT DO NOTHING";
        self.run(sql, vec![text_set(tokens), contact.into()]);
    }

    /// Takes away the open suggestions that the weighing of a contact, or of those merged into it, made.
    pub fn clear_suggestions(&mut self, contact: &str) {
        let sql = "DELETE FROM contact_suggestion WHERE state = 'open' AND one IN (SELECT contact_id FROM contact \
                   WHERE contact_id = $1 OR redirect_to = $1)";
        self.run(sql, vec![contact.into()]);
    }

    /// Notes a suggestion; one that somebody decided stays as it is.
    pub fn suggest(&mut self, pair: (&str, &str), weight: i64, evidence: &str, now: Ms) {
        let sql = "INSERT INTO contact_suggestion (one, other, state, weight, evidence, ts, told) \
                   VALUES ($1, $2, 'open', $3, $4, $5, 0) ON CONFLICT (one, other) DO UPDATE SET \
                   weight = excluded.weight, evidence = excluded.evidence WHERE contact_suggestion.state = 'open'";
        self.run(sql, vec![pair.0.into(), pair.1.into(), weight.into(), evidence.into(), now.into()]);
    }

    /// Notes what somebody decided about contacts that are perhaps one.
    pub fn decide_suggestion(&mut self, pair: (&str, &str), state: &'static str) {
        let sql = "UPDATE contact_suggestion SET state = $3 WHERE state = 'open' AND one IN (SELECT contact_id \
                   FROM contact WHERE contact_id = $1 OR redirect_to = $1) AND other IN (SELECT contact_id \
                   FROM contact WHERE contact_id = $2 OR redirect_to = $2)";
        for (one, other) in [pair, (pair.1, pair.0)] {
            self.run(sql, vec![one.into(), other.into(), state.into()]);
        }
    }

    /// A contact was weighed: it is no longer due, unless it changed since.
    pub fn contact_weighed(&mut self, contact: &str, since_ts: Ms) {
        let sql = "DELETE FROM contact_due WHERE contact_id = $1 AND since_ts = $2";
        self.run(sql, vec![contact.into(), since_ts.into()]);
    }

    /// Notes that every contact is to be weighed anew.
    pub fn weigh_all_contacts(&mut self, now: Ms) {
        let sql = "INSERT INTO contact_due (contact_id, since_ts) SELECT contact_id, $1 FROM contact \
                   WHERE redirect_to IS NULL ON CONFLICT DO NOTHING";
        self.run(sql, vec![now.into()]);
    }
}
