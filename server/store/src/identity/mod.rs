//! Rows of the department of accounts.

pub mod accounts;
pub mod devices;
pub mod registration;
pub mod sessions;
pub mod uia;
