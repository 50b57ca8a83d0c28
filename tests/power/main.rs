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
//! Start with `disk`, then `cuts`, `full` and `ballast`.

mod ballast;
mod cuts;
mod disk;
mod full;

// All of these serve `tests/server` first; not everything in them is needed here.
#[allow(dead_code)]
#[path = "../server/client.rs"]
mod client;
#[allow(dead_code)]
#[path = "../server/crowd.rs"]
mod crowd;
#[allow(dead_code)]
#[path = "../server/history.rs"]
mod history;
#[allow(dead_code)]
#[path = "../server/ledger.rs"]
mod ledger;
#[allow(dead_code)]
#[path = "../server/noise.rs"]
mod noise;
#[allow(dead_code)]
#[path = "../server/patience.rs"]
mod patience;
#[allow(dead_code)]
#[path = "../server/process.rs"]
mod process;
#[allow(dead_code)]
#[path = "../server/shopper.rs"]
mod shopper;
#[allow(dead_code)]
#[path = "../server/stored.rs"]
mod stored;
#[allow(dead_code)]
#[path = "../server/wide.rs"]
mod wide;
