//! Access tokens that were checked a moment ago, so that a busy client costs no statement.
//!
//! An entry stands until a position of [`Stream::Kill`] of its user that is newer than what the
//! entry was read from. Positions reach this process at once for its own commits and within half a
//! second for those of others, so an ended session is refused as fast.

use crate::lock;
use crate::tokens::Hash;
use kontor_model::{Ms, Nid, Pos, Requester};
use kontor_store::Stream;
use kontor_store::log::Log;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// Tokens remembered; about 300 bytes each.
const REMEMBERED: u64 = 50_000;
/// Unused for so long, a token is forgotten.
const IDLE: Duration = Duration::from_secs(15 * 60);
/// Users whose sessions ended that are remembered one by one.
const KILLS: usize = 10_000;

#[derive(Clone)]
struct Entry {
    requester: Requester,
    expires_ts: Option<Ms>,
    read_at: Pos,
}

/// What is known of a token.
pub(crate) enum Lookup {
    /// It is good.
    Good(Requester),
    /// It was good and expired.
    Expired,
    /// Ask the archive.
    Unknown,
}

pub(crate) struct Known {
    tokens: moka::sync::Cache<Hash, Entry>,
    kills: Mutex<Kills>,
}

/// Up to where the log was looked through for ended sessions, and whose it found.
#[derive(Default)]
struct Kills {
    upto: Pos,
    /// Entries read before this are void, whoever they belong to.
    floor: Pos,
    by_user: HashMap<Nid, Pos>,
}

impl Default for Known {
    fn default() -> Self {
        let tokens = moka::sync::Cache::builder().max_capacity(REMEMBERED).time_to_idle(IDLE).build();
        Self { tokens, kills: Mutex::default() }
    }
}

impl Kills {
    fn catch_up(&mut self, log: &Log) {
        let newest = log.newest();
        if newest <= self.upto {
            return;
        }
        match log.between(self.upto, newest) {
            Some(entries) => {
                for entry in entries.iter().filter(|entry| entry.row.stream == Stream::Kill) {
                    if let Some(user) = entry.row.user {
                        self.by_user.insert(user, Pos(entry.pos));
                    }
                }
            }
            // Fell behind what the log remembers: nothing that was known is sure any more.
            None => self.forget_until(newest),
        }
        if self.by_user.len() > KILLS {
            self.forget_until(newest);
        }
        self.upto = newest;
    }

    fn forget_until(&mut self, newest: Pos) {
        self.floor = newest;
        self.by_user.clear();
    }

    fn since(&self, user: Nid) -> Pos {
        self.by_user.get(&user).copied().unwrap_or_default().max(self.floor)
    }
}

impl Known {
    pub fn look_up(&self, hash: &Hash, log: &Log, now: Ms) -> Lookup {
        let Some(entry) = self.tokens.get(hash) else { return Lookup::Unknown };
        let ended = {
            let mut kills = lock(&self.kills);
            kills.catch_up(log);
            kills.since(entry.requester.user)
        };
        if entry.read_at < ended {
            self.tokens.invalidate(hash);
            return Lookup::Unknown;
        }
        if entry.expires_ts.is_some_and(|expires| expires <= now) {
            return Lookup::Expired;
        }
        Lookup::Good(entry.requester)
    }

    /// Remembers a good token; `read_at` is a position that was known before it was read.
    pub fn remember(&self, hash: Hash, requester: Requester, expires_ts: Option<Ms>, read_at: Pos) {
        self.tokens.insert(hash, Entry { requester, expires_ts, read_at });
    }
}
