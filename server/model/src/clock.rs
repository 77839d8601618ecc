//! Time as a parameter, so that tests move it instead of sleeping.

use crate::Ms;

/// Source of the present time. The binary passes the system's clock, tests pass their own.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now(&self) -> Ms;
}
