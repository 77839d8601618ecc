//! How often who may do what. In memory, bounded, and time is passed in.

use kontor_model::{Code, Error, Ms, Result};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// Buckets that are remembered at most. Beyond that, full ones are swept out; if none is, newcomers wait.
const MOST: usize = 50_000;

/// So many in so long.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// How many at once, and in `window`.
    pub count: u32,
    /// Milliseconds.
    pub window: Ms,
}

impl Quota {
    /// So many in so many seconds.
    pub fn of(count: u32, seconds: Ms) -> Self {
        Self { count, window: seconds * 1000 }
    }
}

/// A bucket holds time: `window` is full, each act costs `window / count`.
#[derive(Clone, Copy)]
struct Bucket {
    held: Ms,
    at: Ms,
    window: Ms,
}

/// All buckets.
#[derive(Default)]
pub struct Limiter(Mutex<HashMap<(&'static str, String), Bucket>>);

impl Limiter {
    /// Takes one, or refuses.
    ///
    /// # Errors
    /// `LimitExceeded` with the time to wait.
    pub fn take(&self, what: &'static str, who: &str, quota: Quota, now: Ms) -> Result<()> {
        if quota.count == 0 {
            return Err(exceeded(quota.window));
        }
        let cost = (quota.window / Ms::from(quota.count)).max(1);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (what, who.to_owned());
        if buckets.len() >= MOST && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| bucket.held + (now - bucket.at) < bucket.window);
            if buckets.len() >= MOST {
                return Err(exceeded(1000));
            }
        }
        let full = cost * Ms::from(quota.count);
        let bucket = buckets.entry(key).or_insert(Bucket { held: full, at: now, window: full });
        bucket.held = (bucket.held + (now - bucket.at).max(0)).min(full);
        bucket.at = now;
        if bucket.held < cost {
            return Err(exceeded(cost - bucket.held));
        }
        bucket.held -= cost;
        Ok(())
    }
}

fn exceeded(wait: Ms) -> Error {
    let retry_after_ms = u64::try_from(wait).unwrap_or(1000);
    Error::new(Code::LimitExceeded { retry_after_ms }, "Too many at once. Wait a little and try again.")
}

/// The name of whoever is behind an address: of IPv6, the network that one customer has.
pub fn neighbourhood(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_so_long_and_then_one_by_one() {
        let limiter = Limiter::default();
        let quota = Quota::of(10, 30);
        let take = |now| limiter.take("message", "x", quota, now);
        for _ in 0..10 {
            take(1_000_000).unwrap();
        }
        let Code::LimitExceeded { retry_after_ms } = take(1_000_000).unwrap_err().code else { panic!() };
        assert_eq!(retry_after_ms, 3000);
        assert!(take(1_002_999).is_err());
        assert!(take(1_003_000).is_ok());
        assert!(take(1_003_000).is_err());
        assert!(limiter.take("session", "x", quota, 1_003_000).is_ok(), "other acts have their own");
        assert!(limiter.take("message", "x", Quota::of(0, 1), 2_000_000).is_err(), "none is none");
    }

    #[test]
    fn the_memory_is_bounded_and_frees_itself() {
        let limiter = Limiter::default();
        let quota = Quota::of(1, 1);
        for index in 0..MOST + 5 {
            assert_eq!(limiter.take("a", &index.to_string(), quota, 0).is_ok(), index < MOST);
        }
        assert!(limiter.take("a", "later", quota, 1000).is_ok());
        assert_eq!(limiter.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn one_customer_of_a_provider_is_one_neighbourhood() {
        let name = |text: &str| neighbourhood(text.parse().unwrap());
        assert_eq!(name("2001:db8:1:2:3::4"), name("2001:db8:1:2:ffff::1"));
        assert_ne!(name("2001:db8:1:2::1"), name("2001:db8:1:3::1"));
        assert_eq!(name("::ffff:192.0.2.1"), name("192.0.2.1"));
    }
}
