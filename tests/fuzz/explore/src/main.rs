//! Looks for inputs that break a fuzz target, with libFuzzer, on the stable toolchain and by hand.
//! It needs a C++ compiler. In `tests/fuzz/explore`:
//!
//! ```text
//! cp ../../../Cargo.lock .    # the versions of the server
//! mkdir -p found
//! KONTOR_FUZZ_TARGET=filter cargo run -- found ../corpus/filter -max_total_time=300
//! ```
//!
//! runs one target (`kontor_fuzz::TARGETS` names them) for five minutes. An input that breaks it is
//! written to `crash-…`: repair what it shows, with a test at the place, and put the input into the corpus.
//! What reached something new lies in `found`; what of it the corpus lacks is added by
//!
//! ```text
//! KONTOR_FUZZ_TARGET=filter cargo run -- -merge=1 -max_len=4096 ../corpus/filter found
//! ```
#![no_main]

use kontor_fuzz::{Target, target};
use std::sync::OnceLock;

fn chosen() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| target(&std::env::var("KONTOR_FUZZ_TARGET").unwrap_or_default()))
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| (chosen().run)(data));
