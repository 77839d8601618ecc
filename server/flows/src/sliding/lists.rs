//! Which rooms a request reaches: lists after their filters, cut to their ranges, and subscriptions.

use super::directory::{Directory, Entry, Facts, Standing};
use super::request::{Filters, Request};
use super::told::State;
use super::wanted::Wanted;
use crate::sync::Reading;
use kontor_model::{Nid, Result};
use kontor_store::identity::account_data;
use kontor_store::sliding;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The rooms of one list.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// How many there are.
    pub count: usize,
    /// Those within its ranges.
    pub rooms: HashSet<Nid>,
}

/// What a request reaches.
#[derive(Debug, Default)]
pub(super) struct Reach {
    pub lists: BTreeMap<String, Listed>,
    pub subscribed: HashSet<Nid>,
    /// All of these rooms with what is wanted of them.
    pub rooms: HashMap<Nid, Wanted>,
}

/// What filters need to know beyond the rooms themselves.
#[derive(Debug, Default)]
struct Knowledge {
    direct: Arc<HashSet<String>>,
    tags: HashMap<Nid, HashSet<String>>,
    /// Children by the set of spaces that a filter names.
    children: HashMap<Vec<String>, HashSet<String>>,
}

/// Ids of the rooms that the user counts as direct chats.
pub(super) async fn direct_rooms(reading: &mut Reading<'_>) -> Result<HashSet<String>> {
    let user = reading.user();
    let row = account_data::one(&mut reading.snapshot, user, None, "m.direct").await?;
    let Some(row) = row else { return Ok(HashSet::new()) };
    let content =
        serde_json::from_str::<HashMap<String, serde_json::Value>>(&row.content).unwrap_or_default();
    let lists = content.into_values().filter_map(|rooms| rooms.as_array().cloned());
    Ok(lists.flatten().filter_map(|room| room.as_str().map(str::to_owned)).collect())
}

impl Reach {
    /// Finds the rooms of a request. The directory comes back with what had to be read for it.
    pub async fn of(
        reading: &mut Reading<'_>,
        request: &Request,
        mut directory: Arc<Directory>,
        direct: &Arc<HashSet<String>>,
        state: &State,
    ) -> Result<(Self, Arc<Directory>)> {
        let filters: Vec<&Filters> =
            request.lists.values().filter_map(|list| list.filters.as_ref()).collect();
        if filters.iter().any(|filter| filter.needs_facts()) {
            directory = directory.with_facts(reading).await?;
        }
        let knowledge = Knowledge::read(reading, &filters, direct).await?;
        let ignored = reading.ignored_nids().await?;
        let listed: Vec<&Entry> = (directory.order.iter())
            .filter_map(|room| directory.entries.get(room))
            .filter(|entry| is_listed(entry, state, &ignored))
            .collect();
        let mut reach = Self::default();
        for (name, list) in &request.lists {
            let wanted = Wanted::new(list.timeline_limit, &list.required_state);
            let filter = list.filters.as_ref();
            let rooms: Vec<Nid> = (listed.iter())
                .filter(|entry| filter.is_none_or(|filter| knowledge.admits(filter, entry, &directory)))
                .map(|entry| entry.room)
                .collect();
            let within = in_ranges(&rooms, &list.places());
            for room in &within {
                reach.want(*room, &wanted);
            }
            reach.lists.insert(name.clone(), Listed { count: rooms.len(), rooms: within });
        }
        for entry in listed {
            if let Some(room) = request.room_subscriptions.get(&*entry.room_id) {
                reach.want(entry.room, &Wanted::new(room.timeline_limit, &room.required_state));
                reach.subscribed.insert(entry.room);
            }
        }
        Ok((reach, directory))
    }

    fn want(&mut self, room: Nid, wanted: &Wanted) {
        self.rooms.entry(room).and_modify(|known| known.join(wanted)).or_insert_with(|| wanted.clone());
    }
}

/// Whether a room belongs to the user's lists at all.
fn is_listed(entry: &Entry, state: &State, ignored: &[Nid]) -> bool {
    match entry.standing {
        Standing::Joined | Standing::Knocked | Standing::Removed => true,
        Standing::Invited => !ignored.contains(&entry.sender),
        // Who leaves knows it; it is told where the room was told before.
        Standing::Left | Standing::Never => state.rooms.contains_key(&entry.room),
    }
}

/// The rooms at these places, first and last, in a list.
fn in_ranges(rooms: &[Nid], places: &[(u64, u64)]) -> HashSet<Nid> {
    let mut within = HashSet::new();
    for (first, last) in places {
        let first = usize::try_from(*first).unwrap_or(usize::MAX);
        let after = usize::try_from(*last).unwrap_or(usize::MAX).saturating_add(1).min(rooms.len());
        within.extend(rooms.get(first..after).into_iter().flatten());
    }
    within
}

impl Filters {
    fn needs_facts(&self) -> bool {
        self.is_encrypted.is_some()
            || self.room_types.is_some()
            || self.not_room_types.is_some()
            || self.room_name_like.is_some()
    }
}

impl Knowledge {
    async fn read(
        reading: &mut Reading<'_>,
        filters: &[&Filters],
        direct: &Arc<HashSet<String>>,
    ) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Content {
            tags: HashMap<String, serde::de::IgnoredAny>,
        }
        let user = reading.user();
        let mut knowledge = Self { direct: Arc::clone(direct), ..Self::default() };
        if filters.iter().any(|filter| filter.tags.is_some() || filter.not_tags.is_some()) {
            for (room, content) in sliding::tags(&mut reading.snapshot, user).await? {
                let tags = serde_json::from_str::<Content>(&content).map(|content| content.tags);
                knowledge.tags.insert(room, tags.unwrap_or_default().into_keys().collect());
            }
        }
        for filter in filters {
            let Some(spaces) = filter.spaces.as_ref().filter(|s| !knowledge.children.contains_key(*s)) else {
                continue;
            };
            let ids: Vec<&str> = spaces.iter().map(String::as_str).filter(|id| !id.contains('\0')).collect();
            let children = sliding::children(&mut reading.snapshot, user, &ids).await?;
            knowledge.children.insert(spaces.clone(), children);
        }
        Ok(knowledge)
    }

    fn admits(&self, filter: &Filters, entry: &Entry, directory: &Directory) -> bool {
        let equal = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        let of = |spaces: &Vec<String>| {
            self.children.get(spaces).is_some_and(|children| children.contains(&*entry.room_id))
        };
        let has_one = |tags: &Vec<String>| {
            self.tags.get(&entry.room).is_some_and(|mine| tags.iter().any(|tag| mine.contains(tag)))
        };
        equal(filter.is_invite, entry.standing == Standing::Invited)
            && equal(filter.is_dm, self.direct.contains(&*entry.room_id))
            && filter.spaces.as_ref().is_none_or(of)
            && filter.tags.as_ref().is_none_or(has_one)
            && !filter.not_tags.as_ref().is_some_and(has_one)
            && (!filter.needs_facts() || admits_facts(filter, &directory.facts(entry.room)))
    }
}

fn admits_facts(filter: &Filters, facts: &Facts) -> bool {
    let among = |types: &Vec<Option<String>>| types.contains(&facts.room_type);
    let named = |part: &String| {
        facts.name.as_ref().is_some_and(|name| name.to_lowercase().contains(&part.to_lowercase()))
    };
    filter.is_encrypted.is_none_or(|wanted| wanted == facts.encrypted)
        && filter.room_types.as_ref().is_none_or(among)
        && !filter.not_room_types.as_ref().is_some_and(among)
        && filter.room_name_like.as_ref().is_none_or(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sliding::told::Told;

    fn entry(standing: Standing) -> Entry {
        Entry { room: 1, room_id: "!a:x".into(), standing, event: 1, pos: 5, sender: 3, last_ord: 9 }
    }

    #[test]
    fn ranges_are_inclusive_may_overlap_and_end_where_the_list_ends() {
        let rooms = [10, 11, 12, 13, 14];
        let within = |places: &[(u64, u64)]| {
            let mut rooms: Vec<_> = in_ranges(&rooms, places).into_iter().collect();
            rooms.sort_unstable();
            rooms
        };
        assert_eq!(within(&[(0, 0)]), [10]);
        assert_eq!(within(&[(0, 1), (1, 2)]), [10, 11, 12]);
        assert_eq!(within(&[(3, u64::MAX)]), [13, 14]);
        assert_eq!(within(&[(0, 19)]), rooms);
        assert!(within(&[(5, 9), (7, 8)]).is_empty() && within(&[]).is_empty());
    }

    #[test]
    fn left_rooms_are_listed_while_the_client_has_them_and_ignored_invitations_never() {
        let mut state = State::default();
        assert!(is_listed(&entry(Standing::Joined), &state, &[3]));
        assert!(is_listed(&entry(Standing::Removed), &state, &[]));
        assert!(!is_listed(&entry(Standing::Left), &state, &[]));
        assert!(!is_listed(&entry(Standing::Never), &state, &[]));
        assert!(
            is_listed(&entry(Standing::Invited), &state, &[])
                && !is_listed(&entry(Standing::Invited), &state, &[3])
        );
        state.rooms.insert(1, Told::default());
        assert!(is_listed(&entry(Standing::Left), &state, &[]));
    }

    #[test]
    fn filters_must_all_hold() {
        let facts =
            Facts { encrypted: true, room_type: Some("m.space".into()), name: Some("Große Halle".into()) };
        let check = |json: &str| admits_facts(&serde_json::from_str(json).unwrap(), &facts);
        assert!(check(r#"{"is_encrypted":true,"room_types":["m.space"],"room_name_like":"HALLE"}"#));
        assert!(!check(r#"{"is_encrypted":false}"#) && !check(r#"{"room_types":[null]}"#));
        assert!(!check(r#"{"room_types":["m.space"],"not_room_types":["m.space"]}"#));
        assert!(check(r#"{"not_room_types":[null]}"#) && !check(r#"{"room_name_like":"Saal"}"#));
        let plain = Facts::default();
        assert!(admits_facts(
            &serde_json::from_str(r#"{"room_types":[null],"is_encrypted":false}"#).unwrap(),
            &plain
        ));
    }

    #[test]
    fn filters_know_direct_chats_tags_and_spaces() {
        let mut knowledge =
            Knowledge { direct: Arc::new(HashSet::from(["!a:x".into()])), ..Knowledge::default() };
        knowledge.tags.insert(1, HashSet::from(["a".into(), "b".into()]));
        knowledge.children.insert(vec!["!s:x".into()], HashSet::from(["!a:x".into()]));
        let directory = Directory::default();
        let check = |json: &str| {
            knowledge.admits(&serde_json::from_str(json).unwrap(), &entry(Standing::Joined), &directory)
        };
        assert!(check(r#"{"is_dm":true,"tags":["z","a"],"spaces":["!s:x"],"is_invited":false}"#));
        assert!(!check(r#"{"is_dm":false}"#) && !check(r#"{"tags":["a"],"not_tags":["b"]}"#));
        assert!(
            !check(r#"{"spaces":["!t:x"]}"#) && !check(r#"{"is_invite":true}"#) && !check(r#"{"tags":[]}"#)
        );
    }
}
