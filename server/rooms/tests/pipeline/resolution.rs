//! Known scenarios.
