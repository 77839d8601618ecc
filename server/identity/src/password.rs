//! Passwords: Argon2id, at most two at a time, and a dummy for users who do not exist.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use kontor_model::{Code, Error, Random, Result, Secret};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// Hashes under way. Each takes 19 MiB and a core for some 30 ms.
const AT_ONCE: usize = 2;
/// Hashes that may wait for their turn; more are told to come back.
const WAITING: usize = 256;
/// Longest password, bytes.
const LONGEST: usize = 512;
/// Shortest password of new accounts, characters.
const SHORTEST: usize = 8;

/// Hash of a password that nobody knows, with the parameters of real ones: verifying against it
/// takes as long for a user who does not exist as for one who does.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$qVNnWd6ZxGJ1Ssrg1SmBmg$\
                      L4BNEH9P21QbHyQaC3yrXXIrkyK0bKQlTAKvQIJrdYM";
const NOBODY_CHEAP: &str = "$argon2id$v=19$m=8,t=1,p=1$qVNnWd6ZxGJ1Ssrg1SmBmg$\
                            L4BNEH9P21QbHyQaC3yrXXIrkyK0bKQlTAKvQIJrdYM";

pub(crate) struct Passwords {
    cheap: bool,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Leaves the queue when dropped, so that a request that is given up does not count for ever.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    pub fn new(cheap: bool) -> Self {
        Self { cheap, slots: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0) }
    }

    /// Whether a new password may be used.
    ///
    /// # Errors
    /// `WeakPassword` when it is too short, `InvalidParam` when it is too long.
    pub fn acceptable(&self, password: &Secret<String>) -> Result<()> {
        let shortest = if self.cheap { 1 } else { SHORTEST };
        if password.expose().chars().count() < shortest {
            return Err(Error::new(
                Code::WeakPassword,
                format!("The password is too short. Take at least {shortest} characters."),
            ));
        }
        if password.expose().len() > LONGEST {
            return Err(Error::invalid_param(format!("The password is longer than {LONGEST} bytes.")));
        }
        Ok(())
    }

    fn argon2(&self) -> Result<Argon2<'static>> {
        let params = if self.cheap { Params::new(8, 1, 1, None) } else { Params::new(19_456, 2, 1, None) };
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(text)?))
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// `LimitExceeded` when too many wait already.
    pub async fn hash(&self, password: &Secret<String>, random: &dyn Random) -> Result<String> {
        let mut salt = [0_u8; 16];
        random.fill(&mut salt);
        let (argon2, password) = (self.argon2()?, password.clone());
        self.work(move || {
            let hash = argon2.hash_password_with_salt(password.expose().as_bytes(), &salt).map_err(text)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether a password belongs to a hash. Without a hash it does the same work and says no.
    ///
    /// # Errors
    /// `LimitExceeded` when too many wait already.
    pub async fn verify(&self, password: &Secret<String>, hash: Option<String>) -> Result<bool> {
        // A longer one cannot have been set, and must not cost more than others.
        let hash = hash.filter(|_| password.expose().len() <= LONGEST);
        let nobody = if self.cheap { NOBODY_CHEAP } else { NOBODY };
        let (argon2, password, exists) = (self.argon2()?, password.clone(), hash.is_some());
        self.work(move || {
            let hash = hash.unwrap_or_else(|| nobody.to_owned());
            let password = password.expose().as_bytes();
            let password = password.get(..LONGEST).unwrap_or(password);
            Ok(argon2.verify_password(password, hash.as_str()).is_ok() && exists)
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let place = Place(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            return Err(Error::new(
                Code::LimitExceeded { retry_after_ms: 2_000 },
                "Many people log in at this moment. Try again in a few seconds.",
            ));
        }
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(Error::internal)?;
        // The slot goes with the job: a request that is given up does not let a third one start.
        let done = tokio::task::spawn_blocking(move || {
            let result = job();
            drop(slot);
            result
        });
        let result = done.await.map_err(Error::internal)?;
        drop(place);
        result
    }
}

/// The hashing crate's errors are no `std` errors in every configuration.
fn text(error: impl std::fmt::Display) -> Error {
    Error::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixed;
    use std::time::Instant;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_only() {
        for cheap in [true, false] {
            let passwords = Passwords::new(cheap);
            let hash = passwords.hash(&secret("zażółć 🦆"), &Fixed).await.unwrap();
            assert!(hash.starts_with("$argon2id$v=19$m="), "{hash}");
            assert!(passwords.verify(&secret("zażółć 🦆"), Some(hash.clone())).await.unwrap());
            assert!(!passwords.verify(&secret("zazolc 🦆"), Some(hash)).await.unwrap());
            assert!(!passwords.verify(&secret("anything"), None).await.unwrap());
        }
    }

    #[test]
    fn the_dummies_are_hashes_that_cost_as_much_as_real_ones() {
        use argon2::password_hash::phc::PasswordHash;
        for (cheap, nobody) in [(true, NOBODY_CHEAP), (false, NOBODY)] {
            let hash = PasswordHash::new(nobody).expect("well-formed");
            let params = Params::try_from(&hash).expect("parameters");
            let real = Passwords::new(cheap).argon2().unwrap().params().clone();
            assert_eq!((params.m_cost(), params.t_cost()), (real.m_cost(), real.t_cost()));
        }
    }

    #[tokio::test]
    async fn a_user_who_does_not_exist_costs_as_much_as_one_who_does() {
        let passwords = Passwords::new(false);
        let hash = passwords.hash(&secret("right"), &Fixed).await.unwrap();
        let mut best = [u128::MAX; 2];
        for _ in 0..5 {
            for (best, hash) in best.iter_mut().zip([Some(hash.clone()), None]) {
                let began = Instant::now();
                passwords.verify(&secret("wrong"), hash).await.unwrap();
                *best = (*best).min(began.elapsed().as_micros());
            }
        }
        let [known, unknown] = best;
        assert!(unknown * 2 > known && known * 2 > unknown, "{known} and {unknown} µs");
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        let strict = Passwords::new(false);
        assert!(strict.acceptable(&secret("1234567")).is_err());
        assert!(strict.acceptable(&secret("żółwżółw")).is_ok());
        assert!(strict.acceptable(&secret(&"x".repeat(513))).is_err());
        assert!(Passwords::new(true).acceptable(&secret("x")).is_ok());
        assert!(Passwords::new(true).acceptable(&secret("")).is_err());
    }
}
