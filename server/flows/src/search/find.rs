//! Hits: places where all words stand and that the searcher may see.

use super::{GroupBy, Key, Reading, Request};
use kontor_model::{Nid, Result};
use kontor_rooms::search::{NAME, Query, TOPIC, URL, sender_mark};
use kontor_store::Store;
use kontor_store::search::read::{Edit, Posting};
use kontor_store::search::{Chunk, Search};
use std::collections::{HashMap, HashSet};

/// Chunks that are looked at together first, and at most: the newest ones are often enough, and the
/// largest number bounds the memory of a question.
const CHUNKS: [usize; 2] = [12, 1_024];
/// How many times more are looked at next, as long as that finds little.
const GROWTH: usize = 8;
/// Places of words that are looked at. A question for so many asks for too little; what is left out
/// then is the oldest.
const ENOUGH: usize = 150_000;
/// What a row of the index costs, in places: a beginning may stand for many rare words.
const ROW: usize = 10;

/// A place that the searcher may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub room: Nid,
    /// Place of the message; also where an edit of it was found.
    pub place: i64,
    /// How much the words say of it.
    pub score: i64,
}

impl Hit {
    /// What results are ordered by, the last one first.
    pub fn key(&self) -> (i64, i64) {
        (self.score, self.place)
    }
}

/// Which kinds of text are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kinds {
    messages: bool,
    names: bool,
    topics: bool,
}

impl Kinds {
    pub fn of(request: &Request) -> Self {
        let wants = |key, kind| {
            (request.keys.is_empty() || request.keys.contains(&key)) && request.filter.admits_type(kind)
        };
        Self {
            messages: wants(Key::Body, "m.room.message"),
            names: wants(Key::Name, "m.room.name"),
            topics: wants(Key::Topic, "m.room.topic"),
        }
    }

    pub fn none(self) -> bool {
        !self.messages && !self.names && !self.topics
    }

    /// Marks of the kinds that are wanted, or not.
    fn marks(self, wanted: bool) -> Vec<String> {
        let marks = [(NAME, self.names), (TOPIC, self.topics)].into_iter();
        marks.filter(|(_, wants)| *wants == wanted).map(|(mark, _)| mark.to_owned()).collect()
    }
}

/// Where all words of a question stand: chunk, place, score; sorted, each place once.
type Matches = Vec<(usize, i64, i64)>;

/// A mark that matches must have, or must not have.
struct Condition {
    marks: Vec<String>,
    has: bool,
}

impl Reading<'_> {
    /// Everything in some rooms that the searcher may see and that holds all words.
    pub(super) async fn hits(&mut self, query: &Query, kinds: Kinds, rooms: &[Nid]) -> Result<Vec<Hit>> {
        let store = &self.flows.store;
        let search = store.search();
        let mut hits = Vec::new();
        let conditions = conditions(store, self.request, kinds).await?;
        let ignored = nids(store, &self.ignored).await?;
        let ignored: Vec<String> = ignored.into_iter().map(sender_mark).collect();
        let chunks = search.chunks(rooms, self.newest).await?;
        let (mut rest, mut size, mut looked_at) = (chunks.as_slice(), CHUNKS[0].min(chunks.len()), 0);
        while !rest.is_empty() && looked_at < ENOUGH {
            let (now, older) = rest.split_at(size);
            let (mut part, before) = (now.iter().map(|(chunk, _)| *chunk).collect(), looked_at);
            let mut matches = matching(search, &mut part, query, &mut looked_at).await?;
            size = next_size(now, older, looked_at - before, ENOUGH.saturating_sub(looked_at));
            rest = older;
            for condition in &conditions {
                keep(search, &part, &mut matches, condition).await?;
            }
            drop_words_of(search, &part, &mut matches, &ignored, None).await?;
            let rooms = rooms_of(&part, &matches);
            self.look_into(&rooms).await?;
            // Accounts that were erased before the searcher came.
            for (users, rooms) in self.kept_senders(&rooms) {
                let marks: Vec<String> = nids(store, &users).await?.into_iter().map(sender_mark).collect();
                drop_words_of(search, &part, &mut matches, &marks, Some(&rooms)).await?;
            }
            self.see(&part, &matches, &rooms, &mut hits).await?;
        }
        Ok(hits)
    }

    /// Adds those matches that the searcher may see. Of a message and its edits that is the newest
    /// text that the searcher may see, and no other.
    async fn see(
        &mut self,
        chunks: &[Chunk],
        matches: &Matches,
        rooms: &[Nid],
        hits: &mut Vec<Hit>,
    ) -> Result<()> {
        if matches.is_empty() {
            return Ok(());
        }
        let edits = Edits::of(self.flows.store.search().edits(rooms).await?);
        let until = self.request.from.map_or(self.newest, |from| from.newest);
        for (chunk, ord, score) in matches {
            let Some(room) = chunks.get(*chunk).map(|chunk| chunk.room) else { continue };
            if *ord > until || !self.covers(room, *ord) {
                continue;
            }
            let place = edits.root(room, *ord);
            let newer = edits.after(room, place, *ord);
            let stands = !newer.iter().any(|edit| self.covers(room, *edit));
            if stands && (place == *ord || self.covers(room, place)) {
                hits.push(Hit { room, place, score: *score });
            }
        }
        Ok(())
    }
}

/// How many of the older chunks to look at after some that cost this much, when so much is left: many
/// more, unless their texts are likely to cost too much.
fn next_size(now: &[(Chunk, usize)], older: &[(Chunk, usize)], cost: usize, left: usize) -> usize {
    let texts: usize = now.iter().map(|(_, texts)| texts).sum();
    let sums = older.iter().scan(0, |sum, (_, texts)| {
        *sum += texts;
        Some(*sum)
    });
    let affordable = sums.take_while(|sum| sum * cost <= left * texts).count();
    affordable.min(now.len() * GROWTH).min(CHUNKS[1]).max(1).min(older.len())
}

/// What the filter, the keys and the group of a page ask for.
async fn conditions(store: &Store, request: &Request, kinds: Kinds) -> Result<Vec<Condition>> {
    let filter = &request.filter;
    let mut conditions = Vec::new();
    if !kinds.messages {
        conditions.push(Condition { marks: kinds.marks(true), has: true });
    } else if !kinds.marks(false).is_empty() {
        conditions.push(Condition { marks: kinds.marks(false), has: false });
    }
    if let Some(has) = filter.contains_url {
        conditions.push(Condition { marks: vec![URL.to_owned()], has });
    }
    if let Some(senders) = &filter.senders {
        let marks = nids(store, senders).await?.into_iter().map(sender_mark).collect();
        conditions.push(Condition { marks, has: true });
    }
    if !filter.not_senders.is_empty() {
        let marks = nids(store, &filter.not_senders).await?.into_iter().map(sender_mark).collect();
        conditions.push(Condition { marks, has: false });
    }
    let group = request.from.and_then(|from| from.group);
    if let Some(group) = group.filter(|group| group.by == GroupBy::Sender) {
        conditions.push(Condition { marks: vec![sender_mark(group.of)], has: true });
    }
    Ok(conditions)
}

async fn nids<'a>(store: &Store, users: impl IntoIterator<Item = &'a String>) -> Result<Vec<Nid>> {
    let mut nids = Vec::new();
    for user in users {
        nids.extend(store.known_name(user).await?);
    }
    Ok(nids)
}

/// Where all words stand. Chunks in which one does not are left out of `chunks`.
async fn matching(
    search: &Search,
    chunks: &mut Vec<Chunk>,
    query: &Query,
    looked_at: &mut usize,
) -> Result<Matches> {
    let mut matches: Option<Matches> = None;
    for term in &query.terms {
        let (found, rows) = search.postings(chunks, term).await?;
        *looked_at += found.len() + ROW * rows;
        let mut found: Matches = found.into_iter().map(scored).collect();
        // Sorted already in large parts, which this sort is made for.
        found.sort_by_key(|(chunk, ord, _)| (*chunk, *ord));
        // Of several words with the same beginning, the one that says most counts.
        found.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            kept.2 = if same { kept.2.max(next.2) } else { kept.2 };
            same
        });
        let mut both = match matches {
            None => found,
            Some(before) => intersection(&before, &found),
        };
        narrow(chunks, &mut both);
        if both.is_empty() {
            return Ok(both);
        }
        matches = Some(both);
    }
    Ok(matches.unwrap_or_default())
}

async fn marked(search: &Search, chunks: &[Chunk], marks: &[String]) -> Result<HashSet<(usize, i64)>> {
    if marks.is_empty() || chunks.is_empty() {
        return Ok(HashSet::new());
    }
    let found = search.marked(chunks, marks).await?;
    Ok(found.into_iter().map(|posting| (posting.chunk, posting.ord)).collect())
}

async fn keep(search: &Search, chunks: &[Chunk], matches: &mut Matches, condition: &Condition) -> Result<()> {
    if !matches.is_empty() {
        let marked = marked(search, chunks, &condition.marks).await?;
        matches.retain(|(chunk, ord, _)| marked.contains(&(*chunk, *ord)) == condition.has);
    }
    Ok(())
}

/// Drops messages of some senders, in some rooms or in all; names and topics that they set stay.
async fn drop_words_of(
    search: &Search,
    chunks: &[Chunk],
    matches: &mut Matches,
    senders: &[String],
    rooms: Option<&HashSet<Nid>>,
) -> Result<()> {
    if matches.is_empty() || senders.is_empty() {
        return Ok(());
    }
    let theirs = marked(search, chunks, senders).await?;
    if theirs.is_empty() {
        return Ok(());
    }
    let state = marked(search, chunks, &[NAME.to_owned(), TOPIC.to_owned()]).await?;
    let there =
        |chunk: usize| rooms.is_none_or(|rooms| chunks.get(chunk).is_some_and(|c| rooms.contains(&c.room)));
    let gone = |place: &(usize, i64)| theirs.contains(place) && !state.contains(place) && there(place.0);
    matches.retain(|(chunk, ord, _)| !gone(&(*chunk, *ord)));
    Ok(())
}

fn rooms_of(chunks: &[Chunk], matches: &Matches) -> Vec<Nid> {
    let rooms: HashSet<Nid> =
        matches.iter().filter_map(|(chunk, ..)| chunks.get(*chunk)).map(|chunk| chunk.room).collect();
    rooms.into_iter().collect()
}

fn scored(posting: Posting) -> (usize, i64, i64) {
    // The very word counts more than one that begins with it.
    let share = if posting.exact { 4 } else { 3 };
    (posting.chunk, posting.ord, i64::from(posting.weight) * share)
}

/// What is in both, with the scores of both.
fn intersection(a: &Matches, b: &Matches) -> Matches {
    let mut both = Vec::with_capacity(a.len().min(b.len()));
    let mut rest = b.iter().peekable();
    for (chunk, ord, score) in a {
        while rest.next_if(|other| (other.0, other.1) < (*chunk, *ord)).is_some() {}
        if let Some(other) = rest.next_if(|other| (other.0, other.1) == (*chunk, *ord)) {
            both.push((*chunk, *ord, score + other.2));
        }
    }
    both
}

/// Leaves out the chunks without a match.
fn narrow(chunks: &mut Vec<Chunk>, matches: &mut Matches) {
    let mut left = Vec::new();
    let mut last = None;
    for (chunk, ..) in matches.iter_mut() {
        if last != Some(*chunk) {
            last = Some(*chunk);
            left.extend(chunks.get(*chunk).copied());
        }
        *chunk = left.len().saturating_sub(1);
    }
    *chunks = left;
}

/// Edits of some rooms.
struct Edits {
    root: HashMap<(Nid, i64), i64>,
    edits: HashMap<(Nid, i64), Vec<i64>>,
}

impl Edits {
    fn of(list: Vec<Edit>) -> Self {
        let root = list.iter().map(|edit| ((edit.room, edit.ord), edit.root)).collect();
        let mut edits: HashMap<_, Vec<i64>> = HashMap::new();
        for edit in list {
            edits.entry((edit.room, edit.root)).or_default().push(edit.ord);
        }
        Self { root, edits }
    }

    /// Place of the message that the text at a place belongs to.
    fn root(&self, room: Nid, ord: i64) -> i64 {
        if self.root.is_empty() { ord } else { self.root.get(&(room, ord)).copied().unwrap_or(ord) }
    }

    /// Places of the edits of a message after the text at a place.
    fn after(&self, room: Nid, root: i64, ord: i64) -> Vec<i64> {
        if self.edits.is_empty() {
            return Vec::new();
        }
        let edits = self.edits.get(&(room, root)).into_iter().flatten();
        edits.filter(|edit| **edit > ord).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_meet_and_empty_chunks_leave() {
        let chunk = |room| Chunk { room, base: 0 };
        let a = vec![(0, 1, 1), (0, 5, 2), (2, 3, 3), (2, 9, 4)];
        let b = vec![(0, 5, 10), (1, 3, 10), (2, 1, 10), (2, 9, 10), (3, 1, 10)];
        let mut both = intersection(&a, &b);
        assert_eq!(both, [(0, 5, 12), (2, 9, 14)]);
        let mut chunks = vec![chunk(7), chunk(8), chunk(9), chunk(10)];
        narrow(&mut chunks, &mut both);
        assert_eq!((chunks, both), (vec![chunk(7), chunk(9)], vec![(0, 5, 12), (1, 9, 14)]));
        let (mut chunks, mut none) = (vec![chunk(7)], Vec::new());
        narrow(&mut chunks, &mut none);
        assert!(chunks.is_empty());
    }

    #[test]
    fn the_next_part_is_larger_unless_that_would_cost_too_much() {
        let chunks = |count: i64, texts: usize| -> Vec<_> {
            (0..count).map(|base| (Chunk { room: 1, base }, texts)).collect()
        };
        let (small, large) = (chunks(12, 100), chunks(2_000, 1_000));
        assert_eq!(next_size(&small, &large, 0, ENOUGH), 96);
        assert_eq!(next_size(&chunks(600, 1_000), &large, 10, ENOUGH), 1_024);
        assert_eq!(next_size(&chunks(600, 1_000), &large, 600_000, ENOUGH), 150);
        // A word of its own in each text: what the texts of small chunks cost tells of large ones.
        let cost = 12 * 100 * (ROW + 1);
        assert_eq!(next_size(&small, &large, cost, ENOUGH - cost), (ENOUGH - cost) / (1_000 * (ROW + 1)));
        assert_eq!(next_size(&small, &large, cost, 5), 1);
        assert_eq!(next_size(&small, &[], cost, ENOUGH), 0);
    }

    #[test]
    fn edits_name_their_message_and_what_is_newer() {
        let edit = |ord| Edit { room: 1, root: 10, ord };
        let edits = Edits::of(vec![edit(12), edit(15)]);
        assert_eq!((edits.root(1, 12), edits.root(1, 11), edits.root(2, 12)), (10, 11, 12));
        assert_eq!(edits.after(1, 10, 10), [12, 15]);
        assert_eq!(edits.after(1, 10, 12), [15]);
        assert!(edits.after(1, 10, 15).is_empty());
    }
}
