//! How far a message of an agent got, merged from whatever is heard in whatever order.
//!
//! Rungs are ordered so that merging is taking the higher one: receipts may come early, late, twice
//! or in any order and the end is the same. No text for people and no clock may enter here.

use serde::{Deserialize, Serialize};

/// A rung of the ladder. The order is the order of certainty, from nothing known to read.
///
/// `Failed` stands between `Sent` and `Delivered`: a failure beats what was only handed over, and what
/// the customer demonstrably has beats a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// Stored here, not sent.
    Queued,
    /// Being sent: the first byte may have left.
    Sending,
    /// Nobody knows whether the network got it.
    Uncertain,
    /// The network took it.
    Accepted,
    /// The network passed it on.
    Sent,
    /// It will not arrive.
    Failed,
    /// The customer's device has it.
    Delivered,
    /// The customer saw it.
    Read,
}

impl Rung {
    /// All of them, lowest first.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Sending,
        Self::Uncertain,
        Self::Accepted,
        Self::Sent,
        Self::Failed,
        Self::Delivered,
        Self::Read,
    ];

    /// Its number in the database.
    pub fn number(self) -> i64 {
        Self::ALL.iter().zip(0..).find(|(rung, _)| **rung == self).map_or(0, |(_, number)| number)
    }

    /// The rung of a number.
    pub fn of(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|number| Self::ALL.get(number).copied())
    }

    /// Its name in `dev.kontor.delivery`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Uncertain => "uncertain",
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }

    /// Whether the network has answered for it, so that nothing is left to send.
    pub fn is_settled(self) -> bool {
        self >= Self::Accepted
    }
}

/// Why something will not arrive: what the agent can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// It waited too long in the queue.
    Expired,
    /// The network does not allow it now, such as outside of a window for answers.
    Policy,
    /// The customer cannot be reached this way (any more).
    Unreachable,
    /// The network refused this very message, such as a file that is too large.
    Rejected,
    /// The company's own access was refused.
    Credentials,
    /// The network cannot do this at all, such as editing.
    Unsupported,
    /// An agent took it back before it was sent.
    Withdrawn,
}

/// A failure as it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Failure {
    /// What the agent can do about it.
    pub kind: FailureKind,
    /// The network's own code, for whoever looks it up.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// The network's own words, without personal data.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Failure {
    /// A failure in the kit's or the network's words.
    pub fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, code: String::new(), text: text.into() }
    }
}

/// A place on the ladder, with the failure if it is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// The rung.
    pub rung: Rung,
    /// Set exactly when the rung is `Failed`.
    pub failure: Option<Failure>,
}

impl Standing {
    /// A rung that is no failure.
    pub fn at(rung: Rung) -> Self {
        Self { rung, failure: None }
    }

    /// A failure.
    pub fn failed(failure: Failure) -> Self {
        Self { rung: Rung::Failed, failure: Some(failure) }
    }

    /// What is known when both are: the higher one, whatever came first.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        self.max(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
        if items.is_empty() {
            return vec![Vec::new()];
        }
        let mut all = Vec::new();
        for index in 0..items.len() {
            let mut rest = items.to_vec();
            let first = rest.remove(index);
            for mut order in orders(&rest) {
                order.insert(0, first.clone());
                all.push(order);
            }
        }
        all
    }

    fn end(order: &[Standing]) -> Standing {
        order.iter().cloned().fold(Standing::at(Rung::Sending), Standing::merge)
    }

    #[test]
    fn all_120_orders_of_receipts_end_the_same() {
        let failed = Standing::failed(Failure::new(FailureKind::Rejected, "x"));
        let receipts = [Rung::Accepted, Rung::Sent, Rung::Delivered, Rung::Read].map(Standing::at);
        let receipts = [&receipts[..], &[failed]].concat();
        let all = orders(&receipts);
        assert_eq!(all.len(), 120);
        for order in all {
            assert_eq!(end(&order).rung, Rung::Read, "{order:?}");
        }
    }

    #[test]
    fn a_failure_is_beaten_only_by_what_the_customer_has() {
        let failed = Standing::failed(Failure::new(FailureKind::Unreachable, ""));
        for rung in Rung::ALL {
            let merged = Standing::at(rung).merge(failed.clone());
            let wins = matches!(rung, Rung::Delivered | Rung::Read);
            assert_eq!(merged.rung == Rung::Failed, !wins, "{rung:?}");
            assert_eq!(merged, failed.clone().merge(Standing::at(rung)));
        }
    }

    #[test]
    fn any_two_failures_end_the_same_in_both_orders() {
        let a = Standing::failed(Failure::new(FailureKind::Policy, "24 h"));
        let b = Standing::failed(Failure::new(FailureKind::Rejected, "size"));
        assert_eq!(a.clone().merge(b.clone()), b.merge(a));
    }

    #[test]
    fn numbers_and_rungs_are_the_same_thing() {
        for rung in Rung::ALL {
            assert_eq!(Rung::of(rung.number()), Some(rung));
        }
        assert_eq!(Rung::of(8), None);
        assert_eq!(Rung::of(-1), None);
    }
}
