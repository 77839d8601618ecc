//! How long to wait before the next try, and how fast to go at all. Pure: time is passed in.

use crate::channel::Rate;
use kontor_model::{Ms, Random};
use std::collections::HashMap;

/// Shortest pause, milliseconds.
const SHORTEST: Ms = 500;
/// Longest pause.
const LONGEST: Ms = 120_000;

/// The pause after this many tries: doubled each time, and anything between half and all of that, so
/// that those who failed together do not come back together.
pub(crate) fn pause(tries: i64, random: &dyn Random) -> Ms {
    let doublings = u32::try_from(tries.clamp(0, 10)).unwrap_or(0);
    let whole = (SHORTEST << doublings).min(LONGEST);
    let mut dice = [0_u8; 2];
    random.fill(&mut dice);
    whole / 2 + whole / 2 * Ms::from(u16::from_be_bytes(dice)) / Ms::from(u16::MAX)
}

/// A token bucket, in thousandths of a token.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    filled: i64,
    at: Ms,
}

/// Token buckets by name; full ones are forgotten.
#[derive(Debug, Default)]
pub struct Buckets {
    buckets: HashMap<String, Bucket>,
}

/// Buckets that are remembered at most; then full ones are swept out, and if none is, everybody waits.
const MOST: usize = 20_000;

impl Buckets {
    /// Takes a token, or says how long to wait for one, milliseconds.
    ///
    /// # Errors
    /// The time to wait when the bucket is empty.
    pub fn take(&mut self, name: &str, rate: Rate, now: Ms) -> Result<(), Ms> {
        if rate.per_second == 0 {
            return Ok(());
        }
        let full = i64::from(rate.burst.max(1)) * 1000;
        let speed = i64::from(rate.per_second);
        if self.buckets.len() >= MOST && !self.buckets.contains_key(name) {
            self.buckets.retain(|_, bucket| bucket.filled + (now - bucket.at) * speed < full);
            if self.buckets.len() >= MOST {
                return Err(1000);
            }
        }
        let bucket = self.buckets.entry(name.to_owned()).or_insert(Bucket { filled: full, at: now });
        // One per second is one thousandth per millisecond.
        bucket.filled = (bucket.filled + (now - bucket.at).max(0) * speed).min(full);
        bucket.at = now;
        if bucket.filled >= 1000 {
            bucket.filled -= 1000;
            return Ok(());
        }
        Err((1000 - bucket.filled + speed - 1) / speed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Dice;

    #[test]
    fn pauses_grow_to_a_limit_and_are_never_nothing() {
        let dice = Dice::default();
        for tries in 0..100 {
            let whole = (SHORTEST << tries.min(10)).min(LONGEST);
            for _ in 0..20 {
                let pause = pause(tries, &dice);
                assert!((whole / 2..=whole).contains(&pause), "{tries}: {pause}");
            }
        }
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut buckets = Buckets::default();
        let rate = Rate { per_second: 2, burst: 3 };
        let mut taken = 0;
        let mut now = 1_000_000;
        let end = now + 10_000;
        while now < end {
            match buckets.take("x", rate, now) {
                Ok(()) => taken += 1,
                Err(wait) => {
                    assert!(wait > 0 && wait <= 500);
                    assert!(buckets.take("y", Rate::NONE, now).is_ok());
                    now += wait;
                }
            }
        }
        assert_eq!(taken, 3 + 19);
    }

    #[test]
    fn buckets_are_bounded() {
        let mut buckets = Buckets::default();
        let rate = Rate { per_second: 1, burst: 1 };
        for index in 0..MOST + 10 {
            let taken = buckets.take(&index.to_string(), rate, 0);
            assert_eq!(taken.is_ok(), index < MOST);
        }
        assert!(buckets.take("later", rate, 10_000).is_ok());
        assert_eq!(buckets.buckets.len(), 1);
    }
}
