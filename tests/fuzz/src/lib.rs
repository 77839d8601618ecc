//! Fuzz targets: what takes bytes or texts from outside, each as one function that panics when the
//! answer is wrong, not only when the server would. `corpus/<target>/` holds inputs that once reached
//! something new; they and some thousand variations of them are tests. `explore/` looks for more.
//!
//! Nothing here starts a server or waits.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this is test code: failing loudly is its purpose"
)]

#[allow(dead_code, reason = "the terminal program uses more of it than is tried here")]
mod contacts;
#[allow(dead_code, reason = "as above")]
#[path = "../../../admin-cli/src/csv.rs"]
mod csv;
mod files;
mod filter;
mod glob;
mod keys;
mod names;
mod page;
mod picture;
mod push_rules;
#[cfg(test)]
mod replay;
mod shop;
mod sliding;
mod token;

/// A fuzz target.
pub struct Target {
    /// Its name, also of the folder of its corpus.
    pub name: &'static str,
    /// Takes any bytes and panics when something is wrong with what the server makes of them.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 11] = [
    Target { name: "files", run: files::run },
    Target { name: "filter", run: filter::run },
    Target { name: "glob", run: glob::run },
    Target { name: "keys", run: keys::run },
    Target { name: "names", run: names::run },
    Target { name: "page", run: page::run },
    Target { name: "picture", run: picture::run },
    Target { name: "push_rules", run: push_rules::run },
    Target { name: "shop", run: shop::run },
    Target { name: "sliding", run: sliding::run },
    Target { name: "token", run: token::run },
];

/// The target of this name.
///
/// # Panics
/// When there is none.
pub fn target(name: &str) -> &'static Target {
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    TARGETS
        .iter()
        .find(|target| target.name == name)
        .unwrap_or_else(|| panic!("{name:?} is none of {}", names()))
}

/// The bytes as text, and what comes after the first line. Nothing when they are none.
fn two_lines(data: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(data).ok().map(|text| text.split_once('\n').unwrap_or((text, "")))
}
