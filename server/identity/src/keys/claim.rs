//! Giving out one-time keys: each once; a device's fallback key when none is left.

use super::ONE_TIME_ALGORITHM;
use crate::Identity;
use kontor_model::{Code, Error, Nid, Result};
use kontor_store::Change;
use kontor_store::identity::keys::{self, KeyRow};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Devices of one claim.
const MOST_DEVICES: usize = 5_000;
/// How often it is tried when others take the last keys at the same moment.
const ROUNDS: usize = 8;

/// A claim under way: which devices still want a key, and what was found for the others.
#[derive(Debug, Default)]
pub struct Claim {
    names: HashMap<Nid, String>,
    open: BTreeSet<(Nid, String)>,
    found: Vec<KeyRow>,
    step: Option<Step>,
    rounds: usize,
}

/// What the change that was planned last does.
#[derive(Debug)]
enum Step {
    /// Takes one-time keys, under this numeric id.
    Take(Nid),
    /// Notes that fallback keys are given out.
    FallBack(Vec<KeyRow>),
}

impl Claim {
    fn devices(&self) -> Vec<(Nid, &str)> {
        self.open.iter().map(|(user, device)| (*user, device.as_str())).collect()
    }

    fn give(&mut self, rows: Vec<KeyRow>) {
        for row in rows {
            if self.open.remove(&(row.user, row.device_id.clone())) {
                self.found.push(row);
            }
        }
    }

    /// What was found: by user, device and `algorithm:id`.
    ///
    /// # Errors
    /// `Internal` when the archive holds something else than JSON, which would be a defect.
    pub fn into_keys(self) -> Result<Map<String, Value>> {
        let mut users = Map::new();
        for row in self.found {
            let Some(user_id) = self.names.get(&row.user) else { continue };
            let key: Value = serde_json::from_str(&row.content).map_err(Error::internal)?;
            let name = format!("{}:{}", row.algorithm, row.key_id);
            let devices = users.entry(user_id.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Some(devices) = devices.as_object_mut() {
                devices.insert(row.device_id, Value::Object(Map::from_iter([(name, key)])));
            }
        }
        Ok(users)
    }
}

impl Identity {
    /// Begins a claim: by user and device the algorithm that is wanted. Users of other servers must
    /// have been sorted out; unknown users and devices are passed over.
    ///
    /// # Errors
    /// `TooLarge` for too many devices at once.
    pub async fn claim(&self, wanted: &BTreeMap<String, BTreeMap<String, String>>) -> Result<Claim> {
        if wanted.values().map(BTreeMap::len).sum::<usize>() > MOST_DEVICES {
            return Err(Error::new(Code::TooLarge, format!("One request may claim {MOST_DEVICES} keys.")));
        }
        let user_ids: Vec<&str> = wanted.keys().map(String::as_str).collect();
        let mut claim = Claim::default();
        for (user, user_id) in keys::accounts(&mut self.store.reader(), &user_ids).await? {
            let devices = wanted.get(&user_id).into_iter().flatten();
            let of_ours = devices.filter(|(device, algorithm)| {
                *algorithm == ONE_TIME_ALGORITHM && super::query::storable(device)
            });
            claim.open.extend(of_ours.map(|(device, _)| (user, device.clone())));
            claim.names.insert(user, user_id);
        }
        Ok(claim)
    }

    /// Plans the next step of a claim; `None` when it is over. The change must be submitted, and its
    /// outcome told to [`Identity::settle_claim`].
    ///
    /// # Errors
    /// `Unavailable` when the database is gone, or others are quicker again and again.
    pub async fn plan_claim(&self, claim: &mut Claim) -> Result<Option<Change>> {
        if claim.open.is_empty() {
            return Ok(None);
        }
        if claim.rounds == ROUNDS {
            let message = "Others claim the same keys right now. Try again in a moment.";
            return Err(Error::new(Code::Unavailable, message));
        }
        claim.rounds += 1;
        let mut reader = self.store.reader();
        let devices = claim.devices();
        let waiting = keys::with_one_time_key(&mut reader, ONE_TIME_ALGORITHM, &devices).await?;
        let mut change = Change::default();
        if !waiting.is_empty() {
            let waiting: Vec<_> = waiting.iter().map(|(user, device)| (*user, device.as_str())).collect();
            let nid = self.store.nid().await?;
            change.claim_one_time_keys(nid, ONE_TIME_ALGORITHM, &waiting, self.now());
            claim.step = Some(Step::Take(nid));
            return Ok(Some(change));
        }
        let fallback = keys::fallback_keys_of(&mut reader, &devices).await?;
        let (used, fresh): (Vec<_>, Vec<_>) = fallback.into_iter().partition(|key| key.used);
        claim.give(used);
        if fresh.is_empty() {
            return Ok(None);
        }
        for key in &fresh {
            change.use_fallback_key(key);
        }
        claim.step = Some(Step::FallBack(fresh));
        Ok(Some(change))
    }

    /// Takes in what became of the change that was planned last.
    ///
    /// # Errors
    /// `Unavailable` when the database is gone.
    pub async fn settle_claim(&self, claim: &mut Claim, committed: bool) -> Result<()> {
        match claim.step.take().filter(|_| committed) {
            Some(Step::Take(nid)) => claim.give(keys::claimed(&mut self.store.reader(), nid).await?),
            Some(Step::FallBack(rows)) => claim.give(rows),
            None => {}
        }
        Ok(())
    }
}
