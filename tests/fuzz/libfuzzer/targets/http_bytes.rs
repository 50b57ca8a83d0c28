//! `http_bytes` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (doorbuster_fuzz::target("http_bytes").check)(input));
