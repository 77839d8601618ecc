//! Who waits for news of a conversation. Bounded, and holds nothing of conversations nobody waits for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Most that wait at once.
const MOST: usize = 20_000;

type Lanes = HashMap<String, (Arc<Notify>, usize)>;

/// Those who wait.
#[derive(Clone, Default)]
pub(crate) struct Waiters(Arc<Mutex<(Lanes, usize)>>);

impl Waiters {
    /// Begins to wait; `None` when too many do.
    pub fn enter(&self, lane: &str) -> Option<Waiter> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.1 >= MOST {
            return None;
        }
        inner.1 += 1;
        let (news, count) = inner.0.entry(lane.to_owned()).or_default();
        *count += 1;
        Some(Waiter { all: self.clone(), lane: lane.to_owned(), news: Arc::clone(news) })
    }

    /// Wakes everybody who waits for the conversation.
    pub fn wake(&self, lane: &str) {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((news, _)) = inner.0.get(lane) {
            news.notify_waiters();
        }
    }
}

/// Somebody who waits; leaves when dropped.
pub(crate) struct Waiter {
    all: Waiters,
    lane: String,
    news: Arc<Notify>,
}

impl Waiter {
    /// Ends with the next news after it was enabled.
    pub fn notified(&self) -> Notified<'_> {
        self.news.notified()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut inner = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.1 = inner.1.saturating_sub(1);
        if let Some((_, count)) = inner.0.get_mut(&self.lane) {
            *count -= 1;
            if *count == 0 {
                inner.0.remove(&self.lane);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_of_a_conversation_is_woken_and_nothing_stays() {
        let waiters = Waiters::default();
        let (a, b, c) =
            (waiters.enter("x").unwrap(), waiters.enter("x").unwrap(), waiters.enter("y").unwrap());
        let (mut first, mut second, mut other) =
            (Box::pin(a.notified()), Box::pin(b.notified()), Box::pin(c.notified()));
        first.as_mut().enable();
        second.as_mut().enable();
        other.as_mut().enable();
        waiters.wake("x");
        first.await;
        second.await;
        assert!(futures_util::FutureExt::now_or_never(other.as_mut()).is_none());
        drop(other);
        drop((a, b, c));
        let inner = waiters.0.lock().unwrap();
        assert!(inner.0.is_empty() && inner.1 == 0);
    }
}
