//! Rows of the department of accounts.

pub mod account_data;
pub mod accounts;
pub mod backup;
pub mod closing;
pub mod cross_signing;
pub mod dehydrated;
pub mod device_lists;
pub mod devices;
pub mod directory;
pub mod filters;
pub mod keys;
pub mod notices;
pub mod openid;
pub mod people;
pub mod profile;
pub mod push;
pub mod pushers;
pub mod registration;
pub mod services;
pub mod sessions;
pub mod threepid;
pub mod to_device;
pub mod uia;
