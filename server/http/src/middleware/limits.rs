//! Request budgets: buckets that fill with time and are emptied by requests, a bounded number of
//! them. Logging in is stricter than the rest, so that passwords cannot be guessed.

use crate::app::App;
use crate::extract::Origin;
use kontor_model::{Code, Error, Ms, Nid, Requester, Result};
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// Buckets remembered, about 80 bytes each.
const REMEMBERED: usize = 50_000;

/// Whose bucket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Requests of an account.
    User(Nid),
    /// Requests without an account from an address.
    Anonymous(IpAddr),
    /// Mails to somebody, by a hash of the address.
    MailTo(u64),
    /// Guests made from an address.
    GuestFrom(IpAddr),
    /// Requests of a guest.
    Guest(Nid),
    /// Logins from an address.
    LoginFrom(IpAddr),
    /// Logins as somebody, by a hash of the name, whether it exists or not.
    LoginAs(u64),
    /// Logins as somebody from an address.
    LoginAsFrom(u64, IpAddr),
}

/// How much a bucket holds, and how many requests a second it regains.
#[derive(Clone, Copy)]
struct Budget {
    burst: f64,
    per_second: f64,
}

impl Key {
    fn budget(self) -> Budget {
        let (burst, per_second) = match self {
            Self::User(_) => (300.0, 50.0),
            Self::Anonymous(_) => (60.0, 2.0),
            // Nobody's mailbox is filled by asking for mails in their name.
            Self::MailTo(_) => (5.0, 1.0 / 300.0),
            Self::GuestFrom(_) => (10.0, 0.02),
            Self::Guest(_) => (60.0, 5.0),
            // A company may sit behind one address.
            Self::LoginFrom(_) => (100.0, 2.0),
            // Wide, so that a stranger's guessing does not lock the person out.
            Self::LoginAs(_) => (50.0, 0.2),
            Self::LoginAsFrom(..) => (10.0, 0.1),
        };
        Budget { burst, per_second }
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    at: Ms,
}

/// Request budgets per caller; a bounded number of callers is remembered.
#[derive(Default)]
pub struct Limits {
    buckets: Mutex<HashMap<Key, Bucket>>,
}

impl Limits {
    /// Takes one request out of the caller's budget.
    ///
    /// # Errors
    /// `LimitExceeded` when it is used up.
    pub fn spend(&self, app: &App, requester: &Requester) -> Result<()> {
        if app.settings.rate_limits {
            let key = if requester.guest { Key::Guest(requester.user) } else { Key::User(requester.user) };
            self.take(&[key], app.clock.now())
        } else {
            Ok(())
        }
    }

    /// Takes one request out of the budget of an address that has not logged in.
    ///
    /// # Errors
    /// `LimitExceeded` when it is used up.
    pub fn spend_anonymous(&self, app: &App, origin: &Origin) -> Result<()> {
        if app.settings.rate_limits {
            self.take(&[Key::Anonymous(network(origin.ip))], app.clock.now())
        } else {
            Ok(())
        }
    }

    /// Takes one mail out of the budgets of the address that asks for it and of the one that gets it.
    ///
    /// # Errors
    /// `LimitExceeded` when one of them is used up.
    pub fn spend_mail(&self, app: &App, origin: &Origin, to: &str) -> Result<()> {
        if !app.settings.rate_limits {
            return Ok(());
        }
        let mut hasher = DefaultHasher::new();
        to.trim().to_lowercase().hash(&mut hasher);
        let keys = [Key::Anonymous(network(origin.ip)), Key::MailTo(hasher.finish())];
        self.take(&keys, app.clock.now())
    }

    /// Takes one guest out of the budget of the address that asks for one.
    ///
    /// # Errors
    /// `LimitExceeded` when it is used up.
    pub fn spend_guest(&self, app: &App, origin: &Origin) -> Result<()> {
        if app.settings.rate_limits {
            self.take(&[Key::GuestFrom(network(origin.ip))], app.clock.now())
        } else {
            Ok(())
        }
    }

    /// Takes one try to log in, or to prove a password, out of the budgets of the address and of the
    /// user that is named.
    ///
    /// # Errors
    /// `LimitExceeded` when one of them is used up.
    pub fn spend_login(&self, app: &App, origin: &Origin, user: Option<&str>) -> Result<()> {
        if app.settings.rate_limits { self.take(&login_keys(origin, user), app.clock.now()) } else { Ok(()) }
    }

    /// Gives a try back that turned out right.
    pub fn refund_login(&self, origin: &Origin, user: Option<&str>) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for key in login_keys(origin, user) {
            if let Some(bucket) = buckets.get_mut(&key) {
                bucket.left = (bucket.left + 1.0).min(key.budget().burst);
            }
        }
    }

    fn take(&self, keys: &[Key], now: Ms) -> Result<()> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let left = |bucket: &Bucket, budget: Budget| {
            let seconds = (now - bucket.at).max(0) as f64 / 1000.0;
            (bucket.left + seconds * budget.per_second).min(budget.burst)
        };
        // All or nothing: a refused request costs nothing anywhere.
        for key in keys {
            let budget = key.budget();
            let have = buckets.get(key).map_or(budget.burst, |bucket| left(bucket, budget));
            if have < 1.0 {
                return Err(exceeded((1.0 - have) / budget.per_second));
            }
        }
        for key in keys {
            let budget = key.budget();
            let have = buckets.get(key).map_or(budget.burst, |bucket| left(bucket, budget));
            buckets.insert(*key, Bucket { left: have - 1.0, at: now });
        }
        if buckets.len() > REMEMBERED {
            // Full buckets say nothing. Should that not be enough, somebody sends from very many
            // addresses, and forgetting is better than growing.
            buckets.retain(|key, bucket| left(bucket, key.budget()) < key.budget().burst);
            if buckets.len() > REMEMBERED / 2 {
                buckets.clear();
            }
        }
        Ok(())
    }
}

fn exceeded(seconds: f64) -> Error {
    let retry_after_ms = (seconds * 1000.0).ceil() as u64;
    let wait = retry_after_ms.div_ceil(1000);
    Error::new(Code::LimitExceeded { retry_after_ms }, format!("Too many requests. Try again in {wait} s."))
}

/// The network that one customer of a provider has: of IPv6 addresses the first half.
fn network(ip: Option<IpAddr>) -> IpAddr {
    match ip.map(|ip| ip.to_canonical()) {
        None => Ipv4Addr::UNSPECIFIED.into(),
        Some(IpAddr::V4(ip)) => ip.into(),
        Some(IpAddr::V6(ip)) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

fn login_keys(origin: &Origin, user: Option<&str>) -> Vec<Key> {
    let ip = network(origin.ip);
    let mut keys = vec![Key::LoginFrom(ip)];
    if let Some(user) = user {
        // The full id and the localpart are the same person.
        let name = user.trim().trim_start_matches('@').split(':').next().unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        name.to_lowercase().hash(&mut hasher);
        let name = hasher.finish();
        keys.extend([Key::LoginAs(name), Key::LoginAsFrom(name, ip)]);
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(ip: &str) -> Origin {
        Origin { ip: Some(ip.parse().unwrap()), request_id: None }
    }

    fn try_login(limits: &Limits, ip: &str, user: &str, now: Ms) -> Result<()> {
        limits.take(&login_keys(&from(ip), Some(user)), now)
    }

    #[test]
    fn ten_wrong_passwords_are_followed_by_a_pause_for_that_user_and_address_only() {
        let limits = Limits::default();
        for _ in 0..10 {
            try_login(&limits, "192.0.2.1", "anna", 0).unwrap();
        }
        let refused = try_login(&limits, "192.0.2.1", "@ANNA:localhost", 0).unwrap_err();
        assert_eq!(refused.code, Code::LimitExceeded { retry_after_ms: 10_000 });
        assert!(try_login(&limits, "192.0.2.1", "bohdan", 0).is_ok());
        assert!(try_login(&limits, "192.0.2.2", "anna", 0).is_ok());
        assert!(try_login(&limits, "192.0.2.1", "anna", 9_999).is_err());
        assert!(try_login(&limits, "192.0.2.1", "anna", 10_000).is_ok());
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let limits = Limits::default();
        for _ in 0..1_000 {
            try_login(&limits, "192.0.2.1", "anna", 0).unwrap();
            limits.refund_login(&from("192.0.2.1"), Some("anna"));
        }
    }

    #[test]
    fn neighbours_in_an_ipv6_network_share_a_budget() {
        assert_eq!(
            network(Some("2001:db8::1".parse().unwrap())),
            network(Some("2001:db8::2".parse().unwrap()))
        );
        assert_ne!(
            network(Some("2001:db8::1".parse().unwrap())),
            network(Some("2001:db9::1".parse().unwrap()))
        );
        assert_eq!(
            network(Some("::ffff:192.0.2.1".parse().unwrap())),
            network(Some("192.0.2.1".parse().unwrap()))
        );
    }

    #[test]
    fn callers_are_not_remembered_without_end() {
        let limits = Limits::default();
        for user in 0..120_000 {
            limits.take(&[Key::User(user)], 0).unwrap();
        }
        assert!(limits.buckets.lock().unwrap().len() <= REMEMBERED);
    }
}
