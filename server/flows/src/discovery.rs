//! Finding rooms: the tree of a space, one room before joining it, the room directory.

use crate::Flows;
use kontor_model::position::as_given_out;
use kontor_model::{Code, Error, Nid, Requester, Result};
use kontor_rooms::card::{Child, Preview};
use kontor_rooms::directory::{Page, Wanted};
use kontor_rooms::space::{self, DEEPEST, Walk};
use kontor_store::Snapshot;
use kontor_store::identity::sessions;
use ruma::{RoomId, ServerName};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// Rooms of one page of a tree at most, and when nothing is asked for.
const LARGEST_PAGE: usize = 50;

/// A part of a space's tree that is asked for.
#[derive(Clone, Debug, Default)]
pub struct HierarchyRequest {
    /// Only children that their space recommends; as before if absent.
    pub suggested_only: Option<bool>,
    /// How many steps from the root, at most; as before if absent.
    pub max_depth: Option<usize>,
    /// At most so many rooms.
    pub limit: Option<usize>,
    /// Where to go on.
    pub from: Option<TreePlace>,
}

/// A place in a space's tree, with the way in which it was walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreePlace {
    root: Nid,
    told: usize,
    walk: Walk,
}

impl fmt::Display for TreePlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root, told, walk } = self;
        write!(formatter, "h{root}_{told}_{}_{}", u8::from(walk.suggested_only), walk.max_depth)
    }
}

impl FromStr for TreePlace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.strip_prefix('h').unwrap_or_default().split('_').collect();
        let [root, told, suggested, depth] = parts.as_slice() else { return Err(forged()) };
        let suggested_only = match *suggested {
            "0" => false,
            "1" => true,
            _ => return Err(forged()),
        };
        let max_depth = depth.parse().ok().filter(|depth| *depth <= DEEPEST).ok_or_else(forged)?;
        let place = Self {
            root: root.parse().map_err(|_| forged())?,
            told: told.parse().map_err(|_| forged())?,
            walk: Walk { suggested_only, max_depth },
        };
        as_given_out(place, text).ok_or_else(forged)
    }
}

fn forged() -> Error {
    Error::invalid_param("This place in the space was not given out by this server.")
}

/// A room of a space's tree.
#[derive(Debug, Serialize)]
pub struct TreeRoom {
    #[serde(flatten)]
    room: Preview,
    /// The children that it names, if it is a space.
    children_state: Vec<Child>,
}

/// A part of a space's tree.
#[derive(Debug, Serialize)]
pub struct Hierarchy {
    rooms: Vec<TreeRoom>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_batch: Option<String>,
}

impl Flows {
    /// A moment of the archive in which the reader's session lives.
    ///
    /// # Errors
    /// `UnknownToken` when the session ended.
    pub(crate) async fn moment_of(&self, reader: &Requester) -> Result<Snapshot<'_>> {
        let mut snapshot = self.store.snapshot().await?;
        let guard = sessions::guard(&mut snapshot, reader.session, reader.user).await?;
        if guard.ended || guard.epoch != reader.epoch {
            let ended = Code::UnknownToken { soft_logout: false };
            return Err(Error::new(ended, "Your session ended. Log in again."));
        }
        Ok(snapshot)
    }

    /// A part of the tree below a space, with those rooms that the reader may know of.
    ///
    /// # Errors
    /// `Forbidden` when the space does not exist or the reader may not know of it; `InvalidParam`
    /// for forged places and when the way of walking changes between pages.
    pub async fn hierarchy(
        &self,
        reader: &Requester,
        room_id: &RoomId,
        request: &HierarchyRequest,
    ) -> Result<Hierarchy> {
        let mut snapshot = self.moment_of(reader).await?;
        let unknown = || Error::forbidden("There is no such space, or you may not look into it.");
        let root = space::previews(&mut snapshot, reader.user, &[room_id.as_str()]).await?;
        let root = root.into_iter().next().ok_or_else(unknown)?;
        let (walk, told) = request.way(root.room())?;
        let anew = request.from.is_none();
        let order = self.rooms.walks.walk(&mut snapshot, reader.user, &root, walk, anew).await?;
        let limit = request.limit.unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE);
        let to = told.saturating_add(limit).min(order.len());
        let page = order.get(told..to).unwrap_or_default();
        let previews = space::previews_in_order(&mut snapshot, reader.user, page).await?;
        let mut children = space::children(&mut snapshot, &previews, walk.suggested_only).await?;
        let told = |room: Preview| {
            let children_state = children.remove(&room.room()).unwrap_or_default();
            TreeRoom { room, children_state }
        };
        let rooms = previews.into_iter().map(told).collect();
        let next = TreePlace { root: root.room(), told: to, walk };
        Ok(Hierarchy { rooms, next_batch: (to < order.len()).then(|| next.to_string()) })
    }

    /// A room as the reader may know it without being in it.
    ///
    /// # Errors
    /// `NotFound` when it does not exist or the reader may not know of it.
    pub async fn room_summary(&self, reader: &Requester, room_id: &RoomId) -> Result<Preview> {
        let mut snapshot = self.moment_of(reader).await?;
        let found = space::previews(&mut snapshot, reader.user, &[room_id.as_str()]).await?;
        let unknown = || Error::not_found("There is no such room, or you may not know of it.");
        found.into_iter().next().ok_or_else(unknown)
    }

    /// A page of a server's room directory.
    ///
    /// # Errors
    /// `NotFound` for the directories of other servers.
    pub async fn public_rooms(&self, server: Option<&str>, wanted: &Wanted) -> Result<Page> {
        match server.filter(|server| !server.is_empty()) {
            Some(name) if ServerName::parse(name).is_err() => {
                return Err(Error::invalid_param("The parameter server is not the name of a server."));
            }
            Some(name) if name != self.settings.server_name => {
                return Err(Error::not_found(format!(
                    "The rooms of {name} cannot be listed: this server does not talk to others yet."
                )));
            }
            _ => {}
        }
        self.rooms.directory.page(&self.store, wanted).await
    }
}

impl HierarchyRequest {
    /// How to walk, and how many rooms were told before.
    fn way(&self, root: Nid) -> Result<(Walk, usize)> {
        let (asked, depth) = (self.suggested_only, self.max_depth.map(|depth| depth.min(DEEPEST)));
        let Some(from) = self.from else {
            let walk = Walk { suggested_only: asked.unwrap_or(false), max_depth: depth.unwrap_or(DEEPEST) };
            return Ok((walk, 0));
        };
        if from.root != root {
            return Err(forged());
        }
        if asked.is_some_and(|asked| asked != from.walk.suggested_only)
            || depth.is_some_and(|depth| depth != from.walk.max_depth)
        {
            return Err(Error::invalid_param(
                "suggested_only and max_depth must be those of the first page. Begin again without from.",
            ));
        }
        Ok((from.walk, from.told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_a_tree_keep_the_way_of_walking() {
        let place: TreePlace = "h7_20_1_3".parse().unwrap();
        assert_eq!(place.to_string(), "h7_20_1_3");
        for bad in [
            "",
            "h",
            "h1_2_3",
            "h1_2_2_3",
            "h1_2_0_99",
            "hx_2_0_1",
            "7_20_1_3",
            "h1_-2_0_1",
            "h1_2_0_1_1",
            "h+1_2_0_1",
            "h1_02_0_1",
        ] {
            assert!(bad.parse::<TreePlace>().is_err(), "{bad}");
        }
        let request = |suggested_only, max_depth| HierarchyRequest {
            suggested_only,
            max_depth,
            limit: None,
            from: Some(place),
        };
        assert!(request(None, None).way(7).is_ok() && request(Some(true), Some(3)).way(7).is_ok());
        for bad in
            [request(Some(false), None).way(7), request(None, Some(2)).way(7), request(None, None).way(8)]
        {
            assert_eq!(bad.unwrap_err().code, Code::InvalidParam);
        }
    }
}
