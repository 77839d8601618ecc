//! Public keys for end-to-end encryption: what devices and users publish, what others are shown of
//! it, and one-time keys that are each given out once.
//!
//! The server vouches for nothing here: it checks that an upload is what its owner signed, so that
//! a defective client hears of it at once, and shows every signature only to those whom the
//! specification lets see it. Rooms may not enter: who is told of changes is the flows' business.

pub mod claim;
pub mod cross_signing;
pub mod query;
pub mod signatures;
mod signed;
pub mod upload;

pub use claim::Claim;
pub use cross_signing::{CrossSigningPlan, CrossSigningUpload};
pub use signed::Signed;
pub use upload::{KeyUpload, Owner, check_device_keys, check_signed_key};

/// The algorithm of one-time and fallback keys; the only one that can be checked.
pub const ONE_TIME_ALGORITHM: &str = "signed_curve25519";
