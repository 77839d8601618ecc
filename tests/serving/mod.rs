//! The process as the one who runs it sees it: starting, ending, refusing, logging.

mod administrator;
mod ending;
mod logs;
mod starting;
