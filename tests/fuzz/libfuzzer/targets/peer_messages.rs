//! `peer_messages` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| (doorbuster_fuzz::target("peer_messages").check)(input));
