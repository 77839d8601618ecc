//! Files: up, down, small, in parts, and harmless.

mod download;
pub(super) mod picture;
mod thumbnails;
mod upload;
