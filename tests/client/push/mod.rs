//! Claims about push: pushers, who is told of what, and gateways that fail.

mod badges;
mod outages;
mod pushers;
mod rules;
mod support;
mod told;
