//! The room directory: which rooms it shows, in which order, found by which words (client-server
//! API, "Published room directory").
//!
//! The order and the words of all published rooms are kept in memory and follow the log, so that a
//! page of a long list costs no more than a page of a short one. What is told of the rooms of a page
//! is read anew every time.

use crate::card::{Card, Public};
use kontor_model::fold::fold;
use kontor_model::position::as_given_out;
use kontor_model::{Error, Nid, Pos, Result};
use kontor_store::rooms::card;
use kontor_store::{Source, Store};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr;
use tokio::sync::Mutex;

/// Rooms of one page at most, and when nothing is asked for.
const LARGEST_PAGE: usize = 500;
const PAGE: usize = 100;

/// Letters of a room's name, topic and alias that are searched; bounds the memory.
const SEARCHED: usize = 2_000;

/// A place between two rooms of the list. The rooms that were around it may change their places;
/// then the list goes on where they would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    joined: i64,
    room: Nid,
    back: bool,
}

impl fmt::Display for Since {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}_{}", if self.back { 'p' } else { 'n' }, self.joined, self.room)
    }
}

impl FromStr for Since {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let forged = || Error::invalid_param("This page of the room list was not given out by this server.");
        let (back, rest) = match (text.strip_prefix('n'), text.strip_prefix('p')) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(forged()),
        };
        let (joined, room) = rest.split_once('_').ok_or_else(forged)?;
        let number = |text: &str| text.parse::<i64>().map_err(|_| forged());
        let since = Self { joined: number(joined)?, room: number(room)?, back };
        as_given_out(since, text).ok_or_else(forged)
    }
}

/// Which rooms are asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Words that name, topic or alias must hold.
    pub words: Option<String>,
    /// Types of rooms; `None` in the list stands for rooms without a type.
    pub types: Option<Vec<Option<String>>>,
    /// From which place on.
    pub since: Option<Since>,
    /// At most so many.
    pub limit: Option<usize>,
    /// Whose directory.
    pub network: Network,
}

/// Whose directory is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// This server's own.
    #[default]
    Own,
    /// That of an application service's network, as service and network.
    Of(String, String),
    /// All of them together.
    All,
}

/// A page of the directory.
#[derive(Debug)]
pub struct Page {
    /// The rooms, those with most members first.
    pub rooms: Vec<Public>,
    /// Where the next page begins, if there is one.
    pub next: Option<Since>,
    /// Where the page before ends, if there is one.
    pub prev: Option<Since>,
    /// Rooms on all pages together.
    pub total: usize,
}

/// The directory of one process.
#[derive(Default)]
pub struct Directory(Mutex<Listing>);

#[derive(Default)]
struct Listing {
    /// Everything up to here was taken in.
    at: Pos,
    entries: HashMap<Nid, Entry>,
    /// Most members first.
    order: Vec<(Reverse<i64>, Nid)>,
}

struct Entry {
    joined: i64,
    room_type: Option<String>,
    words: String,
}

/// The form in which words are compared.
fn folded(text: &str) -> String {
    fold(&text.chars().take(SEARCHED).collect::<String>())
}

impl Directory {
    /// A page of the list.
    ///
    /// # Errors
    /// `Unavailable` when the archive is gone.
    pub async fn page(&self, store: &Store, wanted: &Wanted) -> Result<Page> {
        if wanted.network != Network::Own {
            return page_of_networks(store, wanted).await;
        }
        let mut listing = self.0.lock().await;
        // Before the snapshot: what is committed meanwhile is looked at once more next time.
        let at = store.log().newest();
        let mut snapshot = store.snapshot().await?;
        let published = card::published(&mut snapshot).await?;
        let changed = store.log().between(listing.at, at).filter(|_| listing.at != Pos::default());
        let changed: Option<HashSet<Nid>> =
            changed.map(|entries| entries.iter().filter_map(|entry| entry.row.room).collect());
        let stale = |room: &Nid| {
            changed.as_ref().is_none_or(|changed| changed.contains(room))
                || !listing.entries.contains_key(room)
        };
        let reread: Vec<Nid> = published.iter().filter(|room| stale(room)).copied().collect();
        let cards = card::by_nids(&mut snapshot, 0, &reread).await?;
        listing.take_in(&published, cards.into_iter().map(Card::read), at);
        let (rooms, prev, next, total) = listing.select(wanted);
        drop(listing);
        let rooms = public(&mut snapshot, &rooms).await?;
        Ok(Page { rooms, next, prev, total })
    }
}

/// A page of a list that is read anew every time: lists of networks are short, and asked for rarely.
async fn page_of_networks(store: &Store, wanted: &Wanted) -> Result<Page> {
    let mut snapshot = store.snapshot().await?;
    let rooms = match &wanted.network {
        Network::Of(service, network) => card::of_network(&mut snapshot, service, network).await?,
        Network::Own | Network::All => card::of_all_networks(&mut snapshot).await?,
    };
    let cards = card::by_nids(&mut snapshot, 0, &rooms).await?;
    let mut listing = Listing::default();
    listing.take_in(&rooms, cards.into_iter().map(Card::read), Pos::default());
    let (rooms, prev, next, total) = listing.select(wanted);
    let rows = card::by_nids(&mut snapshot, 0, &rooms).await?;
    let mut rows: HashMap<Nid, _> = rows.into_iter().map(|row| (row.room, row)).collect();
    let rooms = rooms.iter().filter_map(|room| Some(Card::read(rows.remove(room)?).listed())).collect();
    Ok(Page { rooms, next, prev, total })
}

async fn public<S: Source>(source: &mut S, rooms: &[Nid]) -> Result<Vec<Public>> {
    let rows = card::by_nids(source, 0, rooms).await?;
    let mut rows: HashMap<Nid, _> = rows.into_iter().map(|row| (row.room, row)).collect();
    Ok(rooms.iter().filter_map(|room| Card::read(rows.remove(room)?).published()).collect())
}

impl Listing {
    fn take_in(&mut self, published: &[Nid], cards: impl Iterator<Item = Card>, at: Pos) {
        let shown: HashSet<Nid> = published.iter().copied().collect();
        let before = self.entries.len();
        self.entries.retain(|room, _| shown.contains(room));
        let mut moved = self.entries.len() != before;
        for card in cards {
            let entry = Entry {
                joined: card.joined(),
                room_type: card.room_type().map(str::to_owned),
                words: folded(&card.words()),
            };
            moved |= self.entries.get(&card.room()).is_none_or(|old| old.joined != entry.joined);
            self.entries.insert(card.room(), entry);
        }
        if moved {
            self.order = self.entries.iter().map(|(room, entry)| (Reverse(entry.joined), *room)).collect();
            self.order.sort_unstable();
        }
        self.at = at;
    }

    fn select(&self, wanted: &Wanted) -> (Vec<Nid>, Option<Since>, Option<Since>, usize) {
        let words = folded(wanted.words.as_deref().unwrap_or_default());
        let words: Vec<&str> = words.split_whitespace().collect();
        let fits = |room: &Nid| {
            self.entries.get(room).is_some_and(|entry| {
                let kind = wanted.types.as_ref().is_none_or(|types| types.contains(&entry.room_type));
                kind && words.iter().all(|word| entry.words.contains(word))
            })
        };
        let rooms: Vec<_> = self.order.iter().filter(|(_, room)| fits(room)).copied().collect();
        let limit = wanted.limit.filter(|limit| *limit > 0).unwrap_or(PAGE).min(LARGEST_PAGE);
        let (from, to) = match wanted.since {
            None => (0, limit),
            Some(since) => {
                let place = (Reverse(since.joined), since.room);
                if since.back {
                    let to = rooms.partition_point(|room| *room < place);
                    (to.saturating_sub(limit), to)
                } else {
                    let from = rooms.partition_point(|room| *room <= place);
                    (from, from + limit)
                }
            }
        };
        let to = to.min(rooms.len());
        let since = |at: &(Reverse<i64>, Nid), back| Since { joined: at.0.0, room: at.1, back };
        let page = rooms.get(from..to).unwrap_or_default();
        let next = page.last().filter(|_| to < rooms.len()).map(|last| since(last, false));
        // A page behind the end of the list still has rooms before it.
        let first = page.first().map(|first| since(first, true));
        let prev = first.or(wanted.since.map(|since| Since { back: true, ..since })).filter(|_| from > 0);
        (page.iter().map(|(_, room)| *room).collect(), prev, next, rooms.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(rooms: &[(Nid, i64, Option<&str>, &str)]) -> Listing {
        let entry = |(room, joined, kind, words): &(Nid, i64, Option<&str>, &str)| {
            (*room, Entry { joined: *joined, room_type: kind.map(str::to_owned), words: folded(words) })
        };
        let entries: HashMap<_, _> = rooms.iter().map(entry).collect();
        let mut order: Vec<_> = rooms.iter().map(|(room, joined, ..)| (Reverse(*joined), *room)).collect();
        order.sort_unstable();
        Listing { at: Pos(1), entries, order }
    }

    #[test]
    fn pages_lead_forward_and_back_again() {
        let rooms: Vec<_> = (1..=5).map(|room| (room, 10 - room, None, "x")).collect();
        let listing = listing(&rooms);
        let mut wanted = Wanted { limit: Some(2), ..Wanted::default() };
        let mut seen = Vec::new();
        loop {
            let (page, prev, next, total) = listing.select(&wanted);
            assert_eq!((prev.is_none(), total), (seen.is_empty(), 5));
            seen.push(page);
            match next {
                Some(_) => wanted.since = next,
                None => break wanted.since = prev,
            }
        }
        assert_eq!(seen, [vec![1, 2], vec![3, 4], vec![5]]);
        let (page, prev, _, _) = listing.select(&wanted);
        assert_eq!(page, [3, 4]);
        wanted.since = prev;
        let (page, prev, next, _) = listing.select(&wanted);
        assert_eq!((page, prev), (vec![1, 2], None));
        wanted.since = next.map(|next| next.to_string().parse().unwrap());
        assert_eq!(listing.select(&wanted).0, [3, 4]);
    }

    #[test]
    fn words_and_types_choose() {
        let listing = listing(&[
            (1, 3, None, "Lunch in WARSAW, żółć"),
            (2, 2, Some("m.space"), "Warsaw office"),
            (3, 1, None, "Kyiv"),
        ]);
        let find = |words: Option<&str>, types: Option<Vec<Option<&str>>>| {
            let types = types.map(|types| types.into_iter().map(|kind| kind.map(str::to_owned)).collect());
            listing.select(&Wanted { words: words.map(str::to_owned), types, ..Wanted::default() }).0
        };
        assert_eq!(find(Some("warsaw"), None), [1, 2]);
        assert_eq!(find(Some(" warsaw  LUNCH "), None), [1]);
        assert_eq!(find(Some("zolc"), None), [1]);
        assert_eq!(find(Some(""), Some(vec![None])), [1, 3]);
        assert_eq!(find(Some("warsaw"), Some(vec![Some("m.space")])), [2]);
        assert_eq!(find(None, Some(vec![])), Vec::<Nid>::new());
    }

    #[test]
    fn forged_places_are_refused() {
        for bad in
            ["", "n", "x1_2", "n1", "n1_x", "p_", "n1_2_3", "n+1_2", "p01_2", "n99999999999999999999_1"]
        {
            assert!(bad.parse::<Since>().is_err(), "{bad}");
        }
    }
}
