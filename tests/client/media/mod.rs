//! Files: up, down, small, in parts, and harmless.

mod download;
mod picture;
mod thumbnails;
mod upload;
