//! The front door: every route, extractors, the error page.
//!
//! Here and nowhere else are axum, status codes and Matrix error JSON named. A handler takes a
//! request apart, calls one department or one flow, and puts the answer together; rules of rooms,
//! accounts and media may not enter, nor may SQL.

pub mod admin;
pub mod again;
pub mod app;
mod card;
pub mod client;
mod company;
mod confirm;
pub mod error;
pub mod extract;
mod guests;
mod health;
pub mod middleware;
mod refused;
pub mod respond;
pub mod router;
mod services;
mod setup;
mod suspended;

pub use app::{App, Calls, Contact, Settings, Support, TurnCredentials};
pub use router::{Serve, router};
