//! cargo-fuzz target, see ../run.sh.

#![no_main]

#[path = "../entrances/bars.rs"]
mod entrance;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    entrance::enter(bytes);
});
