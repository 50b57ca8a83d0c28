//! The server on a small real disk that loses power or is full (DESIGN 4).
//!
//! Each test has an ext4 file system of its own in a file, mounted by a loop device. For that it
//! must run as root on Linux, with `mkfs.ext4`, `mount`, `umount` and `python3`; where it cannot,
//! it says so and passes, but with `CI=true` as root it fails. The clients and their books are
//! those of `tests/server`.
//!
//! A power cut is an `EXT4_IOC_SHUTDOWN` that flushes nothing: whatever was not synced is gone
//! after the next mount. The suite has a few; as many as wanted, on a fresh disk every fifty:
//!
//!     POWER_CYCLES=10000 cargo test --release --test power -- --nocapture
//!
//! Start with `cuts`, then `full` and `ballast`.

mod ballast;
mod cuts;
mod full;

use doorbuster_test_support::target::Target;

/// The server for these tests, and a folder for its directories.
pub(crate) const TARGET: Target = doorbuster_test_support::target!();
