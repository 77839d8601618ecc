//! Accounts: logging in and out, registering, sessions and devices, and what belongs to a person.

mod data;
mod devices;
mod login;
mod openid;
mod password;
mod profile;
mod push_rules;
mod reading;
mod refresh;
mod registration;
mod sessions;
