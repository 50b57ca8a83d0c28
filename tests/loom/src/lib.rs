//! The ring's own hand-over between threads, compiled against loom: every order of its steps, and
//! every value that the memory model lets a load see.
//!
//! Owns no code of the ring: `sound` compiles the files of `src/ring` as they are, the others the
//! same files with one mistake in what they take from outside (`src/ring/seam.rs`). Next:
//! `scenarios`, then `tests/handover.rs`.
#![allow(
    clippy::duplicate_mod,
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the files are those of another crate, compiled once for each mistake"
)]

mod modelled;

pub mod fenceless;
pub mod relaxed;
pub mod sound;

/// What the files of the ring take from the rules.
pub mod domain {
    pub mod model {
        pub mod ids {
            pub type Sequence = u64;
        }
    }
}
