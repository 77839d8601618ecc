//! Answers of `/sync` that were given a moment ago, for clients that ask again because they did not
//! get them (`sync.response_cache_seconds`).
//!
//! Of each session the last answer, in this process: as soon as the client asks for something else it
//! is gone, since the client got it then. Whether the session may still be answered is not decided
//! here: whoever takes an answer out must look.

use bytes::Bytes;
use kontor_model::{Nid, Requester, SyncToken};
use std::sync::Arc;
use std::time::Duration;

/// Memory for all answers together, bytes.
const MEMORY: u64 = 64 << 20;
/// The largest answer that is kept, bytes: one should not push out all others.
const LARGEST: usize = 16 << 20;
/// What an answer takes besides its text, bytes, about.
const OVERHEAD: usize = 300;

/// What was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    /// Where the answer goes on from.
    pub since: Option<SyncToken>,
    /// The filter as the client named it.
    pub filter: Option<String>,
    /// Whether all state was wanted again.
    pub full_state: bool,
    /// Whether the state after the timeline was wanted.
    pub use_state_after: bool,
}

#[derive(Clone)]
struct Kept {
    /// The account's, when the answer was given.
    epoch: i64,
    question: Arc<Question>,
    answer: Bytes,
}

/// The answers.
pub struct Again(Option<moka::sync::Cache<Nid, Kept>>);

impl Again {
    /// Keeps answers for so long; for no time at all, keeps none.
    pub fn new(time: Duration) -> Self {
        let weigh = |_: &Nid, kept: &Kept| {
            let filter = kept.question.filter.as_ref().map_or(0, String::len);
            u32::try_from(kept.answer.len() + filter + OVERHEAD).unwrap_or(u32::MAX)
        };
        let cache = moka::sync::Cache::builder().max_capacity(MEMORY).weigher(weigh).time_to_live(time);
        Self((!time.is_zero()).then(|| cache.build()))
    }

    /// The answer that the session was given to the same question a moment ago. Another one is
    /// forgotten.
    pub fn take(&self, requester: &Requester, question: &Question) -> Option<Bytes> {
        let cache = self.0.as_ref()?;
        let kept = cache.get(&requester.session)?;
        if kept.epoch == requester.epoch && *kept.question == *question {
            return Some(kept.answer);
        }
        cache.invalidate(&requester.session);
        None
    }

    /// Keeps an answer.
    pub fn keep(&self, requester: &Requester, question: Question, answer: &Bytes) {
        // Those who act for an application service have no session of their own.
        let wanted = requester.session >= 0 && answer.len() <= LARGEST;
        if let Some(cache) = self.0.as_ref().filter(|_| wanted) {
            let (epoch, question) = (requester.epoch, Arc::new(question));
            cache.insert(requester.session, Kept { epoch, question, answer: answer.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requester(session: Nid, epoch: i64) -> Requester {
        Requester {
            user_id: "@a:x".try_into().unwrap(),
            user: 1,
            device_id: "D".into(),
            session,
            epoch,
            admin: false,
            guest: false,
            suspended: false,
            service: None,
        }
    }

    fn question(since: Option<&str>) -> Question {
        let since = since.map(|since| since.parse().unwrap());
        Question { since, filter: None, full_state: false, use_state_after: false }
    }

    #[test]
    fn only_the_same_question_of_the_same_session_is_answered_again() {
        let again = Again::new(Duration::from_secs(60));
        let answer = Bytes::from_static(b"{}");
        let me = requester(1, 1);
        let keep = || again.keep(&me, question(None), &answer);
        keep();
        assert_eq!(again.take(&me, &question(None)), Some(answer.clone()));
        assert_eq!(again.take(&requester(2, 1), &question(None)), None);
        // The account changed.
        assert_eq!(again.take(&requester(1, 2), &question(None)), None);
        keep();
        // Whoever goes on got the answer, so it is not given again.
        assert_eq!(again.take(&me, &Question { full_state: true, ..question(None) }), None);
        assert_eq!(again.take(&me, &question(None)), None);
    }

    #[test]
    fn nothing_is_kept_for_no_time_and_nothing_too_large() {
        let (me, answer) = (requester(1, 1), Bytes::from_static(b"{}"));
        let again = Again::new(Duration::ZERO);
        again.keep(&me, question(None), &answer);
        assert_eq!(again.take(&me, &question(None)), None);
        let again = Again::new(Duration::from_secs(60));
        again.keep(&me, question(None), &Bytes::from(vec![b' '; LARGEST + 1]));
        assert!(again.take(&me, &question(None)).is_none());
    }

    #[test]
    fn nothing_is_kept_of_those_without_a_session() {
        let (me, again) = (requester(-5, 1), Again::new(Duration::from_secs(60)));
        again.keep(&me, question(None), &Bytes::from_static(b"{}"));
        assert_eq!(again.take(&me, &question(None)), None);
    }
}
