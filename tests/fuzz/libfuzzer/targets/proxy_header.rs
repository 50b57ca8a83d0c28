//! `proxy_header` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (doorbuster_fuzz::target("proxy_header").check)(input));
