//! Snapshots of state as differences: how the next one is stored.
//!
//! A snapshot is a difference from the one before. When it is larger than half of its parent's own
//! difference the two become one, so sizes at least double downwards; and there are never more than
//! [`MAX_LAYERS`]. Both keep reading short and writing small: O(n log n) for n changes.

use crate::head::StateMap;
use kontor_model::Nid;
use kontor_store::rooms::snapshots::Layer;
use std::collections::{BTreeMap, BTreeSet};

/// Layers at most, the whole one included.
pub const MAX_LAYERS: usize = 8;

/// A state by numeric ids: event type and state key, event.
pub type Flat = BTreeMap<(String, Nid), Nid>;

/// A state by numeric ids.
pub fn flat(state: &StateMap) -> Flat {
    state.iter().map(|((kind, _), entry)| ((kind.to_string(), entry.key), entry.nid)).collect()
}

/// The state that layers stand for, the whole one first.
pub fn whole(layers: &[Layer]) -> Flat {
    let mut state = Flat::new();
    for layer in layers {
        for (kind, key) in &layer.removed {
            state.remove(&(kind.clone(), *key));
        }
        state.extend(layer.added.iter().map(|(kind, key, event)| ((kind.clone(), *key), *event)));
    }
    state
}

/// The layers of the next snapshot, the whole one first, given those of the newest one. Only the
/// last is new. `None` when the newest one is that state already.
pub fn next(newest: &[Layer], state: &Flat, snapshot: Nid) -> Option<Vec<Layer>> {
    let mut below = newest.to_vec();
    let (mut added, mut removed) = between(&whole(&below), state);
    if added.is_empty() && removed.is_empty() && !below.is_empty() {
        return None;
    }
    while let Some(parent) = below.last() {
        let size = added.len() + removed.len();
        if below.len() < MAX_LAYERS && size * 2 <= parent.added.len() + parent.removed.len() {
            break;
        }
        below.pop();
        (added, removed) = between(&whole(&below), state);
    }
    let parent = below.last().map(|layer| layer.snapshot);
    let layers = i64::try_from(below.len() + 1).unwrap_or(i64::MAX);
    below.push(Layer { snapshot, parent, layers, added, removed });
    Some(below)
}

type Difference = (Vec<(String, Nid, Nid)>, Vec<(String, Nid)>);

fn between(from: &Flat, to: &Flat) -> Difference {
    let changed = to.iter().filter(|(key, event)| from.get(*key) != Some(*event));
    let added = changed.map(|((kind, key), event)| (kind.clone(), *key, *event)).collect();
    let gone: BTreeSet<_> = from.keys().filter(|key| !to.contains_key(*key)).cloned().collect();
    (added, gone.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state(entries: &[(u8, i64)]) -> Flat {
        entries.iter().map(|(key, event)| (("t".to_owned(), i64::from(*key)), *event)).collect()
    }

    #[test]
    fn the_same_state_again_needs_no_snapshot() {
        let first = next(&[], &state(&[(1, 10), (2, 20)]), 100).unwrap();
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].parent, None);
        assert_eq!(next(&first, &state(&[(1, 10), (2, 20)]), 101), None);
        assert!(next(&[], &Flat::new(), 102).is_some(), "an empty state is a state as well");
    }

    #[test]
    fn a_small_difference_becomes_a_layer_and_a_large_one_does_not() {
        let many: Vec<_> = (0..100).map(|key| (key, 1)).collect();
        let first = next(&[], &state(&many), 1).unwrap();
        let mut changed = many.clone();
        changed[0].1 = 2;
        let second = next(&first, &state(&changed), 2).unwrap();
        assert_eq!((second.len(), second[1].parent, second[1].layers), (2, Some(1), 2));
        assert_eq!(second[1].added.len(), 1);
        let all: Vec<_> = (0..100).map(|key| (key, 3)).collect();
        let third = next(&second, &state(&all), 3).unwrap();
        assert_eq!((third.len(), third[0].parent), (1, None));
    }

    proptest! {
        #[test]
        fn any_history_of_states_reads_back_within_the_layers(
            steps in prop::collection::vec(prop::collection::vec((any::<u8>(), 0i64..4), 0..12), 1..60)
        ) {
            let mut current = Flat::new();
            let mut newest = Vec::new();
            let mut written = 0;
            let mut changes = 0;
            for (index, step) in steps.iter().enumerate() {
                for (key, event) in step {
                    changes += 1;
                    let key = ("t".to_owned(), i64::from(*key));
                    if *event == 0 { current.remove(&key); } else { current.insert(key, *event); }
                }
                if let Some(layers) = next(&newest, &current, index as i64) {
                    written += layers.last().map_or(0, |layer| layer.added.len() + layer.removed.len());
                    newest = layers;
                }
                prop_assert!(newest.len() <= MAX_LAYERS);
                prop_assert_eq!(&whole(&newest), &current);
            }
            prop_assert!(written <= changes * 8 + 8, "wrote {} for {} changes", written, changes);
        }
    }
}
