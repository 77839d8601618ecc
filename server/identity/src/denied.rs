//! Refused tries in the audit log: the first ten a minute of each address and kind singly, the rest
//! as one counted row, so that guessing fills neither the log nor the disk.

use crate::{Identity, lock};
use kontor_model::Ms;
use kontor_store::Change;
use kontor_store::audit::{Action, Actor, Audit, Outcome};
use std::collections::HashMap;
use std::sync::Mutex;

/// Rows a minute that are written singly.
const SINGLY: u32 = 10;
/// Addresses remembered; beyond them tries are counted together.
const ADDRESSES: usize = 10_000;
const MINUTE: Ms = 60_000;

type Key = (Option<String>, Action);

#[derive(Default)]
struct Counts {
    minute: i64,
    by_key: HashMap<Key, u32>,
}

/// Counts of the present minute.
#[derive(Default)]
pub(crate) struct Denied(Mutex<Counts>);

/// What to write for a refused try.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    singly: bool,
    /// Of the minute before: address, kind, how many were not written.
    counted: Vec<(Option<String>, Action, u32)>,
}

impl Denied {
    fn counted(&self, now: Ms) -> Vec<(Option<String>, Action, u32)> {
        let mut counts = lock(&self.0);
        if counts.minute == now.div_euclid(MINUTE) {
            return Vec::new();
        }
        counts.minute = now.div_euclid(MINUTE);
        let old = std::mem::take(&mut counts.by_key);
        let more = |((ip, action), n): (Key, u32)| (n > SINGLY).then(|| (ip, action, n - SINGLY));
        old.into_iter().filter_map(more).collect()
    }

    fn note(&self, ip: Option<String>, action: Action, now: Ms) -> Verdict {
        let counted = self.counted(now);
        let mut counts = lock(&self.0);
        let full = counts.by_key.len() >= ADDRESSES && !counts.by_key.contains_key(&(ip.clone(), action));
        let key = if full { (None, action) } else { (ip, action) };
        let n = counts.by_key.entry(key).or_default();
        *n += 1;
        Verdict { singly: *n <= SINGLY, counted }
    }
}

impl Identity {
    /// What the audit log says of a refused try; nothing when enough was said this minute.
    ///
    /// `target` is the id of what was tried on, never what the person typed.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn denied(
        &self,
        action: Action,
        actor: Actor,
        target: Option<(&'static str, String)>,
    ) -> kontor_model::Result<Option<Change>> {
        let now = self.now();
        let verdict = self.denied.note(actor.ip.clone(), action, now);
        let mut change = Change::default();
        if verdict.singly {
            let mut audit = Audit::done(action, actor, now);
            audit.outcome = Outcome::Denied;
            if let Some((kind, id)) = target {
                audit = audit.on(kind, id);
            }
            change.audit(self.store.nid().await?, audit);
        }
        self.add_counted(&mut change, verdict.counted, now).await?;
        Ok(Some(change).filter(|change| !change.is_empty()))
    }

    /// The counted rows of a minute that is over.
    pub(crate) async fn denied_counts(&self, change: &mut Change, now: Ms) -> kontor_model::Result<()> {
        let counted = self.denied.counted(now);
        self.add_counted(change, counted, now).await
    }

    async fn add_counted(
        &self,
        change: &mut Change,
        counted: Vec<(Option<String>, Action, u32)>,
        now: Ms,
    ) -> kontor_model::Result<()> {
        for (ip, action, count) in counted {
            let mut audit = Audit::done(action, Actor { ip, ..Actor::default() }, now);
            audit.outcome = Outcome::Denied;
            audit.detail = Some(format!("{{\"count\":{count}}}"));
            change.audit(self.store.nid().await?, audit);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_a_minute_are_told_singly_and_the_rest_is_counted() {
        let denied = Denied::default();
        let ip = || Some("192.0.2.1".to_owned());
        for n in 0..25 {
            let verdict = denied.note(ip(), Action::AuthLoginFailed, 60_000);
            assert_eq!(verdict.singly, n < 10);
            assert!(verdict.counted.is_empty());
        }
        assert!(denied.note(Some("192.0.2.2".into()), Action::AuthLoginFailed, 60_000).singly);
        let next = denied.note(ip(), Action::AuthLoginFailed, 120_000);
        assert_eq!(next, Verdict { singly: true, counted: vec![(ip(), Action::AuthLoginFailed, 15)] });
    }

    #[test]
    fn many_addresses_do_not_take_memory_without_end() {
        let denied = Denied::default();
        for n in 0..ADDRESSES + 500 {
            denied.note(Some(n.to_string()), Action::AuthLoginFailed, 1);
        }
        assert!(lock(&denied.0).by_key.len() <= ADDRESSES + 1);
    }
}
