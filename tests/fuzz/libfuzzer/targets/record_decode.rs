//! `record_decode` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (doorbuster_fuzz::target("record_decode").check)(input));
