//! Rows of the department of accounts.

pub mod account_data;
pub mod accounts;
pub mod backup;
pub mod devices;
pub mod filters;
pub mod people;
pub mod profile;
pub mod push;
pub mod registration;
pub mod sessions;
pub mod threepid;
pub mod uia;
