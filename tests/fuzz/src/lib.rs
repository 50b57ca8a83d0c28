//! What must hold for any bytes that come from outside: from a disk, a network, an operator's file.
//!
//! Each target takes bytes and panics where a promise does not hold; what is refused is fine. One
//! body serves libFuzzer (`libfuzzer/`), a bounded run under proptest and the kept inputs in
//! `corpus/` (`tests/bounded.rs`). Bytes are files or messages as they are, or, for journals and
//! snapshots, a program that makes a sound one and then damages it: damage that no checksum passes
//! is found by the first check only. Next: a target, then `README.md`.
#![allow(missing_docs, reason = "a target's header says what it holds")]

mod bytes;
mod damage;
mod files;
mod framing;
mod http;
mod journal;
mod json;
mod peer;
mod proxy;
mod record;
mod repair;
mod replies;
mod request;
mod snapshot;
mod writer;

pub use http::statuses;

/// Something that takes any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// As its folder in `corpus/` and its program in `libfuzzer/` are called.
    pub name: &'static str,
    /// Panics where something does not hold.
    pub check: fn(&[u8]),
    /// How many inputs a bounded run makes up: a second or two of them.
    pub cases: u32,
    /// How long they are at most, in bytes.
    pub bytes_max: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "journal_scan", check: journal::scan, cases: 400, bytes_max: 512 },
    Target { name: "repair", check: repair::repair, cases: 150, bytes_max: 512 },
    Target { name: "snapshot_load", check: snapshot::load, cases: 300, bytes_max: 256 },
    Target { name: "state_decode", check: snapshot::decode_state, cases: 5_000, bytes_max: 4_096 },
    Target { name: "record_decode", check: record::decode, cases: 50_000, bytes_max: 512 },
    Target { name: "http_bytes", check: http::talk, cases: 2_000, bytes_max: 2_048 },
    Target { name: "json_body", check: json::body, cases: 30_000, bytes_max: 512 },
    Target { name: "request_parts", check: request::parts, cases: 50_000, bytes_max: 256 },
    Target { name: "tokens_file", check: files::tokens, cases: 30_000, bytes_max: 1_024 },
    Target { name: "proxy_header", check: proxy::header, cases: 50_000, bytes_max: 256 },
    Target { name: "peer_messages", check: peer::messages, cases: 50_000, bytes_max: 512 },
    Target { name: "config_file", check: files::config, cases: 30_000, bytes_max: 512 },
];

/// The target of this name.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("there is no target {name}"))
}
