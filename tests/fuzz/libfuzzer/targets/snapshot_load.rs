//! `snapshot_load` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (doorbuster_fuzz::target("snapshot_load").check)(input));
