//! Claims about what shops and other systems of the company tell: who may tell it, whose it is, where it is shown and to
//! whom; companies, tags, and what customers are asked for.

mod attach;
mod commands;
mod companies;
mod intake;
mod paid;
pub(crate) mod shop;
mod stage;
