//! When and from where devices were seen: noted in memory, written in batches.

use crate::lock;
use kontor_model::{Ms, Nid};
use std::collections::HashMap;
use std::sync::Mutex;

/// How often what was noted is written. Nobody needs it to the minute, and every client that waits in a
/// sync is seen twice in one.
const EVERY: Ms = 5 * 60_000;
/// Devices noted before it is written early.
const MOST: usize = 10_000;

/// A device that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub user: Nid,
    pub device_id: String,
    pub ts: Ms,
    pub ip: Option<String>,
}

#[derive(Default)]
struct Noted {
    devices: HashMap<Nid, Sighting>,
    written: Ms,
}

#[derive(Default)]
pub(crate) struct Seen(Mutex<Noted>);

impl Seen {
    /// Notes a sighting of a session's device.
    pub fn note(&self, session: Nid, sighting: impl FnOnce() -> Sighting, now: Ms) {
        let mut noted = lock(&self.0);
        // Within a second nothing new is learned; most requests end here.
        if noted.devices.get(&session).is_none_or(|old| now - old.ts >= 1_000) {
            noted.devices.insert(session, sighting());
        }
    }

    /// What is to be written now, if it is time.
    pub fn due(&self, now: Ms) -> Vec<Sighting> {
        let mut noted = lock(&self.0);
        if noted.devices.len() < MOST && now - noted.written < EVERY {
            return Vec::new();
        }
        noted.written = now;
        noted.devices.drain().map(|(_, sighting)| sighting).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sightings_are_written_together_and_only_now_and_then() {
        let seen = Seen::default();
        let sighting = |ts| Sighting { user: 1, device_id: "A".into(), ts, ip: None };
        assert!(seen.due(100_000).is_empty(), "nothing was seen");
        for ts in [100_001, 100_002, 105_000] {
            seen.note(7, || sighting(ts), ts);
        }
        assert!(seen.due(106_000).is_empty(), "too early");
        assert_eq!(seen.due(400_000), [sighting(105_000)]);
        assert!(seen.due(900_000).is_empty(), "written once");
    }

    #[test]
    fn many_devices_are_written_early() {
        let seen = Seen::default();
        let _ = seen.due(100_000);
        for session in 0..10_000 {
            seen.note(session, || Sighting { user: session, device_id: "A".into(), ts: 1, ip: None }, 1);
        }
        assert_eq!(seen.due(100_001).len(), 10_000);
    }
}
