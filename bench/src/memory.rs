//! Memory that this machine has, as one has that has run for a while.
//!
//! Owns making sure of that before something is measured. A virtual machine's host may take free
//! memory back and give it again page by page, at the first touch: 8 to 11 µs a page where one that
//! was there took 1.6 µs. A server that was just started pays that for each page of its tables, in
//! its own CPU time, and how much depends on who used the memory before. Never keeps any. Next:
//! `peers`, `engine`.

use std::hint::black_box;

/// Several times of what the servers of one round come to take in it: what is given next is not
/// always what was let go last, and after half as much it often was not.
const BYTES_MAX: u64 = 2 << 30;
/// And never more than this part of what is there for the asking.
const FREE_PART: u64 = 4;

/// Touches more than will be used and lets it go, right before it is: a few seconds later the host
/// may have much of it back.
pub(crate) fn have() {
    let bytes = free_bytes().map_or(0, |free| (free / FREE_PART).min(BYTES_MAX));
    let touched = usize::try_from(bytes).map(|bytes| vec![1_u8; bytes]);
    drop(black_box(touched));
}

/// None where the system does not tell.
fn free_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}
