//! Every claim about Kontor that needs a real server, in one linked test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cloned_ref_to_slice_refs,
    reason = "this is test code: failing loudly is its purpose"
)]

mod client;
mod crash;
mod e2e;
mod house;
mod order;
mod serving;
mod spec;
mod traffic;
