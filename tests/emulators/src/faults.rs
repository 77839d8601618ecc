//! What goes wrong, and how often: the same faults for every emulator.

use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Of which operation, such as `send`, `hook`, `file`.
    pub op: String,
    /// What happens.
    pub kind: Kind,
    /// How many times; 0 is for ever, until cleared.
    #[serde(default = "once")]
    pub times: u32,
    /// Only for conversations of this name, when not empty.
    #[serde(default)]
    pub lane: String,
    /// For `status`: which. For `delay`: milliseconds.
    #[serde(default)]
    pub value: u64,
}

fn once() -> u32 {
    1
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The connection is cut before anything is done.
    DropBefore,
    /// It is done, and the connection is cut before the answer.
    DropAfter,
    /// It is refused with a status, and not done.
    Status,
    /// It happens twice.
    Dup,
    /// It happens after the next one.
    Reorder,
    /// It happens later.
    Delay,
}

/// The faults that are still to happen.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// One more. A fault without operation clears all.
    pub fn add(&self, fault: Fault) {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.op.is_empty() {
            faults.clear();
        } else {
            faults.push(fault);
        }
    }

    /// The fault that happens now, if one does.
    pub fn take(&self, op: &str, lane: &str) -> Option<Fault> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |fault: &Fault| fault.op == op && (fault.lane.is_empty() || fault.lane == lane);
        let at = faults.iter().position(fits)?;
        let fault = faults[at].clone();
        match faults[at].times {
            0 => {}
            1 => drop(faults.remove(at)),
            more => faults[at].times = more - 1,
        }
        Some(fault)
    }
}
