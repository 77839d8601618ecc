//! Looking contacts up: by words as they are typed, numbers and addresses. What the reader may not see is
//! not found. However many share a beginning, no more than a thousand rows are looked at.

use super::cards::visible;
use super::queue::Reader;
use crate::Change;
use crate::db::Source;
use crate::table::Table;
use crate::value::Row;
use kontor_model::{Ms, Nid, Result};

/// A letter that no token has a later one than, often enough for any token.
const LAST: &str = "zzzzzzzzzzzzzzzzzzzz";

/// How many rows are read for each contact that is wanted, since some come several times: sorting them out here
/// spares the database from looking at all thousand.
const READ_FOR_ONE: i64 = 8;

fn ids(rows: &[Row], limit: i64) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for row in rows {
        let id = row.text(0)?;
        if i64::try_from(found.len()).is_ok_and(|count| count < limit) && !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

/// Contacts of which a word begins with `first` and, unless that is empty, another with `second`; both as
/// skeletons.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_words<S: Source>(
    source: &mut S,
    reader: Reader,
    (first, second): (&str, &str),
    limit: i64,
) -> Result<Vec<String>> {
    // The bounds find the rows in the index whatever the database's order of signs; the comparison decides. The
    // rarer word leads, so that whoever is called like thousands is found by the other; `CROSS JOIN` holds SQLite to it.
    let sql = concat!(
        "WITH a AS MATERIALIZED (SELECT k.contact_id FROM contact_token k \
         WHERE k.token >= $3 AND k.token <= $4 AND substr(k.token, 1, length($3)) = $3 ORDER BY k.token LIMIT 1000), \
         b AS MATERIALIZED (SELECT k.contact_id FROM contact_token k WHERE $5 <> '' \
         AND k.token >= $5 AND k.token <= $6 AND substr(k.token, 1, length($5)) = $5 ORDER BY k.token LIMIT 1000), \
         k AS (SELECT a.contact_id FROM a WHERE $5 = '' OR ((SELECT count(*) FROM a) <= (SELECT count(*) FROM b) \
         AND EXISTS (SELECT 1 FROM contact_token l WHERE l.contact_id = a.contact_id \
         AND l.token >= $5 AND l.token <= $6 AND substr(l.token, 1, length($5)) = $5)) \
         UNION ALL SELECT b.contact_id FROM b WHERE (SELECT count(*) FROM b) < (SELECT count(*) FROM a) \
         AND EXISTS (SELECT 1 FROM contact_token l WHERE l.contact_id = b.contact_id \
         AND l.token >= $3 AND l.token <= $4 AND substr(l.token, 1, length($3)) = $3)) \
         SELECT t.contact_id FROM k CROSS JOIN contact o CROSS JOIN contact t \
         WHERE o.contact_id = k.contact_id AND t.contact_id = coalesce(o.redirect_to, o.contact_id) AND ",
        visible!(),
        " LIMIT $7"
    );
    let until = |word: &str| format!("{word}{LAST}");
    let values = vec![
        reader.user.into(),
        reader.admin.into(),
        first.into(),
        until(first).into(),
        second.into(),
        until(second).into(),
        (limit * READ_FOR_ONE).into(),
    ];
    ids(&source.all(sql, values).await?, limit)
}

/// Contacts of which a number or address begins with something, or is it when `whole`.
///
/// # Errors
/// See [`Source::all`].
pub async fn by_key<S: Source>(
    source: &mut S,
    reader: Reader,
    (kind, key): (&str, &str),
    whole: bool,
    limit: i64,
) -> Result<Vec<String>> {
    let sql = concat!(
        "SELECT t.contact_id FROM (SELECT c.contact_id FROM claim c WHERE c.kind = $3 AND c.key >= $4 \
         AND c.key <= $5 AND substr(c.key, 1, length($4)) = $4 ORDER BY c.key LIMIT 1000) c \
         JOIN contact o ON o.contact_id = c.contact_id \
         JOIN contact t ON t.contact_id = coalesce(o.redirect_to, o.contact_id) WHERE ",
        visible!(),
        " LIMIT $6"
    );
    let until = if whole { key.to_owned() } else { format!("{key}{LAST}") };
    let values = vec![
        reader.user.into(),
        reader.admin.into(),
        kind.into(),
        key.into(),
        until.into(),
        (limit * READ_FOR_ONE).into(),
    ];
    ids(&source.all(sql, values).await?, limit)
}

/// A look-up that somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupRow {
    /// Who.
    pub user: Nid,
    /// The contacts that were shown, JSON array.
    pub shown: String,
    /// When.
    pub ts: Ms,
}

/// A look-up.
///
/// # Errors
/// See [`Source::all`].
pub async fn lookup<S: Source>(source: &mut S, id: &str) -> Result<Option<LookupRow>> {
    let sql = "SELECT user_nid, shown, ts FROM contact_lookup WHERE lookup_id = $1";
    let row = source.first(sql, vec![id.into()]).await?;
    row.map(|row| Ok(LookupRow { user: row.int(0)?, shown: row.text(1)?, ts: row.int(2)? })).transpose()
}

/// How often each employee made a contact although others stood in the way, since a moment: Matrix id, count.
///
/// # Errors
/// See [`Source::all`].
pub async fn overrides<S: Source>(source: &mut S, since: Ms) -> Result<Vec<(String, i64)>> {
    let sql = "SELECT n.text, count(*) FROM contact_override o JOIN name n ON n.nid = o.user_nid \
               WHERE o.ts >= $1 GROUP BY n.text ORDER BY n.text";
    let rows = source.all(sql, vec![since.into()]).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
}

impl Change {
    /// Remembers what a look-up showed.
    pub fn add_lookup(&mut self, id: &str, row: &LookupRow) {
        let values = vec![id.into(), row.user.into(), row.shown.as_str().into(), row.ts.into()];
        self.insert(Table::ContactLookup, values);
    }

    /// Forgets look-ups of before a moment.
    pub fn forget_lookups(&mut self, before: Ms) {
        self.run("DELETE FROM contact_lookup WHERE ts < $1", vec![before.into()]);
    }

    /// Writes down why a contact was made or changed although others stood in the way.
    pub fn add_override(&mut self, contact: &str, user: Nid, reason: &str, now: Ms) {
        let values = vec![contact.into(), now.into(), user.into(), reason.into()];
        self.insert(Table::ContactOverride, values);
    }

    /// Adds words by which a contact is found at once, before it is weighed.
    pub fn add_contact_tokens<'a>(&mut self, contact: &str, tokens: impl IntoIterator<Item = &'a str>) {
        for token in tokens {
            self.insert(Table::ContactToken, vec![token.into(), contact.into()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contacts::cards::ContactRow;
    use crate::testing::stores;

    #[tokio::test]
    async fn whoever_is_called_like_thousands_is_found_by_the_rarer_word() {
        for store in stores().await {
            let mut change = Change::default();
            for n in 0..1_100 {
                let id = format!("C{n:05}");
                change.add_contact(&ContactRow {
                    id: id.clone(),
                    redirect_to: None,
                    kind: "person".into(),
                    stage: "lead".into(),
                    owner: None,
                    owner_id: None,
                    team: None,
                    visibility: "all".into(),
                    language: None,
                    version: 1,
                    created_ts: 1,
                    updated_ts: 1,
                    own: None,
                });
                change.add_contact_tokens(&id, ["katarzyna"]);
            }
            change.add_contact_tokens("C01099", ["short"]);
            store.submit(change).await.unwrap();
            let everything = Reader { user: 0, admin: true };
            for words in [("katarzyna", "short"), ("short", "katarzyna"), ("short", ""), ("sho", "kata")] {
                let found = by_words(&mut store.reader(), everything, words, 5).await.unwrap();
                assert_eq!(found, ["C01099"], "{words:?}");
            }
            let found = by_words(&mut store.reader(), everything, ("katarzyna", "long"), 5).await.unwrap();
            assert!(found.is_empty());
            let found = by_words(&mut store.reader(), everything, ("katarzyna", ""), 5).await.unwrap();
            assert_eq!(found.len(), 5);
            store.close().await;
        }
    }
}
