//! What becomes due beside the requests: first uses of refreshed tokens, sightings of devices,
//! counted refusals, and tidying up. The caller of a request asks whether something is due and
//! submits it; when nobody asks for anything, nothing is due.

use crate::{Identity, lock};
use kontor_model::{Ms, Nid, Result};
use kontor_store::Change;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// How often it is looked whether something is due.
const LOOK: Ms = 1_000;
/// How often expired rows go.
const TIDY: Ms = 60 * 60 * 1000;
/// How long ended sessions are remembered, so that their tokens are told why.
const ENDED: Ms = 30 * 24 * 60 * 60 * 1000;
/// How long one-time keys that were given out and requests of messages to devices are remembered.
const GIVEN_OUT: Ms = 30 * 24 * 60 * 60 * 1000;
/// How long user-interactive authentication may take.
pub(crate) const UIA_LIFE: Ms = 24 * 60 * 60 * 1000;

#[derive(Default)]
pub(crate) struct State {
    /// Sessions whose client used a token of a generation for the first time.
    generations: Mutex<HashMap<Nid, i64>>,
    any_generation: AtomicBool,
    looked: AtomicI64,
    tidied: AtomicI64,
}

/// Something to submit.
#[derive(Debug)]
pub struct Upkeep {
    /// What to write.
    pub change: Change,
    /// Whether the request should wait for it: the first use of a token makes the one before it
    /// worthless, and that must be known before the client goes on.
    pub urgent: bool,
}

impl State {
    pub fn note_generation(&self, session: Nid, generation: i64) {
        lock(&self.generations).insert(session, generation);
        self.any_generation.store(true, Ordering::Release);
    }

    /// The generation that was noted and perhaps not written yet.
    pub fn generation(&self, session: Nid) -> i64 {
        lock(&self.generations).get(&session).copied().unwrap_or(0)
    }

    /// Claims a turn that comes every `every` milliseconds, for one of those who ask.
    fn turn(last: &AtomicI64, now: Ms, every: Ms) -> bool {
        let old = last.load(Ordering::Relaxed);
        now - old >= every && last.compare_exchange(old, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

impl Identity {
    /// What is due now; almost always nothing, at the cost of two atomic reads.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn due(&self) -> Result<Option<Upkeep>> {
        let mut change = Change::default();
        let urgent = self.upkeep.any_generation.swap(false, Ordering::AcqRel);
        if urgent {
            for (session, generation) in lock(&self.upkeep.generations).drain() {
                change.note_generation(session, generation);
            }
        }
        let now = self.now();
        if State::turn(&self.upkeep.looked, now, LOOK) {
            for seen in self.seen.due(now) {
                change.note_seen(seen.user, &seen.device_id, seen.ts, seen.ip);
            }
            self.denied_counts(&mut change, now).await?;
            if State::turn(&self.upkeep.tidied, now, TIDY) {
                change.tidy_sessions(now - ENDED, now);
                change.tidy_uia_sessions(now - UIA_LIFE);
                change.tidy_device_keys(now - GIVEN_OUT);
                change.tidy_openid_tokens(now);
                change.tidy_validations(now - crate::threepid::VALIDATION_LIFE);
            }
        }
        Ok(Some(Upkeep { change, urgent }).filter(|due| !due.change.is_empty()))
    }
}
