//! Taking news: items, cursor, journal and kept values, all in one transaction.

use super::{Answers, Change, Db, journal, kept};
use crate::channel::{Commit, Committed, Item, Noted, Taken};
use crate::seal::Seal;
use kontor_model::{Code, Error, Ms, Result};

/// Longest key or lane, bytes.
const LONGEST: usize = 255;
/// Most items, entries and values in one commit.
const MOST: usize = 1000;

fn check(commit: &Commit) -> Result<()> {
    if commit.items.len() + commit.journal.len() + commit.kept.len() > MOST {
        return Err(Error::new(Code::TooLarge, "This holds more things at once than are taken."));
    }
    let names = commit.items.iter().flat_map(|item| [&item.key, &item.lane]);
    let names = names.chain(commit.journal.iter().flat_map(|entry| [&entry.key, &entry.lane]));
    let mut names = names.chain(commit.kept.iter().map(|keep| &keep.name));
    // PostgreSQL stores no NUL.
    match names.find(|name| name.is_empty() || name.len() > LONGEST || name.contains('\0')) {
        Some(_) => Err(Error::bad_json("An identifier in this is empty, too long or not a text.")),
        None => Ok(()),
    }
}

fn item(change: &mut Change, channel: &str, seal: &Seal, item: &Item, now: Ms) -> Result<usize> {
    let place = change.run(
        "INSERT INTO inbox (channel, key, lane, at, received_at, raw, state, tries, next_at, replays, tell) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING RETURNING id",
        vec![
            channel.into(),
            (&item.key).into(),
            (&item.lane).into(),
            item.at.into(),
            now.into(),
            seal.close("inbox", &item.raw)?.into(),
        ],
    );
    // Also for a repeated one: it does no harm, and finds nothing to do.
    change.run(
        "INSERT INTO lane (channel, lane, account, id_type, external_id, language, last_customer_at, in_at) \
         VALUES ($1, $2, '', '', '', '', 0, $3) \
         ON CONFLICT (channel, lane) DO UPDATE SET in_at = coalesce(lane.in_at, excluded.in_at)",
        vec![channel.into(), (&item.lane).into(), now.into()],
    );
    Ok(place)
}

/// Commits what a hook or a pull brought; with `cursor` (name, value), that as well.
///
/// # Errors
/// `BadJson` or `TooLarge` when an identifier or the number of things is out of bounds; nothing is kept then.
pub(crate) async fn commit(
    db: &Db,
    channel: &str,
    seal: &Seal,
    commit: &Commit,
    cursor: Option<(&str, &str)>,
    now: Ms,
) -> Result<Committed> {
    check(commit)?;
    let mut change = Change::default();
    let mut items: Vec<&Item> = commit.items.iter().collect();
    // A batch may be out of order in itself; between batches the order of arrival counts.
    items.sort_by_key(|item| item.at);
    let mut taken = Vec::with_capacity(items.len());
    for each in items {
        taken.push((each, item(&mut change, channel, seal, each, now)?));
    }
    let mut noted = Vec::with_capacity(commit.journal.len());
    for entry in &commit.journal {
        noted.push(journal::append(&mut change, channel, seal, entry, now)?);
    }
    for keep in &commit.kept {
        kept::put(&mut change, channel, seal, keep)?;
    }
    if let Some((name, value)) = cursor {
        change.run(
            "INSERT INTO cursor (channel, name, value) VALUES ($1, $2, $3) \
             ON CONFLICT (channel, name) DO UPDATE SET value = excluded.value",
            vec![channel.into(), name.into(), value.into()],
        );
    }
    let answers = db.write(change).await?;
    let fresh = |place: usize| answers.get(place).is_some_and(|rows| !rows.is_empty());
    let items = commit.items.iter().map(|item| {
        let place = taken.iter().find(|(each, _)| std::ptr::eq(*each, item)).map(|(_, place)| *place);
        Taken { fresh: place.is_some_and(fresh) }
    });
    Ok(Committed { items: items.collect(), journal: notes(&answers, &noted)? })
}

fn notes(answers: &Answers, places: &[journal::Place]) -> Result<Vec<Noted>> {
    places.iter().map(|place| place.read(answers)).collect()
}

/// Where pulls go on.
///
/// # Errors
/// `Unavailable` when the database is gone.
pub(crate) async fn cursor(db: &Db, channel: &str, name: &str) -> Result<Option<String>> {
    let sql = "SELECT value FROM cursor WHERE channel = $1 AND name = $2";
    db.first(sql, vec![channel.into(), name.into()]).await?.map(|row| row.text(0)).transpose()
}
