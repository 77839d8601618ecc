//! Walking the tree of a space (client-server API, "Discovering rooms within spaces").
//!
//! The tree is read level by level, so that the number of statements depends on its depth and not
//! on its size; then it is put into the order in which clients show it, depth first. Each room
//! comes once, where it is first met: spaces that contain one another cannot lead in circles.

use crate::card::{Card, Child, Preview};
use kontor_model::{Nid, Result};
use kontor_store::Source;
use kontor_store::rooms::card::{self, ChildRow};
use kontor_store::rooms::roster;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How deep a tree is followed at most.
pub const DEEPEST: usize = 16;

/// Rooms of one tree that are looked at, at most; what is beyond is not shown.
const LARGEST: usize = 10_000;

/// Rooms of all remembered walks together, and for how long.
const REMEMBERED: u64 = 200_000;
const FRESH: Duration = Duration::from_secs(120);

/// How to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Walk {
    /// Only children that their space recommends.
    pub suggested_only: bool,
    /// How many steps away from the root, at most.
    pub max_depth: usize,
}

/// Of rooms named by Matrix id, the previews for one reader; rooms that the server does not know, or
/// the reader may not know of, are absent. Three statements, or two.
///
/// # Errors
/// See [`Source::all`].
pub async fn previews<S: Source, T: AsRef<str>>(
    source: &mut S,
    reader: Nid,
    rooms: &[T],
) -> Result<Vec<Preview>> {
    let rows = card::by_ids(source, reader, rooms).await?;
    open(source, reader, rows.into_iter().map(Card::read).collect()).await
}

/// As [`previews`], of rooms by numeric id, in their order.
///
/// # Errors
/// See [`Source::all`].
pub async fn previews_in_order<S: Source>(
    source: &mut S,
    reader: Nid,
    rooms: &[Nid],
) -> Result<Vec<Preview>> {
    let rows = card::by_nids(source, reader, rooms).await?;
    let mut found = open(source, reader, rows.into_iter().map(Card::read).collect()).await?;
    let places: HashMap<Nid, usize> = rooms.iter().enumerate().map(|(at, room)| (*room, at)).collect();
    found.sort_by_key(|preview| places.get(&preview.room()).copied());
    Ok(found)
}

async fn open<S: Source>(source: &mut S, reader: Nid, cards: Vec<Card>) -> Result<Vec<Preview>> {
    let allowed: HashSet<&str> = cards.iter().flat_map(Card::allowed).map(String::as_str).collect();
    let allowed: Vec<&str> = allowed.into_iter().collect();
    let mut inside = HashSet::new();
    if !allowed.is_empty() {
        let found = roster::joined_among(source, reader, &allowed).await?;
        inside.extend(found.into_iter().filter(|(_, joined)| *joined).map(|(room, _)| room));
    }
    Ok(cards.into_iter().filter_map(|card| card.preview(&inside)).collect())
}

/// The children of spaces that the reader may know of, by space.
///
/// # Errors
/// See [`Source::all`].
pub async fn children<S: Source>(
    source: &mut S,
    spaces: &[Preview],
    suggested_only: bool,
) -> Result<HashMap<Nid, Vec<Child>>> {
    let nids: Vec<Nid> = spaces.iter().filter(|space| space.is_space()).map(Preview::room).collect();
    let mut by_space: HashMap<Nid, Vec<ChildRow>> = HashMap::new();
    for row in card::children(source, &nids).await? {
        by_space.entry(row.space).or_default().push(row);
    }
    let of = |space: &Preview| {
        let rows = by_space.get(&space.room())?;
        let mut children = space.children(rows);
        children.retain(|child| !suggested_only || child.is_suggested());
        Some((space.room(), children))
    };
    Ok(spaces.iter().filter_map(of).collect())
}

/// Walks that were made lately, so that further pages of a tree need not walk it again; at most a
/// few megabytes.
pub struct Walks(moka::sync::Cache<(Nid, Nid, Walk), Arc<Vec<Nid>>>);

impl Default for Walks {
    fn default() -> Self {
        let weight =
            |_: &(Nid, Nid, Walk), rooms: &Arc<Vec<Nid>>| u32::try_from(rooms.len()).unwrap_or(u32::MAX);
        let walks = moka::sync::Cache::builder().max_capacity(REMEMBERED).weigher(weight);
        Self(walks.time_to_live(FRESH).build())
    }
}

impl Walks {
    /// The rooms of a tree as [`walk`] gives them; `anew` for the first page.
    ///
    /// # Errors
    /// See [`Source::all`].
    pub async fn walk<S: Source>(
        &self,
        source: &mut S,
        reader: Nid,
        root: &Preview,
        how: Walk,
        anew: bool,
    ) -> Result<Arc<Vec<Nid>>> {
        let key = (reader, root.room(), how);
        if let Some(known) = self.0.get(&key).filter(|_| !anew) {
            return Ok(known);
        }
        let rooms = Arc::new(walk(source, reader, root, how).await?);
        self.0.insert(key, Arc::clone(&rooms));
        Ok(rooms)
    }
}

/// What of the tree is known so far.
#[derive(Default)]
struct Tree {
    /// Numeric ids by Matrix id, of rooms that the reader may know of.
    rooms: HashMap<String, Nid>,
    /// Children by space, in their order.
    children: HashMap<Nid, Vec<String>>,
}

/// The rooms of the tree below (and with) a root that the reader may know of, in the order in which
/// they are shown.
///
/// # Errors
/// See [`Source::all`].
async fn walk<S: Source>(source: &mut S, reader: Nid, root: &Preview, how: Walk) -> Result<Vec<Nid>> {
    let mut tree = Tree::default();
    tree.rooms.insert(root.room_id().to_owned(), root.room());
    let mut asked: HashSet<String> = HashSet::from([root.room_id().to_owned()]);
    let mut level = vec![root.clone()];
    for _ in 0..how.max_depth.min(DEEPEST) {
        let mut next = Vec::new();
        for (space, children) in children(source, &level, how.suggested_only).await? {
            let ids: Vec<String> = children.iter().map(|child| child.room_id().to_owned()).collect();
            next.extend(
                ids.iter().filter(|id| asked.len() < LARGEST && asked.insert((*id).clone())).cloned(),
            );
            tree.children.insert(space, ids);
        }
        if next.is_empty() {
            break;
        }
        level = previews(source, reader, &next).await?;
        tree.rooms.extend(level.iter().map(|room| (room.room_id().to_owned(), room.room())));
    }
    Ok(tree.in_order(root.room(), how.max_depth.min(DEEPEST)))
}

impl Tree {
    /// Depth first, each room once.
    fn in_order(&self, root: Nid, max_depth: usize) -> Vec<Nid> {
        let mut order = Vec::with_capacity(self.rooms.len());
        let mut met = HashSet::new();
        let mut open = vec![(root, 0)];
        while let Some((room, depth)) = open.pop() {
            if !met.insert(room) {
                continue;
            }
            order.push(room);
            if depth == max_depth {
                continue;
            }
            let children = self.children.get(&room).into_iter().flatten();
            let known =
                children.filter_map(|child| self.rooms.get(child)).filter(|child| !met.contains(child));
            // The stack gives the last one back first.
            let next: Vec<_> = known.map(|child| (*child, depth + 1)).collect();
            open.extend(next.into_iter().rev());
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(edges: &[(Nid, &[Nid])]) -> Tree {
        let mut tree = Tree::default();
        for (space, children) in edges {
            for room in children.iter().chain([space]) {
                tree.rooms.insert(room.to_string(), *room);
            }
            tree.children.insert(*space, children.iter().map(ToString::to_string).collect());
        }
        tree
    }

    #[test]
    fn a_space_is_shown_with_what_is_in_it_before_its_next_sibling() {
        let tree = tree(&[(1, &[2, 5, 6]), (2, &[3, 4]), (6, &[7])]);
        assert_eq!(tree.in_order(1, 9), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(tree.in_order(1, 1), [1, 2, 5, 6]);
        assert_eq!(tree.in_order(1, 0), [1]);
    }

    #[test]
    fn circles_and_rooms_in_two_spaces_end() {
        let tree = tree(&[(1, &[1, 2, 3]), (2, &[1, 3]), (3, &[2, 4])]);
        assert_eq!(tree.in_order(1, 9), [1, 2, 3, 4]);
    }
}
